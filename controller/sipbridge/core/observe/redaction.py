"""Text that may hold a secret becomes text that does not. Pure.

Secrets of accounts are kept out of what is logged to begin with: there may be hundreds of thousands. This is the second
line, for the few that open databases and servers, and for what looks like a password wherever it comes from.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from urllib.parse import quote
from xml.sax.saxutils import escape

HIDDEN = "***"
"""Stands where a secret was."""

_SHORTEST = 4
"""What is shorter stands for itself in too many words; patterns still find it where it is called a password."""

# What each pattern needs to be there, and the pattern. Looking for a word is cheap, and most lines have none of them.
_PATTERNS = (
    # password='correct horse', "secret": "…", PASSWORD=x
    (
        ("passw", "secret"),
        r"""((?:password|passwd|secret)["']?\s?[=:]\s?)(?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[^\s"',;&)}\]]+)""",
    ),
    # <param name="password" value="…"/>
    (("password",), r'(name="password" value=")[^"]*'),
    # redis://user:password@host
    (("://",), r"(://[^\s:/@]*:)[^\s/@]+(?=@)"),
    # The proof of a secret, from which it can be guessed: Digest … response="…"
    (("response=",), r'(\bresponse=")[^"]*'),
)
_COMPILED = tuple(
    (word, re.compile(pattern, re.DOTALL | re.IGNORECASE)) for words, pattern in _PATTERNS for word in words
)


class Redactor:
    """Hides secrets that it has been told, and what looks like one."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._known: tuple[str, ...] = ()
        self.learn(secrets)

    def learn(self, secrets: Iterable[str]) -> None:
        """Hide these as well, however they are quoted."""
        known = set(self._known)
        for secret in secrets:
            if len(secret) >= _SHORTEST:
                known |= {secret, json.dumps(secret)[1:-1], repr(secret)[1:-1], quote(secret), escape(secret)}
        # The longest first: one secret may begin with another.
        self._known = tuple(sorted(known, key=len, reverse=True))

    def redact(self, text: str) -> str:
        """The text with `HIDDEN` in the place of each secret."""
        for secret in self._known:
            if secret in text:
                text = text.replace(secret, HIDDEN)
        lowered = text.lower()
        for word, pattern in _COMPILED:
            if word in lowered:
                text = pattern.sub(rf"\g<1>{HIDDEN}", text)
        return text

"""Removes secrets from text. Pure.

Secrets of accounts never reach the log in the first place: there may be hundreds of thousands. This is the second line
of defence, for the few secrets that open databases and servers, and for anything that looks like a password.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from urllib.parse import quote
from xml.sax.saxutils import escape

HIDDEN = "***"
"""Replaces a secret."""

_SHORTEST = 4
"""Shorter strings occur in ordinary words; the patterns still catch them after ``password=``."""

# A text that must be present, and the pattern. Searching for a text is cheap, and most lines contain none of them.
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
    # A digest response, from which the secret can be guessed: Digest … response="…"
    (("response=",), r'(\bresponse=")[^"]*'),
)
_COMPILED = tuple(
    (word, re.compile(pattern, re.DOTALL | re.IGNORECASE)) for words, pattern in _PATTERNS for word in words
)


class Redactor:
    """Hides known secrets, and text that looks like one."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._known: tuple[str, ...] = ()
        self.learn(secrets)

    def learn(self, secrets: Iterable[str]) -> None:
        """Add secrets to hide, in every quoting."""
        known = set(self._known)
        for secret in secrets:
            if len(secret) >= _SHORTEST:
                known |= {secret, json.dumps(secret)[1:-1], repr(secret)[1:-1], quote(secret), escape(secret)}
        # Longest first: one secret may start with another.
        self._known = tuple(sorted(known, key=len, reverse=True))

    def redact(self, text: str) -> str:
        """Return the text with each secret replaced by `HIDDEN`."""
        for secret in self._known:
            if secret in text:
                text = text.replace(secret, HIDDEN)
        lowered = text.lower()
        for word, pattern in _COMPILED:
            if word in lowered:
                text = pattern.sub(rf"\g<1>{HIDDEN}", text)
        return text

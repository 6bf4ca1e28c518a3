r"""Compiles patterns so that matching takes linear time, and a hostile Request-URI cannot block the bridge. Pure.

An ECMAScript engine backtracks: ``sip:([0-9]+)*@x`` takes seconds for 26 digits, and twice as long for each further
one. RE2 does not backtrack, but it has no look-ahead or back-references and reads a few constructs differently.
Patterns that cannot be converted are reported to their author.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import re2

_TOKEN = re.compile(
    r"(?P<same>\\[dDwWbB]|\\[!-/:-@\[-`{-~]|\(\?:|\((?!\?)|[)|^$]|[*+?]\??|\{[0-9]+(?:,[0-9]*)?\}\??)"
    r"|(?P<class>\[\^?(?!\])(?:[^\]\\]|\\[dDwW]|\\[!-/:-@\[-`{-~])+\])"
    r"|(?P<dot>\.)"
    r"|(?P<character>[^\\\[\](){}|^$*+?.])"
)
_QUANTIFIER = re.compile(r"[*+?{]")
_ANY = r"[^\n\r\x{2028}\x{2029}]"
"""The meaning of a dot in ECMAScript; RE2's dot excludes only the first of these characters."""


def is_linear(pattern: str) -> bool:
    """Return whether a backtracking engine can backtrack in only one place, and so takes linear time."""
    without_escapes = re.sub(r"\\[\s\S]|\[(?:[^\]\\]|\\[\s\S])*\]|\(\?", "", pattern)
    return "|" not in without_escapes and len(_QUANTIFIER.findall(without_escapes)) <= 1


def compile_linear(pattern: str) -> Callable[[str], bool] | None:
    """Compile a pattern to a function that takes linear time for any text.

    Args:
        pattern: a valid ECMAScript regular expression.

    Returns:
        A function that returns whether a whole text matches, exactly like an ECMAScript engine; None if the pattern
        cannot be converted.
    """
    parts: list[str] = []
    at = 0
    while at < len(pattern):
        token = _TOKEN.match(pattern, at)
        if token is None:
            return None
        parts.append(_ANY if token.lastgroup == "dot" else token[0])
        at = token.end()
    options = re2.Options()
    options.log_errors = False
    options.never_capture = True
    try:
        fullmatch = re2.compile("".join(parts), options).fullmatch
    except re2.error:
        # For example more than 1,000 repetitions.
        return None
    return lambda text: fullmatch(text) is not None

r"""A pattern that a hostile Request-URI could hold up the bridge with becomes one that takes linear time. Pure.

An ECMAScript engine goes back and tries again: ``sip:([0-9]+)*@x`` takes seconds for 26 digits, and twice as long for
each one more. RE2 never goes back. It knows neither look-ahead nor back-references, and reads a few things differently:
what is left is told to those who write the pattern.
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
"""What a dot means in ECMAScript; in RE2 it is all but the first of these."""


def is_linear(pattern: str) -> bool:
    """Whether an engine that goes back can do so in one place only, and so takes linear time."""
    without_escapes = re.sub(r"\\[\s\S]|\[(?:[^\]\\]|\\[\s\S])*\]|\(\?", "", pattern)
    return "|" not in without_escapes and len(_QUANTIFIER.findall(without_escapes)) <= 1


def compile_linear(pattern: str) -> Callable[[str], bool] | None:
    """Compile a pattern so that it takes linear time, whatever the text.

    Args:
        pattern: a valid ECMAScript regular expression.

    Returns:
        Whether a whole text matches, and just when an ECMAScript engine says so; None when that cannot be had.
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
        # Such as more than 1,000 repetitions.
        return None
    return lambda text: fullmatch(text) is not None

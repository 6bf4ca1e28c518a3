"""Parses ``db=accounts user='b2bua'`` into pairs of keyword and value, or explains what is wrong where. Pure.

Messages never show any of the text: it contains passwords, and a password without quotation marks can look like
anything.

Source: PostgreSQL, libpq, "Keyword/Value Connection Strings".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from sipbridge.core.errors import SipBridgeError

_SPACE = re.compile(r"\s*", re.ASCII)
_KEYWORD = re.compile(r"[^\s=]*", re.ASCII)
_EQUALS = re.compile(r"\s*=\s*", re.ASCII)
_QUOTED = re.compile(r"'((?:[^'\\]|\\.)*+)'", re.DOTALL)
_BARE = re.compile(r"((?:[^\s\\]|\\.)*+)(\\?)", re.DOTALL | re.ASCII)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)


class ConnectionStringError(SipBridgeError, ValueError):
    """A connection string is malformed.

    Attributes:
        offset: index of the offending character, from 0.
    """

    def __init__(self, message: str, offset: int) -> None:
        super().__init__(message)
        self.offset = offset


class Pair(NamedTuple):
    """A keyword, its position, its value, and the value's position."""

    keyword: str
    at: int
    value: str
    value_at: int


def parse_pairs(text: str) -> Iterator[Pair]:
    r"""Parse a text into pairs.

    Args:
        text: such as ``db=accounts user = b2bua password='correct horse'``; a backslash makes the next character
            literal, inside and outside quotation marks.

    Raises:
        ConnectionStringError: the text does not have this form.
    """
    at = _end(_SPACE, text, 0)
    while at < len(text):
        keyword_end = _end(_KEYWORD, text, at)
        if keyword_end == at:
            raise ConnectionStringError('missing keyword, such as host, before "="', at)
        equals = _EQUALS.match(text, keyword_end)
        if equals is None:
            message = "expected keyword=value here; put a value that contains a space in single quotes"
            raise ConnectionStringError(message, at)
        value, end = _value(text, equals.end())
        yield Pair(text[at:keyword_end], at, value, equals.end())
        at = _end(_SPACE, text, end)


def _value(text: str, at: int) -> tuple[str, int]:
    """Return the value that begins at `at`, and where it ends."""
    if text.startswith("'", at):
        match = _QUOTED.match(text, at)
        if match is None:
            raise ConnectionStringError("this quotation mark is not closed", at)
        if _end(_SPACE, text, match.end()) == match.end() < len(text):
            message = r"missing space after the closing quotation mark; write \' for a quotation mark inside a value"
            raise ConnectionStringError(message, match.end())
    else:
        match = _BARE.match(text, at)
        if match is None or match[2]:
            raise ConnectionStringError("nothing follows this backslash: write two for one", len(text) - 1)
    return _ESCAPE.sub(r"\1", match[1]), match.end()


def _end(pattern: re.Pattern[str], text: str, at: int) -> int:
    """Return the end of the match of `pattern` at `at`."""
    match = pattern.match(text, at)
    return match.end() if match else at

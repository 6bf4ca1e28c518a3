r"""Parses JSON text to Python values, with the position of every value, key and character of a string. Pure.

The standard library's decoder reports no positions, silently uses the last of duplicate keys and stops at the first
mistake; libraries that report positions are no longer maintained. This is RFC 8259 with two differences: no-break
spaces between tokens count as white space (they come from web pages), and all mistakes inside strings are reported.
"""

from __future__ import annotations

import json
import re
import unicodedata
from bisect import bisect_right
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import NoReturn

from sipbridge.config.text.json_text import ArrayPlace, JsonText, ObjectPlace, Place
from sipbridge.config.text.source_text import Mistake, line_starts

MAX_DEPTH = 32
"""Deepest accepted nesting; a providers file needs six."""

_MAX_NUMBER_LENGTH = 40
_SPACE = r"[ \t\r\n\u00a0]*"
_BLANK = re.compile(_SPACE)
_PLAIN_STRING = re.compile(r'"([^"\\\x00-\x1f]*)"')
_KEY = re.compile(rf'"([^"\\\x00-\x1f]*)"{_SPACE}:{_SPACE}')
_COLON = re.compile(rf"{_SPACE}:{_SPACE}")
_SEPARATOR = re.compile(rf"{_SPACE}([,}}\]]){_SPACE}")
_STRING_PART = re.compile(r'[^"\\\x00-\x1f]+')
_UNICODE_ESCAPE = re.compile(
    r"\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})|\\u([0-9a-fA-F]{4})",
)
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_WORD = re.compile(r"[A-Za-z0-9_$+\-.]+")

_ESCAPES = {'"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_WORDS: dict[str, bool | None] = {"true": True, "false": False, "null": None}
_MEANT = {"none": "null", "nil": "null", "yes": "true", "on": "true", "no": "false", "off": "false"}


def parse_json(text: str) -> JsonText:
    """Parse a JSON text.

    Invalid escapes, control characters in strings and duplicate keys are all reported; any other mistake ends parsing.
    """
    return _Reader(text).read()


class _StopReading(Exception):
    """Parsing cannot continue; the mistake has been recorded."""


class _Reader:
    """Parses one text from start to end; `_at` is the index of the next character."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._depth = 0
        self._mistakes: list[Mistake] = []
        self._duplicates: list[Mistake] = []

    def read(self) -> JsonText:
        value: object = None
        place: Place = 0
        try:
            self._skip(_BLANK)
            value, place = self._value()
            self._skip(_BLANK)
            if self._at < len(self._text):
                self._stop(f"{self._found()} after the end of the value: a JSON file holds one object or array")
        except _StopReading:
            value = None
        return JsonText(self._text, value, tuple(self._mistakes), tuple(self._duplicates), place)

    def _value(self) -> tuple[object, Place]:
        start = self._at
        if plain := _PLAIN_STRING.match(self._text, start):
            self._at = plain.end()
            return plain[1], start
        match self._text[start : start + 1]:
            case '"':
                return self._string(), start
            case "{":
                return self._nested(self._object)
            case "[":
                return self._nested(self._array)
            case _:
                return self._number_or_word(), start

    def _nested(self, read: Callable[[int], tuple[object, Place]]) -> tuple[object, Place]:
        if self._depth == MAX_DEPTH:
            self._stop(f"nested more than {MAX_DEPTH} levels deep")
        self._depth += 1
        start = self._at
        self._at += 1
        self._skip(_BLANK)
        result = read(start)
        self._depth -= 1
        return result

    def _object(self, start: int) -> tuple[dict[str, object], Place]:
        values: dict[str, object] = {}
        members: dict[str, tuple[int, Place]] = {}
        more = not self._ends_at_once("}")
        while more:
            key_at = self._at
            key = self._key(start)
            value, place = self._value()
            if key in values:
                first = self._line_of(members[key][0])
                self._duplicates.append(Mistake(key_at, f'"{key}" is already set on line {first}: keep one of the two'))
            else:
                values[key] = value
                members[key] = (key_at, place)
            more = self._has_more("}", start)
        return values, ObjectPlace(start, members)

    def _array(self, start: int) -> tuple[list[object], Place]:
        values: list[object] = []
        items: list[Place] = []
        more = not self._ends_at_once("]")
        while more:
            value, place = self._value()
            values.append(value)
            items.append(place)
            more = self._has_more("]", start)
        return values, ArrayPlace(start, items)

    def _ends_at_once(self, closing: str) -> bool:
        ends = self._text.startswith(closing, self._at)
        self._at += ends
        return ends

    def _has_more(self, closing: str, start: int) -> bool:
        """Consume the comma or the closing bracket after a value."""
        separator = _SEPARATOR.match(self._text, self._at)
        if separator is None:
            self._skip(_BLANK)
            self._stop_at_end_of_file(start)
            hint = "is a comma missing before it, or a backslash before a quotation mark in a string?"
            self._stop(f'expected "," or "{closing}", found {self._found()}: {hint}')
        if separator[1] == closing:
            # Do not skip the blanks after it: the next separator consumes them.
            self._at = separator.end(1)
            return False
        if separator[1] != ",":
            self._at = separator.start(1)
            opened = self._line_of(start)
            self._stop(f'expected "{closing}" to close what line {opened} opens, found "{separator[1]}"')
        self._at = separator.end()
        if self._text[self._at : self._at + 1] in ("}", "]"):
            self._at = separator.start(1)
            self._stop(f'remove this comma: nothing follows it before the "{self._text[separator.end()]}"')
        return True

    def _key(self, start: int) -> str:
        if match := _KEY.match(self._text, self._at):
            self._at = match.end()
            return match[1]
        self._stop_at_end_of_file(start)
        if not self._text.startswith('"', self._at):
            self._stop(f"expected a name in double quotation marks, found {self._found()}")
        key = self._string()
        colon = _COLON.match(self._text, self._at)
        if colon is None:
            self._skip(_BLANK)
            self._stop_at_end_of_file(start)
            self._stop(f'expected ":" after a name, found {self._found()}')
        self._at = colon.end()
        return key

    def _string(self) -> str:
        start = self._at
        self._at += 1
        parts: list[str] = []
        while not self._text.startswith('"', self._at):
            if part := _STRING_PART.match(self._text, self._at):
                parts.append(part[0])
                self._at = part.end()
                continue
            match self._text[self._at : self._at + 1]:
                case "\\":
                    parts.append(self._escape())
                case "" | "\r" | "\n":
                    self._at = start
                    self._stop("this string has no closing quotation mark on its line")
                case control:
                    self._note(f"{_named(control)} inside a string: write {json.dumps(control)[1:-1]}")
                    parts.append(control)
                    self._at += 1
        self._at += 1
        return "".join(parts)

    def _escape(self) -> str:
        if match := _UNICODE_ESCAPE.match(self._text, self._at):
            return self._unicode_escape(match)
        character = self._text[self._at + 1 : self._at + 2]
        if character not in _ESCAPES:
            if character in "\r\n":  # also at the end of the file
                self._at += 1
                return ""
            self._note(
                "\\u needs four hexadecimal digits, as in \\u00e9"
                if character == "u"
                else f"\\{character} is not an escape that JSON knows: write \\\\{character} for a backslash and "
                f"{_named(character)}, or {_named(character)} without the backslash"
            )
        self._at += 1 + len(character)
        return _ESCAPES.get(character, character)

    def _unicode_escape(self, match: re.Match[str]) -> str:
        if match[3] is None:
            character = chr(0x10000 + (int(match[1], 16) - 0xD800) * 0x400 + int(match[2], 16) - 0xDC00)
        else:
            character = chr(int(match[3], 16))
            if "\ud800" <= character <= "\udfff":
                self._note(f"{match[0]} is half of a surrogate pair: write both halves, or the character itself")
        self._at = match.end()
        return character

    def _number_or_word(self) -> object:
        word = _WORD.match(self._text, self._at)
        if word is None:
            if self._at == len(self._text):
                self._stop("expected a value, found the end of the file")
            self._stop(f"expected a value, found {self._found()}")
        token = word[0]
        if token in _WORDS:
            self._at = word.end()
            return _WORDS[token]
        number = _NUMBER.fullmatch(token)
        if number is None:
            self._stop(_not_a_value(token))
        if len(token) > _MAX_NUMBER_LENGTH:
            self._stop(f"this number has {len(token)} digits; the limit is {_MAX_NUMBER_LENGTH}")
        self._at = word.end()
        return int(token) if number[1] is None and number[2] is None else float(token)

    def _skip(self, pattern: re.Pattern[str]) -> None:
        if match := pattern.match(self._text, self._at):
            self._at = match.end()

    def _note(self, message: str) -> None:
        self._mistakes.append(Mistake(self._at, message))

    def _stop(self, message: str) -> NoReturn:
        self._note(message)
        raise _StopReading

    def _stop_at_end_of_file(self, start: int) -> None:
        if self._at == len(self._text):
            self._stop(f'the file ends before the "{self._text[start]}" of line {self._line_of(start)} is closed')

    def _line_of(self, index: int) -> int:
        return bisect_right(self._line_starts, index)

    @cached_property
    def _line_starts(self) -> Sequence[int]:
        return line_starts(self._text)

    def _found(self) -> str:
        """Describe the unexpected text at the current position."""
        if self._text.startswith(("//", "/*", "#"), self._at):
            return "a comment (JSON has none)"
        if _WORD.match(self._text, self._at):
            return "text"  # not shown: it may be part of a secret
        return _named(self._text[self._at])


def _named(character: str) -> str:
    """Name a character for messages: the character itself if visible, else its Unicode name."""
    name = unicodedata.name(character, "")
    if "QUOTATION MARK" in name or character == "'":
        return f"a quotation mark {character}"
    if character.isprintable() and not character.isspace():
        return character
    return f"U+{ord(character):04X}" + (f" ({name.lower()})" if name else "")


def _not_a_value(token: str) -> str:
    meant = token.lower() if token.lower() in _WORDS else _MEANT.get(token.lower())
    if meant:
        return f"write {meant} instead of {token}"
    # The text is not shown: it may be a secret without quotation marks.
    if token[0] in "+-.0123456789":
        return "not a number as JSON writes them, such as 20 or 0.5; put strings in double quotation marks"
    return "not a value: put strings in double quotation marks"

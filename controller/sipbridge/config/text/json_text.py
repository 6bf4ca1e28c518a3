"""What was read from a JSON text: the value, and the place of every value, key and character of a string. Pure."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

Path = tuple[str | int, ...]
"""The way from the root to a value: ``("providers", 0, "name")``."""

# What writes one character of a string: both halves of a surrogate pair, an escape, or the character itself.
_CHARACTER = re.compile(r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|\\[\s\S]|[^\\]")
_STRING_OR_NO_BREAK_SPACE = re.compile(r'"(?:[^"\\]|\\[\s\S])*+"?|\u00a0')


class Mistake(NamedTuple):
    """Where the text is not what it should be (an index), and what to write instead."""

    at: int
    message: str


class ObjectPlace(NamedTuple):
    """Where an object begins, and by name where each name stands and where its value is."""

    start: int
    members: dict[str, tuple[int, Place]]


class ArrayPlace(NamedTuple):
    """Where an array begins, and where its items are."""

    start: int
    items: list[Place]


Place = ObjectPlace | ArrayPlace | int
"""Where a value is; of a text, a number or a word just the index at which it begins."""


@dataclass(frozen=True)
class JsonText:
    """A JSON text that was read.

    Attributes:
        value: dict, list, str, int, float, bool or None; not to be used when there are mistakes.
        mistakes: all that keep `value` from being what was meant.
        duplicates: keys that an object has twice; `value` has the first of them.
        place: where `value` is.
    """

    text: str
    value: object
    mistakes: tuple[Mistake, ...]
    duplicates: tuple[Mistake, ...]
    place: Place

    def index_of(self, path: Path, *, at_key: bool = False, offset: int | None = None) -> int:
        """Where the value at `path` begins.

        Args:
            path: one that does not exist leads to the innermost value around it.
            at_key: the key instead of the value.
            offset: a character of the decoded string there, instead of its opening quotation mark.
        """
        place = self.place
        index = _index(place)
        for depth, step in enumerate(path, 1):
            if isinstance(place, ObjectPlace) and isinstance(step, str) and step in place.members:
                key_index, place = place.members[step]
                index = key_index if at_key and depth == len(path) else _index(place)
            elif isinstance(place, ArrayPlace) and isinstance(step, int) and step < len(place.items):
                place = place.items[step]
                index = _index(place)
            else:
                return index
        return index if offset is None else self._index_in_string(index, offset)

    def line_and_column(self, index: int) -> tuple[int, int]:
        """Line and column of the character at `index`; both from 1, the column in characters."""
        line = bisect_right(self._line_starts, index)
        return line, index - self._line_starts[line - 1] + 1

    @cached_property
    def first_no_break_space(self) -> int | None:
        """Index of the first no-break space that is not part of a string."""
        if "\u00a0" not in self.text:
            return None
        matches = _STRING_OR_NO_BREAK_SPACE.finditer(self.text)
        return next((match.start() for match in matches if match[0] == "\u00a0"), None)

    @cached_property
    def _line_starts(self) -> Sequence[int]:
        return line_starts(self.text)

    def _index_in_string(self, quote: int, offset: int) -> int:
        index = quote + 1
        for _ in range(offset):
            match = _CHARACTER.match(self.text, index)
            if match is None or match[0] == '"':
                break
            index = match.end()
        return index


def line_starts(text: str) -> list[int]:
    """The index at which each line of `text` begins."""
    return [0, *(match.end() for match in re.finditer("\n", text))]


def _index(place: Place) -> int:
    return place if isinstance(place, int) else place.start

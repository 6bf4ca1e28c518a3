"""What was read from a JSON text: the value, and the place of every value, key and character of a string. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from sipbridge.config.text.source_text import Mistake, Path, SourceText

# What writes one character of a string: both halves of a surrogate pair, an escape, or the character itself.
_CHARACTER = re.compile(r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|\\[\s\S]|[^\\]")
_STRING_OR_NO_BREAK_SPACE = re.compile(r'"(?:[^"\\]|\\[\s\S])*+"?|\u00a0')


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
class JsonText(SourceText):
    """A JSON text that was read.

    Attributes:
        value: dict, list, str, int, float, bool or None; not to be used when there are mistakes.
        mistakes: all that keep `value` from being what was meant.
        duplicates: keys that an object has twice; `value` has the first of them.
        place: where `value` is.
    """

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

    @cached_property
    def first_no_break_space(self) -> int | None:
        """Index of the first no-break space that is not part of a string."""
        if "\u00a0" not in self.text:
            return None
        matches = _STRING_OR_NO_BREAK_SPACE.finditer(self.text)
        return next((match.start() for match in matches if match[0] == "\u00a0"), None)

    def _index_in_string(self, quote: int, offset: int) -> int:
        index = quote + 1
        for _ in range(offset):
            match = _CHARACTER.match(self.text, index)
            if match is None or match[0] == '"':
                break
            index = match.end()
        return index


def _index(place: Place) -> int:
    return place if isinstance(place, int) else place.start

"""A parsed JSON text: the value, and the position of every value, key and character of a string. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from sipbridge.config.text.source_text import Mistake, Path, SourceText

# One character of a string: a surrogate pair, an escape, or the character itself.
_CHARACTER = re.compile(r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|\\[\s\S]|[^\\]")
_STRING_OR_NO_BREAK_SPACE = re.compile(r'"(?:[^"\\]|\\[\s\S])*+"?|\u00a0')


class ObjectPlace(NamedTuple):
    """The position of an object, and by name the position of each name and value."""

    start: int
    members: dict[str, tuple[int, Place]]


class ArrayPlace(NamedTuple):
    """The position of an array and of its items."""

    start: int
    items: list[Place]


Place = ObjectPlace | ArrayPlace | int
"""The position of a value; for a string, number or literal just its start index."""


@dataclass(frozen=True)
class JsonText(SourceText):
    """A parsed JSON text.

    Attributes:
        value: dict, list, str, int, float, bool or None; must not be used if there are mistakes.
        mistakes: all syntax errors.
        duplicates: duplicate keys of objects; `value` contains the first of each.
        place: the position of `value`.
    """

    value: object
    mistakes: tuple[Mistake, ...]
    duplicates: tuple[Mistake, ...]
    place: Place

    def index_of(self, path: Path, *, at_key: bool = False, offset: int | None = None) -> int:
        """Return the index at which the value at `path` begins.

        Args:
            path: if it does not exist, the innermost existing value around it is used.
            at_key: return the position of the key instead.
            offset: index of a character of the decoded string, instead of its opening quotation mark.
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
        """Return the index of the first no-break space outside strings."""
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

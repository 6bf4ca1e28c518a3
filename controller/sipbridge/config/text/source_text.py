"""A text with the line and column of every character; shared by the JSON and TOML parsers. Pure."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

Path = tuple[str | int, ...]
"""The path from the root to a value: ``("providers", 0, "name")``."""


class Mistake(NamedTuple):
    """A syntax error: its index, and what to write instead."""

    at: int
    message: str


@dataclass(frozen=True)
class SourceText:
    """A text written by an operator."""

    text: str

    def line_and_column(self, index: int) -> tuple[int, int]:
        """Return line and column of the character at `index`; both from 1, the column in characters."""
        line = bisect_right(self._line_starts, index)
        return line, index - self._line_starts[line - 1] + 1

    @cached_property
    def _line_starts(self) -> Sequence[int]:
        return line_starts(self.text)


def line_starts(text: str) -> list[int]:
    """Return the start index of each line of `text`."""
    return [0, *(match.end() for match in re.finditer("\n", text))]

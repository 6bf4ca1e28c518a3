"""A text, and the line and column of every character in it: what the readers of JSON and TOML share. Pure."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

Path = tuple[str | int, ...]
"""The way from the root to a value: ``("providers", 0, "name")``."""


class Mistake(NamedTuple):
    """Where the text is invalid (an index), and what to write instead."""

    at: int
    message: str


@dataclass(frozen=True)
class SourceText:
    """A text that an operator wrote."""

    text: str

    def line_and_column(self, index: int) -> tuple[int, int]:
        """Line and column of the character at `index`; both from 1, the column in characters."""
        line = bisect_right(self._line_starts, index)
        return line, index - self._line_starts[line - 1] + 1

    @cached_property
    def _line_starts(self) -> Sequence[int]:
        return line_starts(self.text)


def line_starts(text: str) -> list[int]:
    """The index at which each line of `text` begins."""
    return [0, *(match.end() for match in re.finditer("\n", text))]

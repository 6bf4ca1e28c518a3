"""A section of the screen, and the styles. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from rich.text import Text

BAD, WARN, GOOD, DIM = "bold red", "yellow", "green", "dim"
"""Colour only repeats what the words say: many terminals have none."""


@dataclass(frozen=True, slots=True)
class Section:
    """A section of the screen.

    Attributes:
        head: how many of its lines are titles.
    """

    lines: list[Text]
    head: int = 1

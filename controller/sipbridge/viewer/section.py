"""Some lines of a screen, and how they look. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from rich.text import Text

BAD, WARN, GOOD, DIM = "bold red", "yellow", "green", "dim"
"""Colours say nothing that words do not say as well: many terminals have none."""


@dataclass(frozen=True, slots=True)
class Section:
    """Some lines of the screen.

    Attributes:
        head: how many of them are titles.
    """

    lines: list[Text]
    head: int = 1

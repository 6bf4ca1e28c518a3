"""Formats rows of cells as lines of a given width; cuts, then drops, the least important columns. Pure.

Draws no boxes: they would take a third of a small terminal and hinder grep.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from sipbridge.viewer.words import printable

_GAP = 2
_TITLE_STYLE = "bold"


@dataclass(frozen=True, slots=True)
class Column:
    """A column.

    Attributes:
        least: the width in cells to which it may be cut; 0 if it is never cut.
        importance: columns with the lowest importance are dropped first.
    """

    title: str
    right: bool = False
    least: int = 0
    importance: int = 9


@dataclass(frozen=True, slots=True)
class Cell:
    """A text and its style."""

    text: str
    style: str = ""


Row = Sequence[str | Cell]


def format_table(columns: Sequence[Column], rows: Sequence[Row], width: int | None) -> list[Text]:
    """Return a line of titles, then one line per row.

    Args:
        width: the maximum width in cells; None for unlimited.
    """
    cells = [[each if isinstance(each, Cell) else Cell(each) for each in row] for row in rows]
    cells = [[Cell(printable(each.text), each.style) for each in row] for row in cells]
    widths = [
        max([cell_len(column.title), *(cell_len(row[at].text) for row in cells)]) for at, column in enumerate(columns)
    ]
    shown = list(range(len(columns))) if width is None else _that_fit(columns, widths, width)
    titles = [Cell(column.title, _TITLE_STYLE) for column in columns]
    return [_line(columns, row, widths, shown) for row in (titles, *cells)]


def _that_fit(columns: Sequence[Column], widths: list[int], width: int) -> list[int]:
    """Choose the columns that fit, always including the most important one; cut their widths as needed."""
    by_importance = sorted(range(len(columns)), key=lambda at: (-columns[at].importance, at))
    shown = by_importance[:1]
    for at in by_importance[1:]:
        if _fit(columns, list(widths), sorted([*shown, at]), width):
            shown.append(at)
    shown.sort()
    if not _fit(columns, widths, shown, width):
        widths[shown[0]] = max(1, width)
    return shown


def _fit(columns: Sequence[Column], widths: list[int], shown: Sequence[int], width: int) -> bool:
    """Cut the widest columns that may be cut until all fit; return whether they do."""
    excess = sum(widths[at] for at in shown) + _GAP * (len(shown) - 1) - width
    if excess <= 0:
        return True
    least = [max(columns[at].least, cell_len(columns[at].title)) if columns[at].least else widths[at] for at in shown]
    if sum(max(0, widths[at] - low) for at, low in zip(shown, least, strict=True)) < excess:
        return False
    while excess > 0:
        widest = max((at for at, low in zip(shown, least, strict=True) if widths[at] > low), key=lambda at: widths[at])
        widths[widest] -= 1
        excess -= 1
    return True


def _line(columns: Sequence[Column], row: Sequence[Cell], widths: Sequence[int], shown: Sequence[int]) -> Text:
    line = Text(no_wrap=True)
    for place, at in enumerate(shown):
        text = cut(row[at].text, widths[at])
        space = " " * (widths[at] - cell_len(text))
        last = place == len(shown) - 1
        line.append(space + text if columns[at].right else text, row[at].style)
        if not last:
            line.append(("" if columns[at].right else space) + " " * _GAP)
    return line


def cut(text: str, width: int | None) -> str:
    """Cut a text at its end to at most `width` cells."""
    return text if width is None or cell_len(text) <= width else set_cell_size(text, width - 1) + "…"

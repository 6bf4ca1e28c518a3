"""Tables of any width."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from viewer_examples import text

from sipbridge.viewer.table import Cell, Column, cut, format_table
from sipbridge.viewer.words import duration, number, plural, printable

COLUMNS = (
    Column("NAME", least=6),
    Column("N", right=True),
    Column("MORE", least=8, importance=2),
    Column("LESS", importance=1),
)
ROWS = [("a long name", "1", "what there is to say", "x"), ("b", Cell("1,000", "red"), "", "y")]


@pytest.mark.parametrize(
    ("width", "expected"),
    [
        (None, "NAME             N  MORE                  LESS|a long name      1  what there is to say  x"),
        (40, "NAME             N  MORE            LESS|a long name      1  what there is…  x"),
        (30, "NAME         N  MORE      LESS|a long…      1  what th…  x"),
        (24, "NAME         N  MORE|a long…      1  what th…"),
        (20, "NAME         N  LESS|a long…      1  x"),
        (13, "NAME        N|a lon…      1"),
        (5, "NAME|a lo…"),
        (0, "…|…"),
    ],
    ids=str,
)
def test_what_matters_least_is_cut_first_then_left_out(width: int | None, expected: str) -> None:
    assert text(format_table(COLUMNS, ROWS, width)).split("\n")[:2] == expected.split("|")


@given(st.integers(1, 80))
def test_no_line_is_wider_than_it_may_be(width: int) -> None:
    assert max(line.cell_len for line in format_table(COLUMNS, ROWS, width)) <= width


@given(st.text(max_size=30), st.integers(1, 30))
def test_a_cut_text_is_as_wide_as_it_may_be(word: str, width: int) -> None:
    shown = cut(printable(word), width)
    assert cell_len(shown) <= width
    assert cut(printable(word), None) == printable(word)


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0, "0 s"),
        (59.9, "59 s"),
        (60, "1 min"),
        (3_599, "59 min"),
        (3_600, "1 h"),
        (7_500, "2 h 5 min"),
        (86_400, "1 d"),
        (90_000, "1 d 1 h"),
        (1_048_000, "12 d 3 h"),
    ],
)
def test_durations(seconds: float, expected: str) -> None:
    assert duration(seconds) == expected


def test_numbers() -> None:
    assert [number(0), number(1_234)] == ["-", "1,234"]
    assert [plural(1, "call"), plural(0, "call"), plural(1_000, "call")] == ["1 call", "0 calls", "1,000 calls"]


@given(st.text())
def test_what_is_shown_is_printable(word: str) -> None:
    assert printable(word).isprintable()
    assert len(printable(word)) == len(word)

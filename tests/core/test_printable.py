"""Unprintable characters become JSON escapes."""

from __future__ import annotations

import json

import pytest

from sipbridge.core.printable import escape_lines, escape_unprintable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Zoé Ελένη 中文 😀", "Zoé Ελένη 中文 😀"),
        ("a\r\nb", r"a\r\nb"),
        ("\x1b[31m", r"\u001b[31m"),
        ("\x9b31m", r"\u009b31m"),
        ("\u202egnp.exe", r"\u202egnp.exe"),
        ("a\u00a0b", r"a\u00a0b"),
        ("\ufeff\u200b", r"\ufeff\u200b"),
        ("\U000e0041", r"\udb40\udc41"),
    ],
    ids=["letters", "line end", "colour", "colour in one character", "direction", "no-break space", "no width", "tag"],
)
def test_one_line_that_does_nothing(text: str, shown: str) -> None:
    assert escape_unprintable(text) == shown
    assert json.loads(f'"{shown}"') == text


def test_line_ends_that_are_meant_stay() -> None:
    assert escape_lines("{\n  1\x1b\r\n}\n") == "{\n  1\\u001b\\r\n}\n"

"""Formats problems as lines: what is wrong, on whose side, and what to do, as space allows. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from sipbridge.core.observe.problem import Problem, Severity, Side
from sipbridge.viewer.section import BAD, DIM, WARN, Section
from sipbridge.viewer.table import cut
from sipbridge.viewer.words import printable

_SEVERITIES = {Severity.DOWN: ("DOWN", BAD), Severity.WARNING: ("warn", WARN)}


def problems_section(problems: Sequence[Problem], width: int | None, room: int | None) -> Section:
    """Return the lines of all problems; advice is shown for as many problems as space allows."""
    shown = [_what(problem, width, is_whole=True) for problem in problems]
    left = None if room is None else room - sum(map(len, shown))
    if left is not None and left < 0:
        return Section([line for problem in problems for line in _what(problem, width, is_whole=False)], head=0)
    for lines, problem in zip(shown, problems, strict=True):
        advice = _indented(problem.advice, width)
        if left is not None:
            left -= len(advice)
            if left < 0:
                break
        lines += advice
    return Section([line for lines in shown for line in lines], head=0)


def _what(problem: Problem, width: int | None, *, is_whole: bool) -> list[Text]:
    word, style = _SEVERITIES[problem.severity]
    start = f"{word}  {problem.side.value:<{_SIDE_WIDTH}}  "
    what = printable(problem.what)
    room = _room(width)
    pieces = _wrap(what, room) if is_whole else [cut(what, room)]
    return [Text((start if at == 0 else " " * _INDENT) + piece, style, no_wrap=True) for at, piece in enumerate(pieces)]


def _indented(advice: str, width: int | None) -> list[Text]:
    return [Text(" " * _INDENT + piece, DIM, no_wrap=True) for piece in _wrap(printable(advice), _room(width))]


def _room(width: int | None) -> int | None:
    return None if width is None else max(20, width - _INDENT)


_SIDE_WIDTH = max(len(side.value) for side in Side)
_INDENT = len("DOWN  ") + _SIDE_WIDTH + 2


def _wrap(text: str, width: int | None) -> list[str]:
    """Wrap text to lines of at most `width` cells, between words if possible."""
    if width is None:
        return [text]
    lines = [""]
    for word in text.split(" "):
        joined = f"{lines[-1]} {word}" if lines[-1] else word
        if Text(joined).cell_len <= width or not lines[-1]:
            lines[-1] = joined
        else:
            lines.append(word)
    return lines

"""Parses TOML text to Python values, with the positions of keys and values. Pure.

The standard library parses TOML but reports no positions, so keys are searched again in the lines. Only tables and keys
on their own lines are found, not the content of inline tables; settings files are written like that.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sipbridge.config.text.source_text import Mistake, Path, SourceText, line_starts

_KEY = r"""(?:[A-Za-z0-9_-]+|"[^"\n]*"|'[^'\n]*')"""
_DOTTED_KEY = rf"{_KEY}(?:[ \t]*\.[ \t]*{_KEY})*"
_TABLE = re.compile(rf"[ \t]*\[[ \t]*({_DOTTED_KEY})[ \t]*\]")
_ENTRY = re.compile(rf"[ \t]*({_DOTTED_KEY})[ \t]*=[ \t]*")
_PLACE_IN_MESSAGE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")


@dataclass(frozen=True)
class TomlText(SourceText):
    """A parsed TOML text.

    Attributes:
        value: the root table; empty if there is a mistake.
        mistake: the syntax error, if any.
    """

    value: dict[str, Any]
    mistake: Mistake | None

    def index_of(self, path: Path, *, at_key: bool = False, offset: int | None = None) -> int:
        """Return where the value at `path`, or its key, begins; if it is not found, where its parent begins.

        Args:
            offset: ignored: the position is always the beginning of the value.
        """
        while path and path not in self._places:
            path = path[:-1]
        key, value = self._places.get(path, (0, 0))
        return key if at_key else value

    @cached_property
    def _places(self) -> dict[Path, tuple[int, int]]:
        places: dict[Path, tuple[int, int]] = {}
        table: Path = ()
        start = 0
        for line in self.text.splitlines(keepends=True):
            if match := _TABLE.match(line):
                table = _keys(match[1])
                places.setdefault(table, (start + match.start(1), start + match.start(1)))
            elif match := _ENTRY.match(line):
                places.setdefault((*table, *_keys(match[1])), (start + match.start(1), start + match.end()))
            start += len(line)
        return places


def parse_toml(text: str) -> TomlText:
    """Parse a TOML text; parsing ends at the first mistake."""
    try:
        return TomlText(text, tomllib.loads(text), None)
    except tomllib.TOMLDecodeError as error:
        return TomlText(text, {}, _mistake(text, str(error)))
    except RecursionError:
        return TomlText(text, {}, Mistake(0, "arrays or tables are nested too deeply"))
    except ValueError:
        # The error of int() for too many digits, which tomllib passes on without a position.
        return TomlText(text, {}, Mistake(0, "a number has too many digits"))


def _mistake(text: str, message: str) -> Mistake:
    place = _PLACE_IN_MESSAGE.search(message)
    at = len(text)
    if place and place[1]:
        at = line_starts(text)[int(place[1]) - 1] + int(place[2]) - 1
    reason = message[: place.start()] if place else message
    return Mistake(at, reason[:1].lower() + reason[1:])


def _keys(dotted: str) -> Path:
    return tuple(match[0].strip("\"'") for match in re.finditer(_KEY, dotted))

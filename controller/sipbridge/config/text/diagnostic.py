"""What is wrong with a file, and where, becomes a line that an editor can jump to. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from sipbridge.config.text.json_text import JsonText
from sipbridge.config.text.source_text import Path
from sipbridge.core.printable import escape_unprintable


class Severity(Enum):
    """How bad it is: a file with an error is not used, one with warnings is, and so is the rest of one that skips."""

    ERROR = "error"
    SKIPPED = "skipped"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One finding about one place of a file: ``providers.json:14:17: error: …``.

    Attributes:
        file: its name; the name of a variable when it is about the environment.
        line: from 1; 0 when there is no line to point at.
        column: in characters, not bytes, from 1.
        message: what is wrong and what to write instead; it never holds a secret.
    """

    file: str
    line: int
    column: int
    severity: Severity
    message: str

    def __str__(self) -> str:
        place = f":{self.line}:{self.column}" if self.line else ""
        line = f"{self.file}{place}: {self.severity.value}: {self.message}"
        # A name from the file may hold anything: neither a second line nor a terminal's control sequence comes of it.
        return escape_unprintable(line)

    @property
    def is_error(self) -> bool:
        """Whether it keeps the file from being used."""
        return self.severity is Severity.ERROR


class Report:
    """Collects what is found in one JSON file.

    Args:
        file: its name, for the messages.
        source: the text that paths are looked up in.

    Attributes:
        original_path: where in `source` the value at a path stands, when paths are those of something made from it.
    """

    def __init__(self, file: str, source: JsonText) -> None:
        self.file = file
        self.source = source
        self.original_path: Callable[[Path], Path] = lambda path: path
        self._found: list[Diagnostic] = []
        self._indexes: set[int] = set()

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """Everything found so far, in the order of the file."""
        return tuple(sorted(dict.fromkeys(self._found), key=lambda found: (found.line, found.column)))

    def error(self, path: Path, message: str, *, at_key: bool = False, offset: int | None = None) -> None:
        """Note an error about the value at `path`; `at_key` and `offset` are those of `JsonText.index_of`."""
        self.add(Severity.ERROR, self._index_of(path, at_key, offset), message)

    def warning(self, path: Path, message: str, *, at_key: bool = False, offset: int | None = None) -> None:
        """Note a warning, likewise."""
        self.add(Severity.WARNING, self._index_of(path, at_key, offset), message)

    def skip(self, path: Path, message: str, *, offset: int | None = None) -> None:
        """Note what keeps an item of the file from being used, but not the others; likewise."""
        self.add(Severity.SKIPPED, self._index_of(path, offset=offset), message)

    def add(self, severity: Severity, index: int, message: str) -> None:
        """Note something about the character at `index` of the text."""
        line, column = self.source.line_and_column(index)
        self._indexes.add(index)
        self._found.append(Diagnostic(self.file, line, column, severity, message))

    def knows(self, path: Path) -> bool:
        """Whether something was noted about the value at `path` already."""
        return self._index_of(path) in self._indexes

    def line_of(self, path: Path) -> int:
        """The line on which the value at `path` begins."""
        return self.source.line_and_column(self._index_of(path))[0]

    def _index_of(self, path: Path, at_key: bool = False, offset: int | None = None) -> int:
        return self.source.index_of(self.original_path(path), at_key=at_key, offset=offset)

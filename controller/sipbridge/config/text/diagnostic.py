"""Collects errors and warnings about a file, with positions in a format that editors understand. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from sipbridge.config.text.json_text import JsonText
from sipbridge.config.text.source_text import Path
from sipbridge.core.printable import escape_unprintable


class Severity(Enum):
    """The severity: a file with an error is not used; a file with warnings, or with skipped accounts, is."""

    ERROR = "error"
    SKIPPED = "skipped"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """An error or warning with its position: ``providers.json:14:17: error: …``.

    Attributes:
        file: the name of the file, or of an environment variable.
        line: from 1; 0 if there is no line.
        column: in characters, not bytes, from 1.
        message: what is wrong and what to write instead; never contains a secret.
    """

    file: str
    line: int
    column: int
    severity: Severity
    message: str

    def __str__(self) -> str:
        place = f":{self.line}:{self.column}" if self.line else ""
        line = f"{self.file}{place}: {self.severity.value}: {self.message}"
        # Names from the file may contain anything, so line ends and control sequences are escaped.
        return escape_unprintable(line)

    @property
    def is_error(self) -> bool:
        """Whether it prevents the use of the file."""
        return self.severity is Severity.ERROR


class Report:
    """Collects the diagnostics of one JSON file.

    Args:
        file: its name, for messages.
        source: the text in which paths are looked up.

    Attributes:
        original_path: maps a path to the path in `source`, if the checked value was converted from it.
    """

    def __init__(self, file: str, source: JsonText) -> None:
        self.file = file
        self.source = source
        self.original_path: Callable[[Path], Path] = lambda path: path
        self._found: list[Diagnostic] = []
        self._indexes: set[int] = set()

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """All diagnostics so far, in the order of the file."""
        return tuple(sorted(dict.fromkeys(self._found), key=lambda found: (found.line, found.column)))

    def error(self, path: Path, message: str, *, at_key: bool = False, offset: int | None = None) -> None:
        """Add an error about the value at `path`; `at_key` and `offset` are those of `JsonText.index_of`."""
        self.add(Severity.ERROR, self._index_of(path, at_key, offset), message)

    def warning(self, path: Path, message: str, *, at_key: bool = False, offset: int | None = None) -> None:
        """Add a warning, in the same way."""
        self.add(Severity.WARNING, self._index_of(path, at_key, offset), message)

    def skip(self, path: Path, message: str, *, offset: int | None = None) -> None:
        """Add a diagnostic that prevents the use of one item only, in the same way."""
        self.add(Severity.SKIPPED, self._index_of(path, offset=offset), message)

    def add(self, severity: Severity, index: int, message: str) -> None:
        """Add a diagnostic about the character at `index` of the text."""
        line, column = self.source.line_and_column(index)
        self._indexes.add(index)
        self._found.append(Diagnostic(self.file, line, column, severity, message))

    def knows(self, path: Path) -> bool:
        """Return whether there is a diagnostic about the value at `path`."""
        return self._index_of(path) in self._indexes

    def line_of(self, path: Path) -> int:
        """Return the line on which the value at `path` begins."""
        return self.source.line_and_column(self._index_of(path))[0]

    def _index_of(self, path: Path, at_key: bool = False, offset: int | None = None) -> int:
        return self.source.index_of(self.original_path(path), at_key=at_key, offset=offset)

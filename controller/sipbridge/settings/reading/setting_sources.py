"""A settings file and the environment become one set of checked values, each knowing where it came from. Pure."""

from __future__ import annotations

import pathlib
from collections.abc import Callable, Mapping
from typing import Any

from sipbridge.config.schema import unknown_name
from sipbridge.config.text.diagnostic import Diagnostic, Severity
from sipbridge.config.text.source_text import Path
from sipbridge.config.text.toml_text import TomlText, parse_toml
from sipbridge.settings.reading.setting_values import Kind, convert

_Tell = Callable[[Severity, str], Diagnostic]


class SettingSources:
    """Collects settings from one source after the other; a later one goes before an earlier one.

    Args:
        kinds: every setting there is, by its path: ``("event_socket", "port")``.
        prefix: of the variables of the environment that are settings: ``SIPBRIDGE_``.

    Attributes:
        values: what was given and is in order.
        diagnostics: what was found so far.
    """

    def __init__(self, kinds: Mapping[Path, Kind], prefix: str) -> None:
        self.values: dict[Path, Any] = {}
        self.diagnostics: list[Diagnostic] = []
        self._kinds = kinds
        self._prefix = prefix
        self._tell: dict[Path, _Tell] = {}

    def read_toml(self, text: str, file: pathlib.Path) -> None:
        """Take the settings from the text of a file."""
        toml = parse_toml(text)
        if toml.mistake:
            place = toml.line_and_column(toml.mistake.at)
            self.diagnostics.append(Diagnostic(str(file), *place, Severity.ERROR, toml.mistake.message))
        self._read_table(toml, toml.value, (), file)

    def read_environment(self, environ: Mapping[str, str], ignored: str) -> None:
        """Read settings from the environment; the variable `ignored` is not a setting, despite its prefix."""
        names = {self.variable(path): path for path in self._kinds}
        for name, text in environ.items():
            if not name.startswith(self._prefix) or name == ignored:
                continue
            tell = self._teller(name)
            if name in names:
                self._take(names[name], text, None, tell)
            else:
                self.diagnostics.append(tell(Severity.ERROR, unknown_name("setting", name, names)))

    def has(self, path: Path) -> bool:
        """Whether something, be it wrong, was given for a setting."""
        return path in self._tell

    def drop(self, *paths: Path) -> None:
        """Forget what was given for these settings so far."""
        for path in paths:
            self.values.pop(path, None)
            self._tell.pop(path, None)

    def tell(self, path: Path, severity: Severity, message: str) -> None:
        """Report something about a setting, where it came from; for one that was not given, at its variable."""
        tell = self._tell.get(path, self._teller(self.variable(path)))
        self.diagnostics.append(tell(severity, message))

    def convert(self, path: Path, text: str) -> Any:
        """What a setting holds when a text such as the environment's is given for it.

        Raises:
            ValueError: what it must be instead.
        """
        return convert(self._kinds[path], text, None)

    def variable(self, path: Path) -> str:
        """The variable of the environment for a setting: ``SIPBRIDGE_EVENT_SOCKET__PORT``."""
        return self._prefix + "__".join(str(step).upper() for step in path)

    @staticmethod
    def _teller(variable: str) -> _Tell:
        return lambda severity, message: Diagnostic(variable, 0, 0, severity, message)

    def _read_table(self, toml: TomlText, table: Mapping[str, Any], prefix: Path, file: pathlib.Path) -> None:
        depth = len(prefix)
        known = dict.fromkeys(str(path[depth]) for path in self._kinds if path[:depth] == prefix)
        for name, value in table.items():
            path = (*prefix, name)

            def tell(severity: Severity, message: str, path: Path = path, at_key: bool = False) -> Diagnostic:
                place = toml.line_and_column(toml.index_of(path, at_key=at_key))
                return Diagnostic(str(file), *place, severity, message)

            if name not in known:
                where = f" in [{'.'.join(map(str, prefix))}]" if prefix else ""
                message = unknown_name("setting", name, known, where)
                self.diagnostics.append(tell(Severity.ERROR, message, at_key=True))
            elif path in self._kinds:
                self._take(path, value, file.parent, tell)
            elif isinstance(value, dict):
                self._read_table(toml, value, path, file)
            else:
                message = f'"{name}" is a table: write [{".".join(map(str, path))}] and its settings on lines below'
                self.diagnostics.append(tell(Severity.ERROR, message))

    def _take(self, path: Path, given: Any, folder: pathlib.Path | None, tell: _Tell) -> None:
        self._tell[path] = tell
        try:
            self.values[path] = convert(self._kinds[path], given, folder)
        except ValueError as error:
            self.values.pop(path, None)
            subject = "" if folder is None else f'"{path[-1]}" '
            self.diagnostics.append(tell(Severity.ERROR, f"{subject}{error}"))

"""What the commands share: the settings they read, the daemon they ask, and how they fail."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import click

from sipbridge.adapters.control.control_socket import ControlError, ask
from sipbridge.config.load import LoadResult
from sipbridge.config.text.diagnostic import Diagnostic
from sipbridge.core.bridge_config import BridgeConfig
from sipbridge.core.errors import SipBridgeError
from sipbridge.core.observe.snapshot_json import from_json
from sipbridge.core.printable import escape_lines
from sipbridge.settings import PREFIX, Settings, load_settings

_T = TypeVar("_T")

SETTINGS_FILE = Path("/etc/sipbridge/sipbridge.toml")


class Failed(click.ClickException):
    """Something that the operator has to mend: its message, and nothing else, goes to standard error."""

    def show(self, file: Any = None) -> None:
        """Print the message."""
        click.echo(escape_lines(self.message), err=True)


settings_option = click.option(
    "--settings",
    "settings_file",
    type=click.Path(path_type=Path, dir_okay=False),
    envvar="SIPBRIDGE_SETTINGS",
    help=f"The settings file.  [default: {SETTINGS_FILE}, if there is one]",
)

no_edge_option = click.option("--no-edge", is_flag=True, help="As if there were no edge beside FreeSWITCH.")

EDGE_ASSUMED = "without a settings file, an edge beside FreeSWITCH is assumed; --no-edge checks without one"
_EDGE_ENABLED = f"{PREFIX}EDGE__ENABLED"


def settings_path(file: Path | None) -> Path | None:
    """The settings file: that one, or the one where it usually is, or none."""
    return file or (SETTINGS_FILE if SETTINGS_FILE.exists() else None)


def settings_from(file: Path | None, *, for_run: bool = False) -> Settings:
    """The settings of that file, or of the one where it usually is, and of the environment.

    Raises:
        Failed: they cannot be used.
    """
    return _load(settings_path(file), os.environ, for_run=for_run)


def settings_to_check_with(file: Path | None, *, no_edge: bool) -> tuple[Settings, bool]:
    """Likewise; without a settings file there is no telling whether there is an edge, and one is assumed.

    Returns:
        The settings, and whether the edge is an assumption.

    Raises:
        Failed: they cannot be used.
    """
    path = settings_path(file)
    is_assumed = path is None and not no_edge and _EDGE_ENABLED not in os.environ
    environ = dict(os.environ)
    if no_edge or is_assumed:
        environ[_EDGE_ENABLED] = "false" if no_edge else "true"
    return _load(path, environ, passwords=False), is_assumed


def control_socket(file: Path | None) -> Path:
    """Where the daemon with these settings is reached.

    Raises:
        Failed: they cannot be used.
    """
    return _load(settings_path(file), os.environ, passwords=False).control.socket


def _load(path: Path | None, environ: Mapping[str, str], *, for_run: bool = False, passwords: bool = True) -> Settings:
    try:
        return load_settings(path, environ, for_run=for_run, passwords=passwords)
    except SipBridgeError as error:
        raise Failed(str(error)) from error


def ask_daemon(
    settings_file: Path | None, command: str, arguments: Mapping[str, Any] | None = None, *, timeout_s: float = 10.0
) -> Any:
    """The answer of the daemon that runs.

    Raises:
        Failed: there is none, or it refuses.
    """
    try:
        return ask(control_socket(settings_file), command, arguments, timeout_s=timeout_s)
    except ControlError as error:
        raise Failed(f"sipbridge: error: {error}") from error


def told_as(wanted: type[_T], told: Any) -> _T:
    """What the daemon has told.

    Raises:
        Failed: that is not what this version reads.
    """
    try:
        return from_json(wanted, told)
    except SipBridgeError as error:
        raise Failed(f"sipbridge: error: the bridge that runs is of another version: {error}") from error


def config_or_exit(result: LoadResult) -> BridgeConfig:
    """The configuration, after its errors and warnings are printed; with errors, the end."""
    for found in result.diagnostics:
        print_diagnostic(found)
    if result.config is None:
        sys.exit(1)
    return result.config


def print_diagnostic(found: Diagnostic) -> None:
    """Print an error or a warning to standard error."""
    click.echo(str(found), err=True)


def print_json(value: Any, *, indent: int | None = 2, separators: tuple[str, str] | None = None) -> None:
    """Print what a daemon or a check has told: letters of any language as they are, what cannot be printed escaped."""
    click.echo(escape_lines(json.dumps(value, indent=indent, separators=separators, ensure_ascii=False)))


def count(number: int, what: str) -> str:
    """A number of things: ``1 account``, ``2 accounts``."""
    return f"{number} {what}{'' if number == 1 else 's'}"

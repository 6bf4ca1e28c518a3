"""Shared by the commands: loads settings, queries the daemon, and reports failures."""

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
    """A problem the operator has to fix; only its message is printed, to standard error."""

    def show(self, file: Any = None) -> None:
        """Print the message."""
        click.echo(escape_lines(self.message), err=True)


settings_option = click.option(
    "--settings",
    "settings_file",
    type=click.Path(path_type=Path, dir_okay=False),
    envvar="SIPBRIDGE_SETTINGS",
    help=f"The settings file.  [default: {SETTINGS_FILE}, if it exists]",
)

no_edge_option = click.option("--no-edge", is_flag=True, help="Assume there is no edge beside FreeSWITCH.")

EDGE_ASSUMED = "no settings file: assuming an edge beside FreeSWITCH; use --no-edge to check without one"
_EDGE_ENABLED = f"{PREFIX}EDGE__ENABLED"


def settings_path(file: Path | None) -> Path | None:
    """Return `file`, else the default settings file if it exists, else None."""
    return file or (SETTINGS_FILE if SETTINGS_FILE.exists() else None)


def settings_from(file: Path | None, *, for_run: bool = False) -> Settings:
    """Load the settings from `file` (or the default file) and the environment.

    Raises:
        Failed: the settings are invalid.
    """
    return _load(settings_path(file), os.environ, for_run=for_run)


def settings_to_check_with(file: Path | None, *, no_edge: bool) -> tuple[Settings, bool]:
    """Load the settings for a check. Without a settings file, whether there is an edge is unknown: assume one.

    Returns:
        The settings, and whether the edge is an assumption.

    Raises:
        Failed: the settings are invalid.
    """
    path = settings_path(file)
    is_assumed = path is None and not no_edge and _EDGE_ENABLED not in os.environ
    environ = dict(os.environ)
    if no_edge or is_assumed:
        environ[_EDGE_ENABLED] = "false" if no_edge else "true"
    return _load(path, environ, passwords=False), is_assumed


def control_socket(file: Path | None) -> Path:
    """Return the path of the daemon's control socket.

    Raises:
        Failed: the settings are invalid.
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
    """Send a command to the running daemon and return its answer.

    Raises:
        Failed: no daemon is running, or it refused the command.
    """
    try:
        return ask(control_socket(settings_file), command, arguments, timeout_s=timeout_s)
    except ControlError as error:
        raise Failed(f"sipbridge: error: {error}") from error


def told_as(wanted: type[_T], told: Any) -> _T:
    """Decode an answer of the daemon.

    Raises:
        Failed: the daemon is a different version, and its answer cannot be decoded.
    """
    try:
        return from_json(wanted, told)
    except SipBridgeError as error:
        raise Failed(f"sipbridge: error: the running daemon is a different version: {error}") from error


def config_or_exit(result: LoadResult) -> BridgeConfig:
    """Print all errors and warnings; return the configuration, or exit with status 1 if there were errors."""
    for found in result.diagnostics:
        print_diagnostic(found)
    if result.config is None:
        sys.exit(1)
    return result.config


def print_diagnostic(found: Diagnostic) -> None:
    """Print an error or a warning to standard error."""
    click.echo(str(found), err=True)


def print_json(value: Any, *, indent: int | None = 2, separators: tuple[str, str] | None = None) -> None:
    """Print JSON; printable characters of any language stay as they are, unprintable ones are escaped."""
    click.echo(escape_lines(json.dumps(value, indent=indent, separators=separators, ensure_ascii=False)))


def count(number: int, what: str) -> str:
    """Return a count with its noun: ``1 account``, ``2 accounts``."""
    return f"{number} {what}{'' if number == 1 else 's'}"

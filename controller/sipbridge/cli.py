"""The command line: arguments become calls, results become text, problems become one message and exit code 1."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from sipbridge.adapters.control_socket import ControlError, ask
from sipbridge.adapters.sql_accounts import SqlAccounts
from sipbridge.app import App
from sipbridge.config.diagnostic import Diagnostic, Severity
from sipbridge.config.load import BridgeConfig, LoadResult, load_providers
from sipbridge.core.call import CallRequest
from sipbridge.core.errors import SipBridgeError
from sipbridge.core.provider import SqlLoader
from sipbridge.demo import run_demo
from sipbridge.explain import explain as explain_call
from sipbridge.settings import Settings, load_settings

_SETTINGS_FILE = Path("/etc/sipbridge/sipbridge.toml")
_RELOAD_TIMEOUT_S = 600.0
"""A million accounts take a minute."""


class _Failed(click.ClickException):
    """Something that the operator has to mend: its message, and nothing else, goes to standard error."""

    def show(self, file: Any = None) -> None:
        click.echo(self.message, err=True)


_settings_option = click.option(
    "--settings",
    "settings_file",
    type=click.Path(path_type=Path, dir_okay=False),
    envvar="SIPBRIDGE_SETTINGS",
    help=f"The settings file.  [default: {_SETTINGS_FILE}, if there is one]",
)
_providers_argument = click.argument("file", type=click.Path(path_type=Path))


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="sipbridge")
def cli() -> None:
    """Bridge SIP calls to other domains and providers, on FreeSWITCH."""


@cli.command()
@_settings_option
def run(settings_file: Path | None) -> None:
    """Run the bridge, until SIGTERM.

    SIGHUP reads the providers file again, as `sipbridge reload` does. SIGTERM and SIGINT refuse new calls, wait for
    those in progress (drain_timeout_s), unregister accounts and end; a second one cuts the wait short.
    """
    settings = _settings(settings_file, for_run=True)
    for warning in settings.warnings:
        _print_diagnostic(warning)
    logging.basicConfig(
        level=settings.logging.level.name,
        stream=sys.stderr,
        format="%(asctime)s %(levelname)-8s %(name)s: %(message)s",
    )
    if settings.providers_file is None:
        raise AssertionError("settings for run without a providers file")
    config = _config(load_providers(settings.providers_file, settings.media_defaults))
    try:
        App(settings, config).run()
    except (ControlError, OSError) as error:
        raise _Failed(f"sipbridge: error: {error}") from error


@cli.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print what was found as JSON.")
@click.option("--connect", is_flag=True, help="Read the databases too, and tell what is wrong with queries and rows.")
@_settings_option
def check(files: tuple[Path, ...], as_json: bool, connect: bool, settings_file: Path | None) -> None:
    """Check providers files: all errors and warnings, each with its place.

    Exit status 1 if there is any error.
    """
    defaults = _settings(settings_file).media_defaults
    results = {file: load_providers(file, defaults) for file in files}
    if as_json:
        click.echo(
            json.dumps([_as_json(found) for result in results.values() for found in result.diagnostics], indent=2)
        )
    else:
        for file, result in results.items():
            for found in result.diagnostics:
                _print_diagnostic(found)
            click.echo(_summary(file, result))
    # All of them are asked, whatever comes of the first.
    answered = [_read_databases(file, result.config) for file, result in results.items() if connect and result.config]
    if not all(answered) or any(result.config is None for result in results.values()):
        sys.exit(1)


@cli.command()
@_providers_argument
@click.option("--request-uri", required=True, metavar="URI", help="Request-URI of the call.")
@click.option("--from", "from_", required=True, metavar="ADDRESS", help="Its From: a URI, or a name and a URI.")
@click.option("--to", required=True, metavar="ADDRESS", help="Its To, likewise.")
@click.option("--json", "as_json", is_flag=True, help="Print the decision as JSON.")
@_settings_option
def explain(file: Path, request_uri: str, from_: str, to: str, as_json: bool, settings_file: Path | None) -> None:
    """Tell what would become of a call, and why, with every account registered and free."""
    settings = _settings(settings_file)
    config = _config(load_providers(file, settings.media_defaults))
    told = explain_call(
        config,
        CallRequest(request_uri, from_, to),
        settings.media_defaults,
        settings.calls.status_lines,
        settings.sofia.provider_profile,
    )
    if as_json:
        click.echo(json.dumps(told, indent=2, ensure_ascii=False))
    else:
        _print_explanation(told)


@cli.command()
@_settings_option
def info(settings_file: Path | None) -> None:
    """Print the state of the running bridge: every provider, and the accounts of its pool."""
    result = _ask(settings_file, "info")
    click.echo(json.dumps(result, indent=8, ensure_ascii=False, separators=(",", " : ")))


@cli.command()
@click.option("--dry-run", is_flag=True, help="Show what would change, and change nothing.")
@_settings_option
def reload(dry_run: bool, settings_file: Path | None) -> None:
    """Have the running bridge read its providers file again.

    Shows what changes; nothing else is touched, and calls in progress go on. A file with errors is not used: they are
    shown, the exit status is 1, and all stays as it is. Settings (sipbridge.toml) are read at the start only.
    """
    result = _ask(settings_file, "reload", {"dry_run": dry_run}, timeout_s=_RELOAD_TIMEOUT_S)
    for found in result["diagnostics"]:
        click.echo(found, err=True)
    if result["plan"] is None:
        raise _Failed("sipbridge: error: the file has errors; what was in use stays in use")
    click.echo(result["plan"])


@cli.command()
@click.option("--provider", metavar="NAME", help="Only this provider: its calls are declined with 503.")
@click.option("--account", metavar="SIP-URI", help="Only this account, likewise.")
@click.option("--undo", is_flag=True, help="Take calls again.")
@_settings_option
def drain(provider: str | None, account: str | None, undo: bool, settings_file: Path | None) -> None:
    """Take no new calls; those in progress go on.

    Without an option no calls at all: FreeSWITCH answers them with 503 itself. It holds until --undo, or a restart of
    the bridge; a reload does not change it.
    """
    if provider is not None and account is not None:
        raise click.UsageError("--provider and --account exclude each other")
    given = {"provider": provider, "account": account, "undo": undo}
    arguments = {name: value for name, value in given.items() if value is not None}
    click.echo(_ask(settings_file, "drain", arguments))


@cli.command()
@_settings_option
def status(settings_file: Path | None) -> None:
    """Print how the running bridge is doing, in counts: calls, and every pool with its database."""
    click.echo(json.dumps(_ask(settings_file, "status"), indent=2, ensure_ascii=False))


@cli.command()
@click.option("--calls", default=200, show_default=True, type=click.IntRange(1, 100_000), help="How many calls.")
@click.option("--rate", default=50.0, show_default=True, type=click.FloatRange(0.1, 2_000), help="Calls per second.")
def demo(calls: int, rate: float) -> None:
    """Carry calls through a simulated FreeSWITCH, and show what became of them."""
    # What goes wrong on purpose is a warning, and shown in the tables.
    logging.basicConfig(level=logging.ERROR, stream=sys.stderr)
    sys.exit(0 if run_demo(calls, rate) else 1)


def main() -> None:
    """Run the command line."""
    cli(prog_name="sipbridge")


def _settings(file: Path | None, *, for_run: bool = False) -> Settings:
    path = file or (_SETTINGS_FILE if _SETTINGS_FILE.exists() else None)
    try:
        return load_settings(path, os.environ, for_run=for_run)
    except SipBridgeError as error:
        raise _Failed(str(error)) from error


def _ask(
    settings_file: Path | None, command: str, arguments: Mapping[str, Any] | None = None, *, timeout_s: float = 10.0
) -> Any:
    try:
        return ask(_settings(settings_file).control.socket, command, arguments, timeout_s=timeout_s)
    except ControlError as error:
        raise _Failed(f"sipbridge: error: {error}") from error


def _config(result: LoadResult) -> BridgeConfig:
    for found in result.diagnostics:
        _print_diagnostic(found)
    if result.config is None:
        sys.exit(1)
    return result.config


def _read_databases(file: Path, config: BridgeConfig) -> bool:
    """Read every pool that is in a database, and print how it went; whether all could be read."""
    went_well = True
    for name, pool in config.pools.items():
        if not isinstance(pool.loader, SqlLoader):
            continue
        probe = SqlAccounts(name, pool.loader).probe()
        for problem in probe.problems:
            click.echo(f"{file}: pool {name}: {problem}", err=True)
        click.echo(
            f"{file}: pool {name}: {_count(probe.accounts, 'account')}, {_count(len(probe.problems), 'problem')}"
        )
        went_well = went_well and not probe.problems
    return went_well


def _print_diagnostic(found: Diagnostic) -> None:
    click.echo(str(found), err=True)


def _as_json(found: Diagnostic) -> dict[str, Any]:
    return {
        "file": found.file,
        "line": found.line,
        "column": found.column,
        "severity": found.severity.value,
        "message": found.message,
    }


def _summary(file: Path, result: LoadResult) -> str:
    errors = sum(1 for found in result.diagnostics if found.severity is Severity.ERROR)
    warnings = len(result.diagnostics) - errors
    counts = f"{_count(errors, 'error')}, {_count(warnings, 'warning')}"
    if result.config is None:
        return f"{file}: not valid: {counts}"
    pools = result.config.pools.values()
    accounts = sum(len(pool.loader) for pool in pools if isinstance(pool.loader, tuple))
    return (
        f"{file}: valid ({counts}): {_count(len(result.config.providers), 'provider')}, "
        f"{_count(len(pools), 'account pool')}, {_count(accounts, 'account')} in the file"
    )


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _print_explanation(told: dict[str, Any]) -> None:
    console = Console()
    bridged = told["decision"] == "bridge"
    console.print(Text(told["decision"].upper(), style="bold green" if bridged else "bold red"))
    facts = Table.grid(padding=(0, 2))
    for name in ("provider", "account", "request_uri", "to", "from", "next_hop", "sip_status", "dial_string"):
        if told[name] is not None:
            facts.add_row(Text(name.replace("_", " "), style="dim"), Text(told[name], overflow="fold"))
    console.print(facts)
    console.print()
    for number, step in enumerate(told["trace"], 1):
        detail = f": {step['detail']}" if step["detail"] else ""
        console.print(Text(f"{number}. {step['provider'] or 'In the end'}: {step['verdict']}{detail}"))

"""``sipbridge check``: providers files, and with ``--connect`` their databases, become a list of what is wrong."""

from __future__ import annotations

import contextlib
import json
import sys
from pathlib import Path
from typing import Any

import click

from sipbridge.adapters.sql_accounts import SqlAccounts
from sipbridge.cli.common import count, print_diagnostic, settings_from, settings_option
from sipbridge.config.diagnostic import Diagnostic, Severity
from sipbridge.config.load import BridgeConfig, LoadResult, load_providers
from sipbridge.core.provider import SqlLoader


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print what was found as JSON.")
@click.option("--connect", is_flag=True, help="Read the databases too, and tell what is wrong with queries and rows.")
@settings_option
def check(files: tuple[Path, ...], as_json: bool, connect: bool, settings_file: Path | None) -> None:
    """Check providers files: all errors and warnings, each with its place.

    Exit status 1 if there is any error.
    """
    defaults = settings_from(settings_file).media_defaults
    results = {file: load_providers(file, defaults) for file in files}
    if as_json:
        click.echo(
            json.dumps([_as_json(found) for result in results.values() for found in result.diagnostics], indent=2)
        )
    else:
        for file, result in results.items():
            for found in result.diagnostics:
                print_diagnostic(found)
            click.echo(_summary(file, result))
    # All of them are asked, whatever comes of the first.
    answered = [_read_databases(file, result.config) for file, result in results.items() if connect and result.config]
    if not all(answered) or any(result.config is None for result in results.values()):
        sys.exit(1)


def _read_databases(file: Path, config: BridgeConfig) -> bool:
    """Read every pool that is in a database, and print how it went; whether all could be read."""
    went_well = True
    for name, pool in config.pools.items():
        if not isinstance(pool.loader, SqlLoader):
            continue
        with contextlib.closing(SqlAccounts(name, pool.loader)) as source:
            probe = source.probe()
        for problem in probe.problems:
            click.echo(f"{file}: pool {name}: {problem}", err=True)
        click.echo(f"{file}: pool {name}: {count(probe.accounts, 'account')}, {count(len(probe.problems), 'problem')}")
        went_well = went_well and not probe.problems
    return went_well


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
    counts = f"{count(errors, 'error')}, {count(warnings, 'warning')}"
    if result.config is None:
        return f"{file}: not valid: {counts}"
    pools = result.config.pools.values()
    accounts = sum(len(pool.loader) for pool in pools if isinstance(pool.loader, tuple))
    return (
        f"{file}: valid ({counts}): {count(len(result.config.providers), 'provider')}, "
        f"{count(len(pools), 'account pool')}, {count(accounts, 'account')} in the file"
    )

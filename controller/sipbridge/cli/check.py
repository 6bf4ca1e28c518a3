"""``sipbridge check``: providers files, and with ``--connect`` their databases, become a list of what is wrong."""

from __future__ import annotations

import contextlib
import json
import sys
from pathlib import Path
from typing import Any

import click

from sipbridge.adapters.sql.sql_accounts import SqlAccounts
from sipbridge.cli.common import (
    EDGE_ASSUMED,
    Failed,
    count,
    no_edge_option,
    print_diagnostic,
    settings_option,
    settings_to_check_with,
)
from sipbridge.config.load import LoadResult, load_providers
from sipbridge.config.text.diagnostic import Diagnostic
from sipbridge.core.bridge_config import BridgeConfig
from sipbridge.core.printable import escape_unprintable
from sipbridge.core.providers.provider import SqlLoader
from sipbridge.explain import explain_edge
from sipbridge.settings import Settings


@click.command()
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print what was found as JSON.")
@click.option("--connect", is_flag=True, help="Read the databases too, and tell what is wrong with queries and rows.")
@no_edge_option
@settings_option
def check(files: tuple[Path, ...], as_json: bool, connect: bool, no_edge: bool, settings_file: Path | None) -> None:
    """Check providers files: all errors and warnings, each with its place, and what goes through the edge.

    Without FILES, the settings and the providers file that they name. An account that is invalid, or there twice, is
    skipped when the bridge reads the file, as a row of a database is; this command then ends with status 1.
    """
    settings, edge_is_assumed = settings_to_check_with(settings_file, no_edge=no_edge)
    checked = files or _file_of(settings)
    results = {
        file: load_providers(file, settings.media_defaults, settings.edge.edge, settings.unknown_fields.severity)
        for file in checked
    }
    if as_json:
        click.echo(
            json.dumps([_as_json(found) for result in results.values() for found in result.diagnostics], indent=2)
        )
    else:
        for file, result in results.items():
            for found in result.diagnostics:
                print_diagnostic(found)
            click.echo(_summary(file, result))
            through_edge = list(explain_edge(result.config, settings.media_defaults)) if result.config else []
            for line in through_edge:
                click.echo(f"{file}: {line}")
            if through_edge and edge_is_assumed:
                click.echo(EDGE_ASSUMED, err=True)
    # All of them are asked, whatever comes of the first.
    answered = [_read_databases(file, result.config) for file, result in results.items() if connect and result.config]
    if not all(answered) or any(result.config is None or result.skipped for result in results.values()):
        sys.exit(1)


def _file_of(settings: Settings) -> tuple[Path]:
    if settings.providers_file is None:
        raise Failed("sipbridge: error: no file to check: name one, or set providers_file in the settings")
    return (settings.providers_file,)


def _read_databases(file: Path, config: BridgeConfig) -> bool:
    """Read every pool that is in a database, and print how it went; whether all could be read."""
    went_well = True
    for name, pool in config.pools.items():
        if not isinstance(pool.loader, SqlLoader):
            continue
        with contextlib.closing(SqlAccounts(name, pool.loader)) as source:
            probe = source.probe(pool.policy)
        for warning in probe.warnings:
            click.echo(f"{file}: pool {name}: warning: {warning}", err=True)
        for problem in probe.problems:
            click.echo(escape_unprintable(f"{file}: pool {name}: {problem}"), err=True)
        edge = f" ({probe.through_edge} through the edge)" if pool.policy.edge else ""
        problems = count(len(probe.problems), "problem")
        click.echo(f"{file}: pool {name}: {count(probe.accounts, 'account')}{edge}, {problems}")
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
    counts = f"{count(len(result.errors), 'error')}, {count(len(result.warnings), 'warning')}"
    if result.config is None:
        return f"{file}: not valid: {counts}"
    pools = result.config.pools.values()
    skipped = sum(pool.skipped for pool in pools)
    accounts = sum(len(pool.loader) for pool in pools if isinstance(pool.loader, tuple))
    return (
        f"{file}: valid ({counts}): {count(len(result.config.providers), 'provider')}, "
        f"{count(len(pools), 'account pool')}, {count(accounts, 'account')} in the file"
        + (f", {count(skipped, 'account')} skipped" if skipped else "")
    )

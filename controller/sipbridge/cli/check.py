"""``sipbridge check``: lists the errors of providers files and, with ``--connect``, of their databases."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterator
from dataclasses import replace
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
    settings_from,
    settings_option,
    settings_to_check_with,
)
from sipbridge.config.load import LoadResult
from sipbridge.config.text.diagnostic import Diagnostic, Severity
from sipbridge.core.bridge_config import BridgeConfig
from sipbridge.core.freeswitch.version import RECOMMENDED, FreeSwitchVersion
from sipbridge.core.printable import escape_unprintable
from sipbridge.core.providers.media import SwitchDtls
from sipbridge.core.providers.provider import SqlLoader
from sipbridge.doctor.gather_switch import ask_version
from sipbridge.explain.paths import explain_edge
from sipbridge.settings import Settings
from sipbridge.settings.providers import load_providers_with

NOT_VERIFYING = FreeSwitchVersion(0, 0, 0)
"""Stands for a version that is not known, which may be an old one."""


@click.command()
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print the errors and warnings as JSON.")
@click.option("--connect", is_flag=True, help="Read the databases too, and ask FreeSWITCH for its version.")
@no_edge_option
@settings_option
def check(files: tuple[Path, ...], as_json: bool, connect: bool, no_edge: bool, settings_file: Path | None) -> None:
    """Check providers files: list all errors and warnings with their positions, and what goes through the edge.

    Without FILES, check the settings and the providers file they name. The bridge skips accounts in the file that are
    invalid or duplicate, as it skips rows of a database; this command reports them and exits with status 1.
    """
    settings, edge_is_assumed = settings_to_check_with(settings_file, no_edge=no_edge)
    checked = files or _file_of(settings)
    version = _ask_version(settings_file) if connect else None
    results = {file: _load(file, settings, version) for file in checked}
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
    # Read every database even if the first one fails.
    answered = [_read_databases(file, result.config) for file, result in results.items() if connect and result.config]
    unusable = any(result.config is None or result.skipped or result.errors for result in results.values())
    if not all(answered) or unusable:
        sys.exit(1)


def _load(file: Path, settings: Settings, version: FreeSwitchVersion | None) -> LoadResult:
    """A providers file, with what is to be said of it beside this FreeSWITCH."""
    result = load_providers_with(settings, file)
    if result.config is None:
        return result
    of_version = _check_dtls(file, result.config, settings, version)
    return replace(result, diagnostics=(*result.diagnostics, *of_version))


def _check_dtls(
    file: Path, config: BridgeConfig, settings: Settings, version: FreeSwitchVersion | None
) -> Iterator[Diagnostic]:
    """Refuse DTLS-SRTP straight from a FreeSWITCH that does not verify it; warn if its version is not known."""
    media = settings.media_defaults
    for provider in config.providers:
        fault = media.dtls_fault_of(provider.outgoing_invite, SwitchDtls(version or NOT_VERIFYING))
        if not fault:
            continue
        severity = Severity.ERROR
        if version is None:
            severity = Severity.WARNING
            fault = (
                f"DTLS-SRTP straight from FreeSWITCH, which verifies it from {RECOMMENDED} on; the version is unknown:"
                " `sipbridge check --connect` asks FreeSWITCH"
            )
        yield Diagnostic(str(file), 0, 0, severity, f'provider "{provider.name}": {fault}')


def _ask_version(settings_file: Path | None) -> FreeSwitchVersion | None:
    try:
        return ask_version(settings_from(settings_file))
    except Failed:  # not everyone who may check a file may read the password
        return None


def _file_of(settings: Settings) -> tuple[Path]:
    if settings.providers_file is None:
        raise Failed(
            "sipbridge: error: no file to check: name one on the command line, or set providers_file in the settings"
        )
    return (settings.providers_file,)


def _read_databases(file: Path, config: BridgeConfig) -> bool:
    """Read every pool that is in a database and print the result; return whether all were read without problems."""
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

"""``sipbridge info``, ``reload`` and ``drain``: sends an operator's commands to the running daemon."""

from __future__ import annotations

from pathlib import Path

import click

from sipbridge.cli.common import Failed, ask_daemon, print_json, settings_option

_RELOAD_TIMEOUT_S = 600.0
"""A million accounts take a minute."""


@click.command()
@settings_option
def info(settings_file: Path | None) -> None:
    """Print the state of the running bridge as JSON: every provider and the accounts of its pool."""
    result = ask_daemon(settings_file, "info")
    print_json(result, indent=8, separators=(",", " : "))


@click.command()
@click.option("--dry-run", is_flag=True, help="Show what would change, but change nothing.")
@settings_option
def reload(dry_run: bool, settings_file: Path | None) -> None:
    """Make the running bridge read its providers file again.

    Reads every database again, too. Shows what changes; nothing else is touched, and calls in progress continue. If the
    file has errors, or a database does not answer, the exit status is 1 and the configuration in use stays. Settings
    (sipbridge.toml) are read only at start.
    """
    result = ask_daemon(settings_file, "reload", {"dry_run": dry_run}, timeout_s=_RELOAD_TIMEOUT_S)
    for found in result["diagnostics"]:
        click.echo(found, err=True)
    if result["plan"] is None:
        raise Failed("sipbridge: error: the file has errors; the previous configuration stays in use")
    click.echo(result["plan"])


@click.command()
@click.option("--provider", metavar="NAME", help="Drain only this provider: its calls are declined with 503.")
@click.option("--account", metavar="SIP-URI", help="Drain only this account.")
@click.option("--undo", is_flag=True, help="Accept calls again.")
@settings_option
def drain(provider: str | None, account: str | None, undo: bool, settings_file: Path | None) -> None:
    """Accept no new calls; calls in progress continue.

    Without an option, no new call is accepted at all: FreeSWITCH itself answers with 503. A drain lasts until --undo
    or a restart of the bridge; a reload does not end it.
    """
    if provider is not None and account is not None:
        raise click.UsageError("--provider and --account cannot be used together")
    given = {"provider": provider, "account": account, "undo": undo}
    arguments = {name: value for name, value in given.items() if value is not None}
    click.echo(ask_daemon(settings_file, "drain", arguments))

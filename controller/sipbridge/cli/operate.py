"""``sipbridge info``, ``status``, ``reload`` and ``drain``: what an operator asks of the daemon that runs."""

from __future__ import annotations

from pathlib import Path

import click

from sipbridge.cli.common import Failed, ask_daemon, print_json, settings_option

_RELOAD_TIMEOUT_S = 600.0
"""A million accounts take a minute."""


@click.command()
@settings_option
def info(settings_file: Path | None) -> None:
    """Print the state of the running bridge: every provider, and the accounts of its pool."""
    result = ask_daemon(settings_file, "info")
    print_json(result, indent=8, separators=(",", " : "))


@click.command()
@click.option("--dry-run", is_flag=True, help="Show what would change, and change nothing.")
@settings_option
def reload(dry_run: bool, settings_file: Path | None) -> None:
    """Have the running bridge read its providers file again.

    Shows what changes; nothing else is touched, and calls in progress go on. A file with errors is not used: they are
    shown, the exit status is 1, and all stays as it is. Settings (sipbridge.toml) are read at the start only.
    """
    result = ask_daemon(settings_file, "reload", {"dry_run": dry_run}, timeout_s=_RELOAD_TIMEOUT_S)
    for found in result["diagnostics"]:
        click.echo(found, err=True)
    if result["plan"] is None:
        raise Failed("sipbridge: error: the file has errors; what was in use stays in use")
    click.echo(result["plan"])


@click.command()
@click.option("--provider", metavar="NAME", help="Only this provider: its calls are declined with 503.")
@click.option("--account", metavar="SIP-URI", help="Only this account, likewise.")
@click.option("--undo", is_flag=True, help="Take calls again.")
@settings_option
def drain(provider: str | None, account: str | None, undo: bool, settings_file: Path | None) -> None:
    """Take no new calls; those in progress go on.

    Without an option no calls at all: FreeSWITCH answers them with 503 itself. It holds until --undo, or a restart of
    the bridge; a reload does not change it.
    """
    if provider is not None and account is not None:
        raise click.UsageError("--provider and --account exclude each other")
    given = {"provider": provider, "account": account, "undo": undo}
    arguments = {name: value for name, value in given.items() if value is not None}
    click.echo(ask_daemon(settings_file, "drain", arguments))

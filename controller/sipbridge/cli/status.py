"""``sipbridge status``: shows the state of the running bridge, once or continuously."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import click
from rich.console import Console

from sipbridge.adapters.control.control_socket import ask
from sipbridge.cli.common import Failed, ask_daemon, control_socket, print_json, settings_option, told_as
from sipbridge.core.observe.problems import find_problems
from sipbridge.core.observe.snapshot import AccountOrder, AccountQuery, Snapshot
from sipbridge.core.observe.snapshot_json import from_json, to_json
from sipbridge.viewer.print import print_account, print_snapshot
from sipbridge.viewer.screen import narrowed
from sipbridge.viewer.watch import Watch

_ORDERS = [order.value for order in AccountOrder]


@click.command()
@click.option("--watch", is_flag=True, help="Keep running and refresh. Keys are shown at the bottom.")
@click.option(
    "--interval", default=2.0, show_default=True, type=click.FloatRange(0.5, 3600), help="Seconds between refreshes."
)
@click.option("--json", "as_json", is_flag=True, help="Print the whole state as JSON.")
@click.option("--provider", default="", metavar="NAME", help="Show only this provider, its pool and accounts.")
@click.option("--pool", default="", metavar="NAME", help="Show only this pool, its providers and accounts.")
@click.option("--account", default="", metavar="TEXT", help="Show only accounts with TEXT in their URI or alias.")
@click.option("--failed", is_flag=True, help="Show only accounts that cannot register.")
@click.option("--order", default="need", show_default=True, type=click.Choice(_ORDERS), help="Order of the accounts.")
@click.option("--limit", default=10, show_default=True, type=click.IntRange(0, 1_000), help="Accounts to show.")
@settings_option
def status(
    watch: bool,
    interval: float,
    as_json: bool,
    provider: str,
    pool: str,
    account: str,
    failed: bool,
    order: str,
    limit: int,
    settings_file: Path | None,
) -> None:
    """Show the state of the running bridge.

    Problems come first, each with its cause (FreeSWITCH, a provider, accounts and their secrets, lines, the database,
    Redis) and what to do. Then come pools, providers and accounts. Accounts that cannot register are listed first,
    longest failing first; then the busiest.

    Exits with status 1 when no daemon answers. In a pipe, the output is plain text of any width.
    """
    query = AccountQuery(limit, 0, AccountOrder(order), account, pool, provider, failed)
    snapshot = _ask(settings_file, query)
    _check_names(snapshot, query)
    if as_json:
        told = to_json(snapshot) | {"problems": to_json(find_problems(snapshot))}
        print_json(told)
    elif watch:
        _watch(settings_file, query, snapshot, interval)
    elif account and len(snapshot.accounts.rows) == 1:
        print_account(snapshot)
    else:
        print_snapshot(narrowed(snapshot, query), query)


def _ask(settings_file: Path | None, query: AccountQuery) -> Snapshot:
    return told_as(Snapshot, ask_daemon(settings_file, "status", {"accounts": to_json(query)}))


def _check_names(snapshot: Snapshot, query: AccountQuery) -> None:
    """Reject an unknown name instead of showing nothing."""
    for what, name, known in (
        ("provider", query.provider, [provider.name for provider in snapshot.providers]),
        ("pool", query.pool, [pool.name for pool in snapshot.pools]),
    ):
        if name and name not in known:
            there_are = ", ".join(f'"{each}"' for each in known)
            raise Failed(f'sipbridge: error: unknown {what} "{name}"; known are {there_are}')


def _watch(settings_file: Path | None, query: AccountQuery, first: Snapshot, interval_s: float) -> None:
    console = Console()
    if not console.is_terminal or console.is_dumb_terminal or not sys.stdin.isatty():
        raise Failed("sipbridge: error: --watch needs a terminal; leave it out, or use --json")
    socket = control_socket(settings_file)

    def fetch(wanted: AccountQuery) -> Snapshot:
        told = ask(socket, "status", {"accounts": to_json(wanted)})
        return narrowed(from_json(Snapshot, told), wanted)

    Watch(console, fetch, dataclasses.replace(query, offset=0), narrowed(first, query), interval_s).run()

"""``sipbridge explain``: shows how a hypothetical call would be routed, and why."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path

import click
from rich.text import Text

from sipbridge.cli.common import (
    EDGE_ASSUMED,
    Failed,
    ask_daemon,
    config_or_exit,
    no_edge_option,
    print_json,
    settings_option,
    settings_to_check_with,
)
from sipbridge.core.accounts.account import Account
from sipbridge.core.providers.provider import SqlLoader
from sipbridge.core.sip.call import Side
from sipbridge.explain.by_file import ByFile
from sipbridge.explain.told import Told
from sipbridge.ports import SourceError, SourceUnavailable
from sipbridge.settings import Settings
from sipbridge.settings.providers import load_providers_with
from sipbridge.viewer.print import print_folded
from sipbridge.viewer.words import printable

_UNKNOWN = 3
"""The exit status if the answer depends on something that was not looked up."""
_STYLES = {"bridge": "bold green", "decline": "bold red", "unknown": "bold yellow"}
_FACTS = ("side", "provider", "account", "request_uri", "to", "from", "next_hop", "path", "sip_status", "dial_string")


@click.command()
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option("--request-uri", required=True, metavar="URI", help="Request-URI of the call.")
@click.option("--from", "from_", required=True, metavar="ADDRESS", help="From address: a URI, or a name and a URI.")
@click.option("--to", required=True, metavar="ADDRESS", help="To address, in the same form.")
@click.option("--side", type=click.Choice([side.value for side in Side]), help="Where it comes from, if that matters.")
@click.option("--connect", is_flag=True, help="With FILE: read its databases, as far as the decision depends on them.")
@click.option("--json", "as_json", is_flag=True, help="Print the decision as JSON.")
@no_edge_option
@settings_option
def explain(
    file: Path | None,
    request_uri: str,
    from_: str,
    to: str,
    side: str | None,
    connect: bool,
    as_json: bool,
    no_edge: bool,
    settings_file: Path | None,
) -> None:
    """Show how a call would be routed, and why.

    Without FILE, ask the running bridge: its accounts, registrations, free lines, drains and media are used as they are
    now. With FILE, decide by that file, as if every account were registered and free. If the decision depends on a
    database that is not read, or on the side from which the call arrives, it is "unknown": the exit status is 3, and
    the answer says what is needed.
    """
    if file is None:
        if connect or no_edge:
            raise click.UsageError("--connect and --no-edge go with a FILE")
        told = _ask(settings_file, request_uri, from_, to, side)
        edge_is_assumed = False
    else:
        settings, edge_is_assumed = settings_to_check_with(settings_file, no_edge=no_edge)
        told = _by_file(file, settings, connect).explain(request_uri, from_, to, Side(side) if side else None)
    if as_json:
        print_json(told)
    else:
        print_folded(_lines(told))
    if edge_is_assumed and told["path"] == "edge":
        click.echo(EDGE_ASSUMED, err=True)
    if told["decision"] == "unknown":
        sys.exit(_UNKNOWN)


def _ask(settings_file: Path | None, request_uri: str, from_: str, to: str, side: str | None) -> Told:
    arguments = {"request_uri": request_uri, "from": from_, "to": to} | ({"side": side} if side else {})
    told: Told = ask_daemon(settings_file, "explain", arguments)
    return told


def _by_file(file: Path, settings: Settings, connect: bool) -> ByFile:
    config = config_or_exit(load_providers_with(settings, file))
    sides = settings.sofia.inside_profile, settings.sofia.provider_profile
    lines = settings.calls.status_lines
    return ByFile(config, settings.media_defaults, lines, sides, _read_pool if connect else None)


def _read_pool(name: str, loader: SqlLoader) -> Iterator[Account]:
    # Imported here because it imports SQLAlchemy, which a file with accounts of its own does not need.
    from sipbridge.adapters.sql.sql_accounts import SqlAccounts

    with contextlib.closing(SqlAccounts(name, loader)) as source:
        try:
            for batch in source.load_all():
                yield from batch.accounts
        except (SourceUnavailable, SourceError) as error:
            raise Failed(f"sipbridge: error: pool {name}: {error}") from error


def _lines(told: Told) -> Iterator[Text]:
    yield Text(told["decision"].upper(), style=_STYLES[told["decision"]])
    yield _fact("by", told["basis"])
    for name in _FACTS:
        if told[name] is not None:
            yield _fact(name.replace("_", " "), f"edge: {told['path_reason']}" if told[name] == "edge" else told[name])
    if told["needs"] is not None:
        yield _fact("needs", told["needs"])
    yield Text()
    for number, step in enumerate(told["trace"], 1):
        detail = f": {step['detail']}" if step["detail"] else ""
        yield Text(printable(f"{number}. {step['provider'] or 'Result'}: {step['verdict']}{detail}"))


def _fact(name: str, value: str) -> Text:
    return Text.assemble((f"{name:<13}", "dim"), printable(value))

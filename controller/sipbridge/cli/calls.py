"""``sipbridge calls``: shows the calls in progress, or follows decisions as they are made."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from sipbridge.adapters.control.control_socket import ControlError, ask_on
from sipbridge.cli.common import Failed, ask_daemon, control_socket, print_json, settings_option, told_as
from sipbridge.core.observe.call_news import CallNews, CallsInProgress, NewsKind
from sipbridge.viewer.calls import calls_table, news_lines
from sipbridge.viewer.print import print_folded, print_lines, terminal_width

_TIMEOUT_S = 60.0
"""FreeSWITCH takes seconds to list ten thousand channels."""


@click.command()
@click.option("--follow", is_flag=True, help="Show each call as it is decided, with the reasons, and as it ends.")
@click.option("--declined", is_flag=True, help="With --follow: show only declined and failed calls.")
@click.option(
    "--match", default="", metavar="TEXT", help="Show only calls with TEXT in an address, account or Call-ID."
)
@click.option("--provider", default="", metavar="NAME", help="Show only calls of this provider.")
@click.option(
    "--limit", type=click.IntRange(0, 1_000), help="Calls to show; with --follow, past calls first.  [default: 100; 10]"
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON; with --follow, one object per line.")
@settings_option
def calls(
    follow: bool,
    declined: bool,
    match: str,
    provider: str,
    limit: int | None,
    as_json: bool,
    settings_file: Path | None,
) -> None:
    """Show the calls in progress; with --follow, show each decision as it is made, and why.

    --follow shows which provider bridged or declined the call, why the providers before it did not match, which
    account the call uses, where its INVITE goes, and later how the call ended. Stop with Ctrl-C.
    """
    if not follow:
        if declined:
            raise click.UsageError("--declined requires --follow")
        query = {"limit": 100 if limit is None else limit, "match": match, "provider": provider}
        _print_calls(ask_daemon(settings_file, "calls", query, timeout_s=_TIMEOUT_S), as_json)
        return
    try:
        for told in ask_on(control_socket(settings_file), "follow", {"limit": 10 if limit is None else limit}):
            news = told_as(CallNews, told)
            if _is_wanted(news, declined, match.lower(), provider):
                _print_news(news, told, as_json)
    except ControlError as error:
        raise Failed(f"sipbridge: error: {error}") from error
    except KeyboardInterrupt:
        return
    raise Failed("sipbridge: error: the daemon has stopped")


def _print_calls(told: Any, as_json: bool) -> None:
    if as_json:
        print_json(told)
    else:
        print_lines(calls_table(told_as(CallsInProgress, told), terminal_width()))


def _is_wanted(news: CallNews, only_bad: bool, match: str, provider: str) -> bool:
    if news.kind is NewsKind.MISSED:
        return True
    if only_bad and (news.kind is NewsKind.BRIDGED or news.reason == "answered"):
        return False
    places = (news.from_, news.to, news.request_uri, news.goes_to, news.account, news.call_id)
    return provider in ("", news.provider) and any(match in place.lower() for place in places)


def _print_news(news: CallNews, told: Any, as_json: bool) -> None:
    if as_json:
        print_json(told, indent=None)
    else:
        print_folded(news_lines(news))
    sys.stdout.flush()

"""Formats calls in progress and call news as lines. Pure, except for the local time zone."""

from __future__ import annotations

from datetime import datetime

from rich.text import Text

from sipbridge.core.observe.call_news import CallInProgress, CallNews, CallsInProgress, NewsKind
from sipbridge.viewer.section import BAD, DIM, GOOD, WARN
from sipbridge.viewer.table import Cell, Column, Row, format_table
from sipbridge.viewer.words import duration, plural, printable

_COLUMNS = (
    Column("FOR", right=True),
    Column("STATE", importance=8),
    Column("FROM", least=20, importance=8),
    Column("TO", least=20, importance=8),
    Column("ACCOUNT", least=20, importance=7),
    Column("PROVIDER", least=12, importance=6),
    Column("CALL-ID", least=12, importance=2),
)
_STATE_STYLES = {"talking": GOOD, "ringing": WARN, "early media": WARN, "on hold": DIM}
_INDENT = " " * 14


def calls_table(page: CallsInProgress, width: int | None) -> list[Text]:
    """Return a title with the number of calls, then one line per requested call."""
    shown = len(page.calls)
    count = plural(page.in_progress, "call")
    title = Text(f"{count} in progress" if shown == page.in_progress else f"first {shown:,} of {count} in progress")
    title.stylize("bold")
    lines = [title]
    if page.problem:
        lines.append(Text(printable(page.problem), BAD))
    if page.calls:
        lines += [Text(), *format_table(_COLUMNS, [_row(call) for call in page.calls], width)]
    return lines


def _row(call: CallInProgress) -> Row:
    return (
        duration(call.seconds) if call.seconds is not None else "-",
        Cell(call.state or "-", _STATE_STYLES.get(call.state, "")),
        call.from_ or "-",
        call.to or "-",
        call.account,
        call.provider or "-",
        Cell(call.call_id, DIM),
    )


def news_lines(news: CallNews) -> list[Text]:
    """Return a line that says what happened, followed by lines that say why."""
    when = Text(f"{datetime.fromtimestamp(news.at).astimezone():%H:%M:%S.%f}"[:12] + "  ", DIM)
    match news.kind:
        case NewsKind.MISSED:
            return [when + Text(f"{plural(news.missed, 'message')} missed: too many to show", WARN)]
        case NewsKind.OVER:
            return [when + _over(news)]
        case NewsKind.BRIDGED:
            goes = f"to {news.goes_to} as {news.goes_as}, via {news.next_hop}"
            account = f"account {news.account}"
            return [when + _headline("bridged ", GOOD, news), *_steps(news), _indented(account), _indented(goes)]
        case NewsKind.DECLINED:
            account = f", account {news.account}" if news.account else ""
            gets = f"answered {news.answer}: {news.reason}{account}"
            return [when + _headline("declined", BAD, news), *_steps(news), _indented(gets, BAD)]


def _headline(word: str, style: str, news: CallNews) -> Text:
    return Text(word, style) + Text(printable(f"  {_who(news)}"), "bold")


def _steps(news: CallNews) -> list[Text]:
    """Return one line per provider that was considered."""
    return [
        _indented(f"{number}. {each.provider}: {each.verdict}", DIM) for number, each in enumerate(news.explanations, 1)
    ] or [_indented("there are no providers", DIM)]


def _over(news: CallNews) -> Text:
    talked = f", talked for {duration(news.talk_s)}" if news.talk_s is not None else ""
    status = f"{news.sip_status} " if news.sip_status is not None else ""
    answered = news.reason == "answered"
    return Text("ended   ", DIM) + Text(
        printable(f"  {_who(news)} {status}{news.reason}{talked}"), "" if answered else WARN
    )


def _who(news: CallNews) -> str:
    if not news.from_:
        return f"a call from before the restart, account {news.account}:"
    return f"{news.from_} -> {news.request_uri or news.to}"


def _indented(text: str, style: str = "") -> Text:
    return Text(_INDENT + printable(text), style)

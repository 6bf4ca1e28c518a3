"""The parts of a snapshot become the sections of a screen: lines, each as wide as it gets or as the screen is. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich.text import Text

from sipbridge.core.problems import Problem, Severity, Side
from sipbridge.core.snapshot import AccountState, PoolState, ProviderState, Snapshot
from sipbridge.viewer.table import Cell, Column, cut, format_table
from sipbridge.viewer.words import duration, number, plural, printable

BAD, WARN, GOOD, DIM = "bold red", "yellow", "green", "dim"
"""Colours say nothing that words do not say as well: many terminals have none."""

_OK = "OK"
_FAILED = "Registration failed"
_SEVERITIES = {Severity.DOWN: ("DOWN", BAD), Severity.WARNING: ("warn", WARN)}


@dataclass(frozen=True, slots=True)
class Section:
    """Some lines of the screen.

    Attributes:
        head: how many of them are titles.
    """

    lines: list[Text]
    head: int = 1


def header(snapshot: Snapshot, problems: Sequence[Problem], width: int | None) -> Section:
    """Three lines: the bridge and what helps it, FreeSWITCH, calls."""
    bridge, switch, traffic = snapshot.bridge, snapshot.switch, snapshot.traffic
    about: list[str | Text] = [f"sipbridge {bridge.version}", _verdict(problems), f"up {duration(bridge.uptime_s)}"]
    about += _helpers(snapshot)
    title = _facts(about, width, "bold")
    since, connected = duration(switch.since_s), switch.is_connected
    facts: list[str | Text] = [
        f"FreeSWITCH {switch.version}".rstrip(),
        Text(f"connected for {since}", GOOD) if connected else Text(f"not connected for {since}", BAD),
        "lease held" if switch.has_lease else Text("no lease: callers get 503", BAD),
    ]
    if switch.uptime_s is not None:
        facts.append(f"up {duration(switch.uptime_s)}")
    if switch.sessions is not None and switch.max_sessions is not None:
        facts.append(f"{switch.sessions:,} of {switch.max_sessions:,} sessions")
    if switch.idle_cpu_percent is not None:
        facts.append(f"CPU {100 - switch.idle_cpu_percent:.0f} %")
    if switch.lost_gateways:
        facts.append(f"{switch.lost_mb:,.0f} MB lost")
    recent = traffic.recent
    declined = sum(recent.declined.values())
    calls: list[str | Text] = [
        f"{plural(traffic.in_progress, 'call')} now, {traffic.per_second:.1f} a second",
        f"in 5 min: {recent.bridged:,} bridged",
        Text(f"{declined:,} declined", WARN if declined else ""),
        f"{sum(recent.failed.values()):,} failed",
        f"{recent.answered:,} answered and over",
    ]
    return Section([title, _facts(facts, width), _facts(calls, width)], head=3)


def _helpers(snapshot: Snapshot) -> list[str | Text]:
    """Redis and the edge, where they are used."""
    facts: list[str | Text] = []
    if snapshot.redis != "not used":
        works = snapshot.redis == "OK"
        facts.append("Redis OK" if works else Text(printable(f"Redis: {snapshot.redis}"), BAD))
    if (edge := snapshot.edge) is not None:
        knows = f"edge knows {edge.known:,} of {edge.accounts:,} accounts"
        facts.append(Text("edge cannot be told its accounts", BAD) if edge.problem else knows)
    return facts


def _verdict(problems: Sequence[Problem]) -> Text:
    if not problems:
        return Text("all is well", GOOD)
    is_down = any(problem.severity is Severity.DOWN for problem in problems)
    return Text(plural(len(problems), "problem"), BAD if is_down else WARN)


def _facts(facts: Iterable[str | Text], width: int | None, style: str = "") -> Text:
    """Facts in a line, as many as there is room for."""
    line = Text(no_wrap=True, style=style)
    for fact in facts:
        text = fact if isinstance(fact, Text) else Text(printable(fact))
        separator = " · " if line else ""
        if line and width is not None and line.cell_len + len(separator) + text.cell_len > width:
            break
        line.append(separator).append_text(text)
    return line


def problems_section(problems: Sequence[Problem], width: int | None, room: int | None) -> Section:
    """What is wrong, on whose side, and what to do about it: advice for as many as there is room for."""
    shown = [_what(problem, width, is_whole=True) for problem in problems]
    left = None if room is None else room - sum(map(len, shown))
    if left is not None and left < 0:
        return Section([line for problem in problems for line in _what(problem, width, is_whole=False)], head=0)
    for lines, problem in zip(shown, problems, strict=True):
        advice = _indented(problem.advice, width)
        if left is not None:
            left -= len(advice)
            if left < 0:
                break
        lines += advice
    return Section([line for lines in shown for line in lines], head=0)


def _what(problem: Problem, width: int | None, *, is_whole: bool) -> list[Text]:
    word, style = _SEVERITIES[problem.severity]
    start = f"{word}  {problem.side.value:<{_SIDE_WIDTH}}  "
    what = printable(problem.what)
    room = _room(width)
    pieces = _wrap(what, room) if is_whole else [cut(what, room)]
    return [Text((start if at == 0 else " " * _INDENT) + piece, style, no_wrap=True) for at, piece in enumerate(pieces)]


def _indented(advice: str, width: int | None) -> list[Text]:
    return [Text(" " * _INDENT + piece, DIM, no_wrap=True) for piece in _wrap(printable(advice), _room(width))]


def _room(width: int | None) -> int | None:
    return None if width is None else max(20, width - _INDENT)


_SIDE_WIDTH = max(len(side.value) for side in Side)
_INDENT = len("DOWN  ") + _SIDE_WIDTH + 2


def _wrap(text: str, width: int | None) -> list[str]:
    """Text in lines of at most `width` cells, broken between words where that is possible."""
    if width is None:
        return [text]
    lines = [""]
    for word in text.split(" "):
        joined = f"{lines[-1]} {word}" if lines[-1] else word
        if Text(joined).cell_len <= width or not lines[-1]:
            lines[-1] = joined
        else:
            lines.append(word)
    return lines


_PROVIDER_COLUMNS = (
    Column("PROVIDER", least=22),
    Column("POOL", least=10, importance=3),
    Column("CALLS", right=True),
    Column("5 MIN: BRIDGED", right=True, importance=6),
    Column("FAILED", right=True, importance=5),
    Column("DECLINED", right=True, importance=7),
    Column("LAST FAILURE", least=24, importance=4),
)


def providers_section(providers: Iterable[ProviderState], width: int | None) -> Section:
    """A line for each provider."""
    rows = [
        (
            Cell(f"{provider.name} (drained)", WARN) if provider.is_drained else provider.name,
            provider.pool,
            number(provider.calls),
            number(provider.recent.bridged),
            number(sum(provider.recent.failed.values())),
            Cell(number(sum(provider.recent.declined.values())), WARN if provider.recent.declined else ""),
            Cell(_failure(provider), DIM),
        )
        for provider in providers
    ]
    return Section(format_table(_PROVIDER_COLUMNS, rows, width))


_POOL_COLUMNS = (
    Column("POOL", least=14),
    Column("ACCOUNTS", right=True, importance=7),
    Column("OK", right=True),
    Column("FAILED", right=True),
    Column("WAITING", right=True, importance=6),
    Column("LINES USED", right=True, importance=8),
    Column("ACCOUNTS FROM", importance=5),
    Column("LAST FAILURE", least=24, importance=4),
)


def pools_section(pools: Iterable[PoolState], width: int | None) -> Section:
    """A line for each pool."""
    rows = []
    for pool in pools:
        ok, failed = pool.registrations.get(_OK, 0), pool.registrations.get(_FAILED, 0)
        source = pool.source
        rows.append(
            (
                pool.name,
                number(pool.accounts),
                Cell(number(ok), GOOD if ok else ""),
                Cell(number(failed), BAD if failed else ""),
                number(pool.accounts - ok - failed),
                f"{pool.lines_used:,} of {pool.lines:,}",
                Cell("database" if source else "file", WARN if source and source.problem else DIM),
                Cell(_failure(pool), DIM),
            )
        )
    return Section(format_table(_POOL_COLUMNS, rows, width))


def _failure(state: ProviderState | PoolState) -> str:
    failure = state.last_failure
    return f"{duration(failure.age_s)} ago: {failure.what}" if failure else ""


_ACCOUNT_COLUMNS = (
    Column("ACCOUNT", least=26),
    Column("POOL", least=10, importance=3),
    Column("REGISTRATION", least=17),
    Column("SINCE", right=True, importance=6),
    Column("NEXT TRY", right=True, importance=5),
    Column("CALLS", right=True, importance=7),
    Column("ALIAS", least=20, importance=2),
)


def accounts_section(rows: Iterable[AccountState], width: int | None) -> Section:
    """A line for each account."""
    return Section(format_table(_ACCOUNT_COLUMNS, [_account_row(row) for row in rows], width))


def account_section(account: AccountState, providers: Sequence[str], width: int | None) -> Section:
    """All that is known of one account."""
    registration = _registration(account)
    since = ""
    if account.failing_s is not None:
        since = f" for {duration(account.failing_s)}, tries again {next_try(account)}"
    facts = {
        "account": Cell(account.uri, "bold"),
        "alias": Cell(account.alias or "-"),
        "pool": Cell(account.pool),
        "used by": Cell(", ".join(providers) or "no provider"),
        "registration": Cell(registration.text + since, registration.style),
        "calls": Cell(f"{account.calls:,} of {account.max_calls:,}"),
        "gateway": Cell(account.gateway or "not in FreeSWITCH"),
        "registrar": Cell(account.registrar),
        "proxy": Cell(account.proxy),
    }
    table = format_table((Column(""), Column("", least=20)), [(Cell(k, DIM), v) for k, v in facts.items()], width)
    return Section(table[1:], head=0)


def _account_row(account: AccountState) -> tuple[str | Cell, ...]:
    failing = account.failing_s is not None
    return (
        account.uri,
        account.pool,
        _registration(account),
        duration(account.failing_s or 0.0) if failing else "",
        next_try(account),
        Cell(f"{account.calls:,} of {account.max_calls:,}", WARN if account.calls >= account.max_calls else ""),
        Cell(account.alias, DIM),
    )


def _registration(account: AccountState) -> Cell:
    drained = ", drained" if account.is_drained else ""
    if account.status == _OK:
        return Cell(f"OK{drained}", WARN if drained else GOOD)
    if account.status == _FAILED:
        return Cell(f"{account.reason or 'failed'}{drained}", BAD)
    return Cell(f"{account.status}{drained}", WARN)


def next_try(account: AccountState) -> str:
    """``in 42 s`` for an account that waits because it was refused."""
    if account.next_try_s is not None:
        return f"in {duration(account.next_try_s)}"
    return "soon" if account.failing_s is not None else ""

"""Formats providers, pools and accounts as tables, at the screen's width or unlimited. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sipbridge.core.observe.snapshot import AccountState, PoolState, ProviderState
from sipbridge.viewer.section import BAD, DIM, GOOD, WARN, Section
from sipbridge.viewer.table import Cell, Column, format_table
from sipbridge.viewer.words import duration, number

_OK = "OK"
_FAILED = "Registration failed"


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
    """Return one line per provider."""
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
    """Return one line per pool."""
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
    """Return one line per account."""
    return Section(format_table(_ACCOUNT_COLUMNS, [_account_row(row) for row in rows], width))


def account_section(account: AccountState, providers: Sequence[str], width: int | None) -> Section:
    """Return all facts about one account."""
    registration = _registration(account)
    since = ""
    if account.failing_s is not None:
        since = f" for {duration(account.failing_s)}, next try {next_try(account)}"
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
    """Return when a refused account retries, such as ``in 42 s``; empty if it is not failing."""
    if account.next_try_s is not None:
        return f"in {duration(account.next_try_s)}"
    return "soon" if account.failing_s is not None else ""

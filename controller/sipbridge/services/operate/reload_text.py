"""Formats a plan for an operator, in the words of the providers file. Pure; shows no secret."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

from sipbridge.core.accounts.account import Account
from sipbridge.core.printable import escape_unprintable
from sipbridge.services.operate.reload_plan import Change, PoolChange, ReloadPlan
from sipbridge.services.operate.reload_values import WORDS, changed_values

NOTHING = "nothing changes"
_WOULD_BE_NOTHING = "nothing would change"

_SHOWN = 10
"""Maximum number of accounts per kind of change that are listed by name."""


def format_plan(plan: ReloadPlan, *, is_dry_run: bool = False) -> str:
    """The plan as lines: ``+`` is added, ``~`` changed, ``-`` removed.

    Args:
        is_dry_run: whether it says what would be, not what is.
    """
    if not plan:
        return _WOULD_BE_NOTHING if is_dry_run else NOTHING
    return "\n".join(_lines(plan, "would be " if is_dry_run else ""))


def _lines(plan: ReloadPlan, would_be: str) -> Iterator[str]:
    if plan.providers or plan.providers_reordered:
        yield "providers"
        for provider in plan.providers:
            yield _line(
                provider.change, provider.name, changed_values(provider.before, provider.after, provider.fields)
            )
        if plan.providers_reordered:
            yield "  order would change" if would_be else "  order changed"
    if plan.pools:
        yield "account pools"
        for pool in plan.pools:
            yield from _pool(pool, would_be)
    gateways = plan.gateways
    counts = (("added", gateways.added), ("replaced", gateways.replaced), ("removed", gateways.removed))
    yield f"gateways: {_counts(would_be, *counts) or 'unchanged'}"


def _pool(pool: PoolChange, would_be: str) -> Iterator[str]:
    yield _line(pool.change, pool.name, changed_values(pool.before, pool.policy, pool.fields))
    accounts = pool.accounts
    counts = (("added", len(accounts.added)), ("changed", len(accounts.changed)), ("removed", len(accounts.removed)))
    if counted := _counts(would_be, *counts):
        yield f"      accounts: {counted}"
    if pool.change is Change.CHANGED:
        yield from _some(Change.ADDED, ((account, ()) for account in accounts.added), len(accounts.added))
        yield from _some(Change.CHANGED, ((one.after, one.fields) for one in accounts.changed), len(accounts.changed))
        yield from _some(Change.REMOVED, ((account, ()) for account in accounts.removed), len(accounts.removed))
        if accounts.order:
            yield "      accounts: order would change" if would_be else "      accounts: order changed"
    elif pool.loader is not None:
        yield "      accounts: from its database"


def _some(change: Change, accounts: Iterable[tuple[Account, tuple[str, ...]]], count: int) -> Iterator[str]:
    for account, fields in islice(accounts, _SHOWN):
        yield "    " + _line(change, account.uri.text, (WORDS.get(field, field) for field in fields))
    if count > _SHOWN:
        yield f"      {change.value} and {count - _SHOWN} more"


def _line(change: Change, name: str, what: Iterable[str]) -> str:
    words = ", ".join(what)
    return f"  {change.value} {escape_unprintable(name)}{': ' if words else ''}{words}"


def _counts(would_be: str, *counts: tuple[str, int]) -> str:
    return ", ".join(f"{count} {would_be}{what}" for what, count in counts if count)

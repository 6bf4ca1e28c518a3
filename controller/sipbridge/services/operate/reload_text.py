"""A plan becomes text for an operator: what changes, in the words of the providers file. Pure; shows no secret."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

from sipbridge.core.accounts.account import Account
from sipbridge.core.printable import escape_unprintable
from sipbridge.services.operate.reload_plan import Change, PoolChange, ReloadPlan

NOTHING = "nothing changes"

_SHOWN = 10
"""Accounts of one kind that are shown by name."""

# What an attribute is called in the file, where that is not the attribute's name in camelCase.
_WORDS = {
    "account_pool": "accountPool",
    "account_to_use": "accountToUse",
    "max_calls_per_line": "maxCallsPerLine",
    "on_account_not_found": "onAccountNotFound",
    "outbound_proxy": "outboundProxy",
    "outgoing_invite": "outgoingInvite",
    "registration_interval_ms": "registrationThrottlingRateMs",
    "registration_required": "registrationRequired",
    "secret_type": "secretType",
    "trigger": "triggerCondition",
    "unregister_on_shutdown": "unregisterOnServerShutdown",
    "user_id": "userid",
}


def format_plan(plan: ReloadPlan) -> str:
    """The plan as lines: ``+`` is added, ``~`` changed, ``-`` removed."""
    return "\n".join(_lines(plan)) if plan else NOTHING


def _lines(plan: ReloadPlan) -> Iterator[str]:
    if plan.providers or plan.providers_reordered:
        yield "providers"
        for provider in plan.providers:
            yield _line(provider.change, provider.name, provider.fields)
        if plan.providers_reordered:
            yield "  order changed"
    if plan.pools:
        yield "account pools"
        for pool in plan.pools:
            yield from _pool(pool)
    gateways = plan.gateways
    counts = _counts(("added", gateways.added), ("replaced", gateways.replaced), ("removed", gateways.removed))
    yield f"gateways: {counts or 'unchanged'}"


def _pool(pool: PoolChange) -> Iterator[str]:
    yield _line(pool.change, pool.name, pool.fields)
    accounts = pool.accounts
    counts = _counts(
        ("added", len(accounts.added)), ("changed", len(accounts.changed)), ("removed", len(accounts.removed))
    )
    if counts:
        yield f"      accounts: {counts}"
    if pool.change is Change.CHANGED:
        yield from _some(Change.ADDED, ((account, ()) for account in accounts.added), len(accounts.added))
        yield from _some(Change.CHANGED, ((one.after, one.fields) for one in accounts.changed), len(accounts.changed))
        yield from _some(Change.REMOVED, ((account, ()) for account in accounts.removed), len(accounts.removed))
        if accounts.order:
            yield "      accounts: order changed"
    elif pool.loader is not None:
        yield "      accounts: from its database"


def _some(change: Change, accounts: Iterable[tuple[Account, tuple[str, ...]]], count: int) -> Iterator[str]:
    for account, fields in islice(accounts, _SHOWN):
        yield "    " + _line(change, account.uri.text, fields)
    if count > _SHOWN:
        yield f"      {change.value} and {count - _SHOWN} more"


def _line(change: Change, name: str, fields: tuple[str, ...]) -> str:
    what = ", ".join(_WORDS.get(field, field) for field in fields)
    return f"  {change.value} {escape_unprintable(name)}{': ' if what else ''}{what}"


def _counts(*counts: tuple[str, int]) -> str:
    return ", ".join(f"{count} {what}" for what, count in counts if count)

"""Compares the configuration in use with a providers file, and plans the minimal changes. Pure."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, TypeVar

from sipbridge.core.accounts.account import Account
from sipbridge.core.bridge_config import BridgeConfig, PoolConfig
from sipbridge.core.gateways.gateway import gateway_definition
from sipbridge.core.providers.provider import PoolPolicy, Provider, SqlLoader

_T = TypeVar("_T")


class Change(Enum):
    """The kind of change; the value is its sign in text."""

    ADDED = "+"
    CHANGED = "~"
    REMOVED = "-"


@dataclass(frozen=True, slots=True)
class PoolInUse:
    """A pool in use.

    Attributes:
        loader: its database; None if its accounts come from the file.
        accounts: its current accounts, in order.
    """

    policy: PoolPolicy
    loader: SqlLoader | None
    accounts: Sequence[Account]


@dataclass(frozen=True, slots=True)
class ChangedAccount:
    """An account before and after a change."""

    before: Account
    after: Account

    @property
    def fields(self) -> tuple[str, ...]:
        """The names of the attributes that differ."""
        return _differing(self.before, self.after)


@dataclass(frozen=True, slots=True)
class AccountChanges:
    """The changes of a pool's accounts.

    Attributes:
        order: all accounts in the order of the file, if appending the new ones does not produce that order.
    """

    added: tuple[Account, ...] = ()
    changed: tuple[ChangedAccount, ...] = ()
    removed: tuple[Account, ...] = ()
    order: tuple[Account, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.added or self.changed or self.removed or self.order)


@dataclass(frozen=True, slots=True)
class GatewayCounts:
    """The number of gateways that are affected."""

    added: int = 0
    replaced: int = 0
    removed: int = 0

    def __add__(self, other: GatewayCounts) -> GatewayCounts:
        return GatewayCounts(self.added + other.added, self.replaced + other.replaced, self.removed + other.removed)

    def __bool__(self) -> bool:
        return bool(self.added or self.replaced or self.removed)


@dataclass(frozen=True, slots=True)
class ProviderChange:
    """The change of a provider.

    Attributes:
        fields: the attributes that are others.
        before: the provider that changes, and `after` what it becomes.
    """

    name: str
    change: Change
    fields: tuple[str, ...] = ()
    before: Provider | None = None
    after: Provider | None = None


@dataclass(frozen=True, slots=True)
class PoolChange:
    """The change of a pool.

    Attributes:
        fields: the attributes of its policy that are others, and ``loader``.
        policy: as it will be, or was.
        loader: where its accounts will come from; None when they are in the file.
        before: the policy of a pool that changes.
    """

    name: str
    change: Change
    policy: PoolPolicy
    loader: SqlLoader | None
    fields: tuple[str, ...] = ()
    accounts: AccountChanges = AccountChanges()
    gateways: GatewayCounts = GatewayCounts()
    before: PoolPolicy | None = None


@dataclass(frozen=True, slots=True)
class ReloadPlan:
    """The changes that make the configuration in use match a providers file.

    Attributes:
        providers_reordered: whether the order of the remaining providers changes.
    """

    config: BridgeConfig
    providers: tuple[ProviderChange, ...]
    providers_reordered: bool
    pools: tuple[PoolChange, ...]

    def __bool__(self) -> bool:
        return bool(self.providers or self.providers_reordered or self.pools)

    @property
    def gateways(self) -> GatewayCounts:
        """The number of affected gateways in all pools."""
        return sum((pool.gateways for pool in self.pools), GatewayCounts())


Read = Mapping[str, Sequence[Account]]
"""What databases have now, by the name of the pool."""


def plan_reload(
    providers: Sequence[Provider], pools: Mapping[str, PoolInUse], config: BridgeConfig, read: Read
) -> ReloadPlan:
    """Compare the configuration in use with a new one.

    Args:
        providers: the providers in use.
        pools: the pools in use, by name.
        config: the new configuration.
        read: the accounts of pools that are in a database; of what is not there nothing is known yet.
    """
    before, after = _by_name_and_number(providers), _by_name_and_number(config.providers)
    kept = [key for key in after if key in before]
    return ReloadPlan(
        config,
        tuple(_provider_changes(before, after)),
        providers_reordered=kept != [key for key in before if key in after],
        pools=tuple(_pool_changes(pools, config.pools, read)),
    )


def plan_accounts(now: Sequence[Account], wanted: Sequence[Account]) -> AccountChanges:
    """Compare current and desired accounts of a pool; equivalent URIs mean the same account."""
    before = {account.uri.lookup_key: account for account in now}
    after = {account.uri.lookup_key: account for account in wanted}
    added = [key for key in after if key not in before]
    in_order = [*(key for key in before if key in after), *added] == list(after)
    return AccountChanges(
        added=tuple(after[key] for key in added),
        changed=tuple(
            ChangedAccount(before[key], account)
            for key, account in after.items()
            if key in before and before[key] != account
        ),
        removed=tuple(account for key, account in before.items() if key not in after),
        order=() if in_order else tuple(wanted),
    )


def _by_name_and_number(providers: Iterable[Provider]) -> dict[tuple[str, int], Provider]:
    """Key the providers by name and number: two may have the same name, of which `check` warns."""
    seen: Counter[str] = Counter()
    found = {}
    for provider in providers:
        found[provider.name, seen[provider.name]] = provider
        seen[provider.name] += 1
    return found


def _provider_changes(
    before: Mapping[tuple[str, int], Provider], after: Mapping[tuple[str, int], Provider]
) -> Iterator[ProviderChange]:
    for change, key in _changes(before, after, lambda key: before[key] != after[key]):
        if change is Change.CHANGED:
            was, is_ = before[key], after[key]
            yield ProviderChange(key[0], change, _differing(was, is_), was, is_)
        else:
            yield ProviderChange(key[0], change)


def _pool_changes(before: Mapping[str, PoolInUse], after: Mapping[str, PoolConfig], read: Read) -> Iterator[PoolChange]:
    changed: dict[str, PoolChange] = {}

    def is_changed(name: str) -> bool:
        changed[name] = _changed_pool(name, before[name], after[name], read.get(name))
        return bool(changed[name].fields or changed[name].accounts)

    for change, name in _changes(before, after, is_changed):
        match change:
            case Change.ADDED:
                accounts = AccountChanges(added=tuple(read.get(name, ())) or _accounts(after[name].loader))
                yield PoolChange(
                    name,
                    change,
                    after[name].policy,
                    _sql(after[name].loader),
                    accounts=accounts,
                    gateways=GatewayCounts(added=len(accounts.added)),
                )
            case Change.CHANGED:
                yield changed[name]
            case Change.REMOVED:
                accounts = AccountChanges(removed=tuple(before[name].accounts))
                gateways = GatewayCounts(removed=len(accounts.removed))
                yield PoolChange(name, change, before[name].policy, None, accounts=accounts, gateways=gateways)


def _changed_pool(name: str, now: PoolInUse, wanted: PoolConfig, read: Sequence[Account] | None) -> PoolChange:
    loader = _sql(wanted.loader)
    if loader is None:
        accounts = plan_accounts(now.accounts, _accounts(wanted.loader))
    elif read is not None:
        # The order of a database is not kept.
        accounts = dataclasses.replace(plan_accounts(now.accounts, read), order=())
    else:
        accounts = AccountChanges()
    fields = _differing(now.policy, wanted.policy)
    replaced = sum(_is_other(one.before, now.policy, one.after, wanted.policy) for one in accounts.changed)
    by_policy = _replaced_by_policy(now, wanted.policy, accounts) if fields else 0
    return PoolChange(
        name,
        Change.CHANGED,
        wanted.policy,
        loader,
        fields if loader == now.loader else (*fields, "loader"),
        accounts,
        GatewayCounts(len(accounts.added), replaced + by_policy, len(accounts.removed)),
        now.policy,
    )


def _replaced_by_policy(now: PoolInUse, policy: PoolPolicy, accounts: AccountChanges) -> int:
    """Count unchanged accounts that get a new gateway because of the policy."""
    touched = [*(one.before for one in accounts.changed), *accounts.removed]
    others = {account.uri.lookup_key for account in touched}
    staying = (account for account in now.accounts if account.uri.lookup_key not in others)
    return sum(_is_other(account, now.policy, account, policy) for account in staying)


def _is_other(before: Account, policy_before: PoolPolicy, after: Account, policy_after: PoolPolicy) -> bool:
    return gateway_definition(before, policy_before) != gateway_definition(after, policy_after)


def _changes(
    before: Mapping[_T, Any], after: Mapping[_T, Any], is_changed: Callable[[_T], bool]
) -> Iterator[tuple[Change, _T]]:
    """Yield items that are only in one of the two, or differ."""
    for key in after:
        if key not in before:
            yield Change.ADDED, key
        elif is_changed(key):
            yield Change.CHANGED, key
    for key in before:
        if key not in after:
            yield Change.REMOVED, key


def _differing(before: Any, after: Any) -> tuple[str, ...]:
    """Return the names of the fields in which two values of a dataclass differ."""
    names = (field.name for field in dataclasses.fields(before) if field.compare)
    return tuple(name for name in names if getattr(before, name) != getattr(after, name))


def _sql(loader: tuple[Account, ...] | SqlLoader) -> SqlLoader | None:
    return loader if isinstance(loader, SqlLoader) else None


def _accounts(loader: tuple[Account, ...] | SqlLoader) -> tuple[Account, ...]:
    return () if isinstance(loader, SqlLoader) else loader

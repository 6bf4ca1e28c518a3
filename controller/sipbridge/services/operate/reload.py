"""Reloads the providers file and applies the differences, while calls continue."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from sipbridge.config.load import LoadResult
from sipbridge.config.text.diagnostic import Diagnostic
from sipbridge.core.accounts.account import Account, account_id
from sipbridge.core.bridge_config import BridgeConfig
from sipbridge.core.calls.routing_table import pool_keys
from sipbridge.core.errors import SipBridgeError
from sipbridge.core.pools.account_pool import AccountPool, Line
from sipbridge.core.providers.provider import SqlLoader
from sipbridge.ports import Scheduler
from sipbridge.services.accounts.pool_members import PoolMembers
from sipbridge.services.calls.call_control import CallControl
from sipbridge.services.operate.reload_plan import (
    AccountChanges,
    Change,
    PoolChange,
    PoolInUse,
    ReloadPlan,
    plan_accounts,
    plan_reload,
)
from sipbridge.services.operate.reload_text import format_plan
from sipbridge.services.slices import Slices

_log = logging.getLogger(__name__)

_SLICE = 100
"""Accounts changed without yielding: about 5 ms, in which no call is decided."""

Follow = Callable[[BridgeConfig, Mapping[str, AccountPool]], None]
"""Synchronizes exactly the given pools with their databases. After it returns, pools that no longer have one are left
alone."""


class Databases(Protocol):
    """The databases of the pools that have one."""

    def read(self, name: str, loader: SqlLoader) -> Iterable[Account]:
        """All accounts of a pool. Raises SourceUnavailable, SourceError."""

    def load_again(self) -> None:
        """Have every pool read its database again, and apply the differences."""


class ReloadBusy(SipBridgeError):
    """Another reload is in progress."""


@dataclass(frozen=True, slots=True)
class ReloadResult:
    """The result of a reload.

    Attributes:
        diagnostics: the errors and warnings of the file.
        plan: what changed, or would change; None if the file has errors and nothing changed.
    """

    diagnostics: tuple[Diagnostic, ...]
    plan: ReloadPlan | None


class Reload:
    """Brings the tables of call control and the gateways up to date with the providers file.

    Args:
        config: the initial configuration.
        load: reads and checks the file.
        follow: told of what is in use, before any account of a pool that is no longer read from a database changes.
        databases: where the accounts of pools with a loader are read; None where they are not to be.
    """

    def __init__(
        self,
        calls: CallControl,
        members: PoolMembers,
        config: BridgeConfig,
        load: Callable[[], LoadResult],
        follow: Follow,
        scheduler: Scheduler,
        databases: Databases | None = None,
    ) -> None:
        self._databases = databases
        self._calls = calls
        self._members = members
        self._loaders = _loaders(config)
        self._load = load
        self._follow = follow
        self._scheduler = scheduler
        self._slices = Slices(scheduler, _SLICE)
        self._is_under_way = False

    def reload(self, *, dry_run: bool = False) -> ReloadResult:
        """Read the file again and apply the differences; waits, and yields to other greenlets.

        Args:
            dry_run: only find out what would change.

        Raises:
            ReloadBusy: another one is under way.
            SourceUnavailable, SourceError: a database cannot be read; nothing is changed.
        """
        if self._is_under_way:
            raise ReloadBusy("another reload is in progress")
        self._is_under_way = True
        try:
            loaded, plan = self._prepare()
            if not dry_run:
                _log_result(loaded, plan)
                if plan:
                    self._apply(plan)
                    _log.info("reload: done")
        finally:
            self._is_under_way = False
        return ReloadResult(loaded.diagnostics, plan)

    def _prepare(self) -> tuple[LoadResult, ReloadPlan | None]:
        loaded = self._scheduler.apart(self._load)
        if (config := loaded.config) is None:
            return loaded, None
        read = self._read_databases(config)
        # Only now: what Redis has told meanwhile is in both.
        table = self._calls.table
        pools = {name: self._in_use(pool) for name, pool in table.pools.items()}
        return loaded, self._scheduler.apart(lambda: plan_reload(table.providers, pools, config, read))

    def _read_databases(self, config: BridgeConfig) -> dict[str, list[Account]]:
        """The accounts that every pool in a database will have; one that does not answer ends the reload."""
        if self._databases is None:
            return {}
        return {
            name: list(config.pools[name].policy.usable(self._databases.read(name, loader)))
            for name, loader in _loaders(config).items()
        }

    def _in_use(self, pool: AccountPool) -> PoolInUse:
        return PoolInUse(pool.policy, self._loaders.get(pool.policy.name), [line.account for line in pool])

    def _apply(self, plan: ReloadPlan) -> None:
        """Apply a plan. Calls are decided meanwhile, by the old table until everything in the new one exists.

        Removals come before gateways of new accounts are added, so that an account that moves to another pool does not
        register there before it has unregistered here.
        """
        before = self._calls.table.pools
        wanted = plan.config.pools
        pools = {
            name: before[name] if name in before else self._members.new_pool(wanted[name].policy) for name in wanted
        }
        keys = pool_keys(plan.config)
        self._follow(plan.config, pools)
        for name, pool in pools.items():
            pool.index_by(keys[name], self._slices.each)
        changes = [change for change in plan.pools if change.change is not Change.REMOVED]
        new = [line for change in changes for line in self._change(pools[change.name], change, plan)]
        self._use(plan.config, pools)
        for name, pool in pools.items():
            pool.forget_keys(keys[name])
        for change in plan.pools:
            if change.change is Change.REMOVED:
                self._members.remove_pool(before[change.name], self._slices)
        if self._databases is not None:
            # What was read is compared; who follows a database is the only one that changes its pool.
            self._databases.load_again()
        for line in self._slices.each(new):
            self._members.admit(line)

    def _change(self, pool: AccountPool, change: PoolChange, plan: ReloadPlan) -> list[Line]:
        """Apply the plan to a pool; gives back the new lines, which get no gateways yet."""
        members, each = self._members, self._slices.each
        members.use_policy(pool, change.policy, self._slices)
        wanted = plan.config.pools[change.name].loader
        accounts = AccountChanges() if isinstance(wanted, SqlLoader) else change.accounts
        if change.name in self._loaders and not isinstance(wanted, SqlLoader):
            # The database may have changed others since they were compared.
            now, in_file = [line.account for line in pool], wanted
            accounts = self._scheduler.apart(lambda: plan_accounts(now, in_file))
        for changed in each(accounts.changed):
            members.replace(_line(pool, changed.before), changed.after)
        for removed in each(accounts.removed):
            members.remove(_line(pool, removed))
        new = [members.enlist(pool, account) for account in each(accounts.added)]
        if accounts.order:
            members.reorder(pool, [_line(pool, account).id for account in each(accounts.order)])
        return new

    def _use(self, config: BridgeConfig, pools: Mapping[str, AccountPool]) -> None:
        table = self._calls.table
        drained = table.drained.intersection(provider.name for provider in config.providers)
        for name, pool in pools.items():
            pool.note_skipped(config.pools[name].skipped)
        self._calls.use_table(dataclasses.replace(table, providers=config.providers, pools=pools, drained=drained))
        self._loaders = _loaders(config)


def _loaders(config: BridgeConfig) -> dict[str, SqlLoader]:
    return {name: pool.loader for name, pool in config.pools.items() if isinstance(pool.loader, SqlLoader)}


def _line(pool: AccountPool, account: Account) -> Line:
    line = pool.get(account_id(pool.policy.name, account.uri))
    if line is None:
        raise AssertionError(f"pool {pool.policy.name} has no account {account.uri}")
    return line


def _log_result(loaded: LoadResult, plan: ReloadPlan | None) -> None:
    for found in loaded.diagnostics:
        _log.log(logging.ERROR if found.is_error else logging.WARNING, "reload: %s", found)
    if plan is None:
        _log.error("reload: the file has errors; the previous configuration stays in use")
    else:
        for line in format_plan(plan).splitlines():
            _log.info("reload: %s", line)

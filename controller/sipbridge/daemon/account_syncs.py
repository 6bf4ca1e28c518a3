"""Runs the synchronization of all pools with databases, and the Redis subscription that reports changes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Protocol

from sipbridge.core.accounts.account import Account
from sipbridge.core.accounts.account_notification import AccountNotification
from sipbridge.core.bridge_config import BridgeConfig
from sipbridge.core.pools.account_pool import AccountPool
from sipbridge.core.providers.provider import SqlLoader
from sipbridge.daemon.supervisor import Supervisor, Task
from sipbridge.ports import AccountSource, Clock, SourceError, SourceUnavailable
from sipbridge.services.accounts.account_sync import AccountSync, SyncState
from sipbridge.services.accounts.pool_members import PoolMembers
from sipbridge.services.accounts.unread_pools import UnreadPools
from sipbridge.settings.redis import RedisSettings

# SQLAlchemy and Redis take as long to import as everything else together, so they are imported only if used.
if TYPE_CHECKING:
    from sipbridge.adapters.redis.redis_notifications import RedisNotifications

_STEP_S = 0.05
"""How often a pool checks for work: a change in the database reaches FreeSWITCH well within two seconds."""


class OpenSource(AccountSource, Protocol):
    """A source with open connections."""

    def close(self) -> None:
        """Close the connections; busy ones after their query."""


MakeSource = Callable[[str, SqlLoader], OpenSource]
"""Creates the source of a pool from its name and loader."""


def sql_source(pool_name: str, loader: SqlLoader) -> OpenSource:
    """Create the database source of a loader."""
    from sipbridge.adapters.sql.sql_accounts import SqlAccounts

    return SqlAccounts(pool_name, loader)


class AccountSyncs:
    """One `AccountSync` for each pool with an SQL loader, each in a greenlet of its own.

    Args:
        members: adds, replaces and removes the accounts.
        unread: told which databases are still to be read for the first time.
        make_source: where accounts are read from.

    Attributes:
        redis_status: ``OK``, or why no notifications arrive.
    """

    def __init__(
        self,
        redis: RedisSettings,
        clock: Clock,
        members: PoolMembers,
        unread: UnreadPools,
        supervisor: Supervisor,
        make_source: MakeSource = sql_source,
    ) -> None:
        self._clock = clock
        self._members = members
        self._unread = unread
        self._supervisor = supervisor
        self._make_source = make_source
        self._loaders: dict[str, SqlLoader] = {}
        self._sources: dict[str, OpenSource] = {}
        self._syncs: dict[str, AccountSync] = {}
        self._greenlets: dict[str, Task] = {}
        self._is_stopped = False
        self._redis = self._notifications(redis) if redis.is_used else None
        self.redis_status = "not used" if self._redis is None else "not connected yet"

    def start(self, config: BridgeConfig, pools: Mapping[str, AccountPool]) -> None:
        """Load every pool that is in a database, and listen for changes."""
        self.follow(config, pools)
        if self._redis is not None:
            self._supervisor.spawn(self._redis.run)

    def follow(self, config: BridgeConfig, pools: Mapping[str, AccountPool]) -> None:
        """Follow a new configuration; pools with the same loader continue unchanged."""
        if self._is_stopped:
            return
        wanted = {name: pool.loader for name, pool in config.pools.items() if isinstance(pool.loader, SqlLoader)}
        for name in [name for name, loader in self._loaders.items() if wanted.get(name) != loader]:
            self._stop_sync(name)
        new = [name for name in wanted if name not in self._syncs]
        self._unread.expect(new)
        for name, loader in wanted.items():
            if name in new:
                self._loaders[name] = loader
                source = self._sources[name] = self._make_source(name, loader)
                sync = AccountSync(pools[name], source, self._clock, self._members, self._unread)
                self._syncs[name] = sync
                self._greenlets[name] = self._supervisor.spawn_steps(sync.step, _STEP_S)

    def stop(self) -> None:
        """Stop everything for good, even during a reload. Accounts stay as they are."""
        self._is_stopped = True
        if self._redis is not None:
            self._redis.stop()
        for name in list(self._syncs):
            self._stop_sync(name)

    def states(self) -> dict[str, SyncState]:
        """Return the synchronization state of each pool."""
        return {name: sync.state for name, sync in self._syncs.items()}

    def pending_notifications(self) -> dict[str, int]:
        """Return the number of accounts of each pool still to be read."""
        return {name: sync.pending_notifications for name, sync in self._syncs.items()}

    @property
    def is_redis_up(self) -> bool | None:
        """Whether notifications arrive; None if Redis is not used."""
        return None if self._redis is None else self.redis_status == "OK"

    def on_notifications_up(self) -> None:
        """Load everything again, because earlier changes are unknown."""
        self.redis_status = "OK"
        self.load_again()

    def load_again(self) -> None:
        """Read every database again, and apply the differences."""
        for sync in self._syncs.values():
            sync.load_again()

    def read(self, name: str, loader: SqlLoader) -> list[Account]:
        """All accounts of a pool, over connections of their own; nothing is changed.

        Raises:
            SourceUnavailable: the database cannot be read now.
            SourceError: a query fails, or lacks a column.
        """
        source = self._make_source(name, loader)
        try:
            return [account for batch in source.load_all() for account in batch.accounts]
        except (SourceUnavailable, SourceError) as error:
            raise type(error)(f"pool {name}: {error}") from error
        finally:
            source.close()

    def on_notifications_down(self, reason: str) -> None:
        """Do nothing: known accounts stay, and all are loaded when notifications arrive again."""
        self.redis_status = reason

    def on_notification(self, notification: AccountNotification) -> None:
        """Notify every pool: only its database knows whether it has the account."""
        for sync in self._syncs.values():
            sync.notify(notification)

    def _notifications(self, settings: RedisSettings) -> RedisNotifications:
        from sipbridge.adapters.redis.redis_notifications import RedisNotifications

        return RedisNotifications(settings, self)

    def _stop_sync(self, name: str) -> None:
        self._supervisor.stop(self._greenlets.pop(name))
        self._sources.pop(name).close()
        del self._syncs[name], self._loaders[name]
        self._unread.note_read(name)

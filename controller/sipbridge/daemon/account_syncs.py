"""The databases of all pools that have one, and the Redis that tells of changes: what runs, and who tells whom."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Protocol

import gevent

from sipbridge.core.accounts.account_notification import AccountNotification
from sipbridge.core.bridge_config import BridgeConfig
from sipbridge.core.pools.account_pool import AccountPool, Line
from sipbridge.core.providers.provider import SqlLoader
from sipbridge.ports import AccountSource, Clock
from sipbridge.services.account_sync import AccountSync, SourceStatus, SyncState
from sipbridge.settings.redis import RedisSettings

# SQLAlchemy and Redis take as long to import as everything else together. Who has neither starts without.
if TYPE_CHECKING:
    from sipbridge.adapters.redis.redis_notifications import RedisNotifications

_STEP_S = 0.05
"""How often a pool looks for work: a change in the database is in FreeSWITCH well within two seconds."""

Follow = Callable[[Line], None]


class OpenSource(AccountSource, Protocol):
    """A source that holds connections."""

    def close(self) -> None:
        """Give them up, those in use after their query."""


MakeSource = Callable[[str, SqlLoader], OpenSource]
"""Makes the source of a pool from its name and its loader."""


def sql_source(pool_name: str, loader: SqlLoader) -> OpenSource:
    """The database of a loader."""
    from sipbridge.adapters.sql.sql_accounts import SqlAccounts

    return SqlAccounts(pool_name, loader)


class AccountSyncs:
    """One `AccountSync` for each pool with an SQL loader, each in a greenlet of its own.

    Args:
        on_changed: told of each line whose account is new or another.
        on_removed: told of each line whose account is gone.
        on_failed: told of a greenlet that ended with an exception, which is a defect.
        make_source: where accounts are read from.

    Attributes:
        redis_status: ``OK``, or why no notifications come.
    """

    def __init__(
        self,
        redis: RedisSettings,
        clock: Clock,
        on_changed: Follow,
        on_removed: Follow,
        on_failed: Callable[[gevent.Greenlet[..., None]], None],
        make_source: MakeSource = sql_source,
    ) -> None:
        self._clock = clock
        self._on_changed = on_changed
        self._on_removed = on_removed
        self._on_failed = on_failed
        self._make_source = make_source
        self._loaders: dict[str, SqlLoader] = {}
        self._sources: dict[str, OpenSource] = {}
        self._syncs: dict[str, AccountSync] = {}
        self._greenlets: dict[str, gevent.Greenlet[..., None]] = {}
        self._is_stopped = False
        self._redis = self._notifications(redis) if redis.is_used else None
        self.redis_status = "not used" if self._redis is None else "not connected yet"

    def start(self, config: BridgeConfig, pools: Mapping[str, AccountPool]) -> None:
        """Load every pool that is in a database, and listen for changes."""
        self.follow(config, pools)
        if self._redis is not None:
            self._spawn(self._redis.run)

    def follow(self, config: BridgeConfig, pools: Mapping[str, AccountPool]) -> None:
        """Be as the configuration is now: pools whose loader is the same go on as they are."""
        if self._is_stopped:
            return
        wanted = {name: pool.loader for name, pool in config.pools.items() if isinstance(pool.loader, SqlLoader)}
        for name in [name for name, loader in self._loaders.items() if wanted.get(name) != loader]:
            self._stop_sync(name)
        for name, loader in wanted.items():
            if name not in self._syncs:
                self._loaders[name] = loader
                source = self._sources[name] = self._make_source(name, loader)
                sync = AccountSync(pools[name], source, self._clock, self._on_changed, self._on_removed)
                self._syncs[name] = sync
                self._greenlets[name] = self._spawn(_keep_in_step, sync)

    def stop(self) -> None:
        """Stop all of it, for good: a reload that is under way starts none again. Accounts stay as they are."""
        self._is_stopped = True
        if self._redis is not None:
            self._redis.stop()
        for name in list(self._syncs):
            self._stop_sync(name)

    @property
    def knows_all(self) -> bool:
        """Whether every database has been read once."""
        return all(sync.state.status is not SourceStatus.LOADING for sync in self._syncs.values())

    def states(self) -> dict[str, SyncState]:
        """How each pool gets on with its database."""
        return {name: sync.state for name, sync in self._syncs.items()}

    def pending_notifications(self) -> dict[str, int]:
        """How many accounts of each pool are still to be asked for."""
        return {name: sync.pending_notifications for name, sync in self._syncs.items()}

    @property
    def is_redis_up(self) -> bool | None:
        """Whether notifications come; None where Redis is not used."""
        return None if self._redis is None else self.redis_status == "OK"

    def on_notifications_up(self) -> None:
        """Load everything again: what changed before is unknown."""
        self.redis_status = "OK"
        for sync in self._syncs.values():
            sync.load_again()

    def on_notifications_down(self, reason: str) -> None:
        """Nothing to do: the accounts that are known stay, and all are loaded when notifications come again."""
        self.redis_status = reason

    def on_notification(self, notification: AccountNotification) -> None:
        """Tell every pool: which of them has the account, only its database knows."""
        for sync in self._syncs.values():
            sync.notify(notification)

    def _notifications(self, settings: RedisSettings) -> RedisNotifications:
        from sipbridge.adapters.redis.redis_notifications import RedisNotifications

        return RedisNotifications(settings, self)

    def _stop_sync(self, name: str) -> None:
        self._greenlets.pop(name).kill()
        self._sources.pop(name).close()
        del self._syncs[name], self._loaders[name]

    def _spawn(self, run: Callable[..., None], *arguments: object) -> gevent.Greenlet[..., None]:
        greenlet = gevent.spawn(run, *arguments)
        greenlet.link_exception(self._on_failed)
        return greenlet


def _keep_in_step(sync: AccountSync) -> None:
    while True:
        sync.step()
        gevent.sleep(_STEP_S)

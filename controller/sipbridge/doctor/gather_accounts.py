"""Databases and Redis, asked once, become `SourceFacts`; accounts come with them. Never writes."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

from sipbridge.adapters.redis_connection import RedisLost
from sipbridge.adapters.redis_subscription import RedisSubscription
from sipbridge.adapters.sql_accounts import SqlAccounts
from sipbridge.config.load import BridgeConfig
from sipbridge.config.redis_settings import RedisSettings
from sipbridge.core.account import Account
from sipbridge.core.provider import SqlLoader
from sipbridge.doctor.facts import SourceFacts
from sipbridge.ports import SourceError, SourceUnavailable


@dataclass(frozen=True, slots=True)
class Gathered:
    """What came of asking.

    Attributes:
        own_hops: accounts that do not go where their pool goes, each with its pool.
        unread: pools whose databases were not asked.
    """

    sources: tuple[SourceFacts, ...]
    own_hops: tuple[tuple[str, Account], ...]
    unread: tuple[str, ...]


def gather_accounts(config: BridgeConfig, redis: RedisSettings, *, connect: bool) -> Gathered:
    """Ask the databases, if they are to be connected to, and Redis, if it is used."""
    sources: list[SourceFacts] = []
    own_hops: list[tuple[str, Account]] = []
    unread: list[str] = []
    for name, pool in config.pools.items():
        if not isinstance(pool.loader, SqlLoader):
            own_hops += [(name, account) for account in pool.loader if _has_own_hop(account)]
        elif connect:
            sources.append(_read_database(name, pool.loader, own_hops))
        else:
            unread.append(f"pool {name}")
    if redis.is_used:
        sources.append(_ask_redis(redis))
    return Gathered(tuple(sources), tuple(own_hops), tuple(unread))


def _read_database(name: str, loader: SqlLoader, own_hops: list[tuple[str, Account]]) -> SourceFacts:
    read = skipped = 0
    problems: list[str] = []
    with contextlib.closing(SqlAccounts(name, loader)) as source:
        try:
            for batch in source.load_all():
                read += len(batch.accounts)
                skipped += batch.skipped
                own_hops += [(name, account) for account in batch.accounts if _has_own_hop(account)]
        except (SourceUnavailable, SourceError) as error:
            problems.append(str(error))
    if skipped:
        problems.append(f"{skipped} rows are no accounts")
    return SourceFacts(f"pool {name}", f"{read} accounts in its database", tuple(problems))


def _has_own_hop(account: Account) -> bool:
    return account.outbound_proxy is not None or account.registrar is not None


def _ask_redis(settings: RedisSettings) -> SourceFacts:
    subscription = RedisSubscription(settings)
    try:
        where = subscription.open()
    except RedisLost as lost:
        return SourceFacts("Redis", "no notifications of changed accounts", (str(lost),))
    finally:
        subscription.close()
    return SourceFacts("Redis", f"subscribed to {settings.channel} at {where}")

"""Reads databases and Redis once, and gathers `SourceFacts` and the accounts' next hops. Never writes."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sipbridge.adapters.redis.redis_connection import RedisLost
from sipbridge.adapters.redis.redis_subscription import RedisSubscription
from sipbridge.adapters.sql.sql_accounts import SqlAccounts
from sipbridge.core.accounts.account import Account, AccountFault
from sipbridge.core.bridge_config import BridgeConfig
from sipbridge.core.providers.edge import Edge, edge_reason
from sipbridge.core.providers.provider import PoolPolicy, SqlLoader
from sipbridge.doctor.facts import Exit, SourceFacts
from sipbridge.ports import SourceError, SourceUnavailable
from sipbridge.settings.redis import RedisSettings


@dataclass(frozen=True, slots=True)
class Gathered:
    """The gathered facts about accounts.

    Attributes:
        own_hops: accounts with a proxy or registrar of their own, each with its pool.
        exits: by which ways the requests of a pool's accounts leave.
        unread: pools whose databases were not read.
    """

    sources: tuple[SourceFacts, ...]
    own_hops: tuple[tuple[str, Account], ...]
    exits: Mapping[str, frozenset[Exit]]
    unread: tuple[str, ...]


def gather_accounts(config: BridgeConfig, redis: RedisSettings, *, connect: bool) -> Gathered:
    """Read the databases if `connect` is set, and query Redis if it is used."""
    pools = {name: _Pool(pool.policy) for name, pool in config.pools.items()}
    sources: list[SourceFacts] = []
    unread: list[str] = []
    for name, pool in config.pools.items():
        if not isinstance(pool.loader, SqlLoader):
            pools[name].add(pool.loader)
        elif connect:
            sources.append(_read_database(pools[name], pool.loader))
        else:
            unread.append(f"pool {name}")
    if redis.is_used:
        sources.append(_ask_redis(redis))
    own_hops = tuple((name, account) for name, pool in pools.items() for account in pool.own_hops)
    return Gathered(tuple(sources), own_hops, {name: pool.exits for name, pool in pools.items()}, tuple(unread))


def exit_of(account: Account, edge: Edge | None) -> Exit:
    """Return the way by which requests of an account leave."""
    return Exit.GATEWAYS if edge_reason(account, edge) is None else Exit.EDGE


class _Pool:
    """Collects facts about the accounts of a pool as they are read."""

    def __init__(self, policy: PoolPolicy) -> None:
        self.name = policy.name
        self.own_hops: list[Account] = []
        self.unusable: list[tuple[Account, AccountFault]] = []
        self._policy = policy
        self._edge = policy.edge
        self._has_proxy = policy.outbound_proxy is not None
        self._exits: set[Exit] = set()

    def add(self, accounts: Iterable[Account]) -> None:
        for account in accounts:
            if fault := self._policy.fault_of(account):
                self.unusable.append((account, fault))
                continue
            self._exits.add(exit_of(account, self._edge))
            if account.outbound_proxy is not None or account.registrar is not None or not self._has_proxy:
                self.own_hops.append(account)

    @property
    def exits(self) -> frozenset[Exit]:
        """The ways that the accounts use; if none were read, the default of most pools."""
        takes_all = self._edge is not None and self._edge.takes_all is not None
        return frozenset(self._exits) or frozenset({Exit.EDGE if takes_all else Exit.GATEWAYS})


def _read_database(pool: _Pool, loader: SqlLoader) -> SourceFacts:
    read = skipped = 0
    problems: list[str] = []
    with contextlib.closing(SqlAccounts(pool.name, loader)) as source:
        try:
            for batch in source.load_all():
                read += len(batch.accounts)
                skipped += batch.skipped
                pool.add(batch.accounts)
        except (SourceUnavailable, SourceError) as error:
            problems.append(str(error))
    if skipped:
        problems.append(f"{skipped} rows are not valid accounts")
    if pool.unusable:
        account, fault = pool.unusable[0]
        problems.append(f"{len(pool.unusable)} accounts are not used; the first is {account.uri}: {fault.message}")
    return SourceFacts(f"pool {pool.name}", f"{read} accounts in its database", tuple(problems))


def _ask_redis(settings: RedisSettings) -> SourceFacts:
    subscription = RedisSubscription(settings)
    try:
        where = subscription.open()
    except RedisLost as lost:
        return SourceFacts("Redis", "no notifications of changed accounts", (str(lost),))
    finally:
        subscription.close()
    return SourceFacts("Redis", f"subscribed to {settings.channel} at {where}")

"""Provides metrics of pools, their accounts and databases. Pure: reads counts that exist anyway."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

from sipbridge.core.gateways.registration import RegistrationStatus
from sipbridge.core.observe import metrics
from sipbridge.core.observe.metric import Metric, Samples
from sipbridge.services.accounts.account_sync import AccountSources, SourceStatus
from sipbridge.services.calls.call_control import CallControl
from sipbridge.services.gateways.gateway_keeper import GatewayKeeper

_T = TypeVar("_T")

_STATES = {
    RegistrationStatus.REGISTERED: "registered",
    RegistrationStatus.IN_PROGRESS: "in_progress",
    RegistrationStatus.FAILED: "failed",
    RegistrationStatus.NONE: "none",
}


class AccountMetrics:
    """The metrics of all pools.

    Args:
        calls: has the pools that calls are decided by now.
        sources: how each pool that has a database gets on with it.
    """

    def __init__(
        self,
        calls: CallControl,
        gateways: GatewayKeeper,
        sources: AccountSources,
    ) -> None:
        self._calls = calls
        self._gateways = gateways
        self._sources = sources

    def metrics(self) -> Iterator[Metric]:
        """All of it."""
        pools = self._calls.table.pools
        states: Samples = {
            (name, _STATES[status]): count
            for name, pool in pools.items()
            for status, count in pool.tally.registrations.items()
        }
        yield metrics.ACCOUNTS.of(states)
        yield metrics.AVAILABLE.of(_each(pools, lambda pool: pool.available_count))
        yield metrics.DRAINED.of(_each(pools, lambda pool: len(pool.tally.drained)))
        yield metrics.LINES.of(_each(pools, lambda pool: len(pool) * pool.policy.max_calls_per_line))
        yield metrics.LINES_USED.of(_each(pools, lambda pool: pool.tally.calls))
        yield metrics.GATEWAYS_TO_ADD.one(self._gateways.pending_additions)
        yield metrics.GATEWAYS_TO_REMOVE.one(self._gateways.pending_removals)
        yield metrics.LOST_GATEWAYS.one(self._gateways.memory.lost_gateways)
        yield metrics.LOST_MEMORY.one(self._gateways.memory.lost_bytes)
        syncs = self._sources.states()
        yield metrics.SOURCE_UP.of(_each(syncs, lambda state: not state.problem))
        yield metrics.SOURCE_LOADED.of(_each(syncs, lambda state: state.status is not SourceStatus.LOADING))
        yield metrics.SOURCE_SKIPPED.of(_each(syncs, lambda state: state.skipped))
        yield metrics.SOURCE_PENDING.of(_each(self._sources.pending_notifications(), float))


def _each(values: Mapping[str, _T], number: Callable[[_T], float]) -> Samples:
    """Return a number for each value, by name."""
    return {(name,): number(value) for name, value in values.items()}

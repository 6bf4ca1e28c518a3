"""Builds snapshots of the state of all services. Pure."""

from __future__ import annotations

from collections import Counter

from sipbridge.core.calls.routing import Bridge
from sipbridge.core.gateways.registration import RegistrationStatus
from sipbridge.core.observe.snapshot import (
    AccountPage,
    AccountQuery,
    AccountState,
    BridgeState,
    CallCounts,
    Failure,
    PoolState,
    ProviderState,
    Snapshot,
    SourceState,
    SwitchState,
    TrafficState,
)
from sipbridge.core.pools.account_pool import AccountPool, Line
from sipbridge.ports import Clock, Scheduler
from sipbridge.services.accounts.account_sync import AccountSources, SyncState
from sipbridge.services.calls.admission import Admission
from sipbridge.services.calls.call_control import CallControl
from sipbridge.services.calls.call_journal import CallJournal
from sipbridge.services.edge.edge_sync import EdgeSync
from sipbridge.services.gateways.gateway_keeper import GatewayKeeper
from sipbridge.services.network_watch import NetworkWatch
from sipbridge.services.observe.account_pages import find_lines
from sipbridge.services.observe.traffic import Traffic
from sipbridge.services.sip_health import SipHealth
from sipbridge.services.switch_session import SwitchSession

_COMMONEST = 5
"""The number of failure reasons that are listed."""


class Status:
    """Builds snapshots of all services.

    The cost does not grow with the number of accounts, except for queries that scan all of them.

    Args:
        version: of the daemon.
        sources: how it is with the databases of pools, and with notifications.
        edge: None when there is no edge.
    """

    def __init__(
        self,
        version: str,
        clock: Clock,
        scheduler: Scheduler,
        *,
        calls: CallControl,
        journal: CallJournal,
        session: SwitchSession,
        admission: Admission,
        gateways: GatewayKeeper,
        traffic: Traffic,
        sources: AccountSources,
        edge: EdgeSync | None,
        network: NetworkWatch,
        sip: SipHealth,
    ) -> None:
        self._version = version
        self._clock = clock
        self._scheduler = scheduler
        self._calls = calls
        self._journal = journal
        self._session = session
        self._admission = admission
        self._gateways = gateways
        self._traffic = traffic
        self._sources = sources
        self._edge = edge
        self._network = network
        self._sip = sip
        self._started = clock.monotonic()

    def snapshot(self, query: AccountQuery) -> Snapshot:
        """Return the current state, with the accounts that the query asks for."""
        # First, because it may yield: the rest of the snapshot is then from one moment.
        accounts = self._accounts(query) if query.limit else AccountPage()
        return Snapshot(
            bridge=self._bridge(),
            switch=self._switch(),
            traffic=self._traffic_state(),
            providers=self._providers(),
            pools=self._pools(),
            redis=self._sources.redis_status,
            network=self._network.problem,
            sip=self._sip.problem,
            accounts=accounts,
            edge=self._edge.state if self._edge is not None else None,
        )

    def _bridge(self) -> BridgeState:
        session = self._session
        return BridgeState(
            version=self._version,
            uptime_s=self._clock.monotonic() - self._started,
            takes_calls=session.has_lease,
            is_drained=not session.takes_calls,
            is_storm=self._admission.is_storm,
        )

    def _switch(self) -> SwitchState:
        session, heartbeat = self._session, self._session.heartbeat
        memory = self._gateways.memory
        return SwitchState(
            is_connected=not session.problem,
            problem=session.problem,
            since_s=self._clock.monotonic() - session.since,
            has_lease=session.has_lease,
            version=heartbeat.version if heartbeat else "",
            uptime_s=heartbeat.uptime_s if heartbeat else None,
            sessions=heartbeat.sessions if heartbeat else None,
            max_sessions=heartbeat.max_sessions if heartbeat else None,
            idle_cpu_percent=heartbeat.idle_cpu_percent if heartbeat else None,
            lost_gateways=memory.lost_gateways,
            lost_mb=round(memory.lost_bytes / 1e6, 1),
            loses_much=memory.is_much,
        )

    def _traffic_state(self) -> TrafficState:
        return TrafficState(
            in_progress=self._calls.calls_in_progress,
            per_second=self._traffic.per_second(),
            recent=self._traffic.recent()[None],
            total=self._traffic.total()[None],
        )

    def _providers(self) -> tuple[ProviderState, ...]:
        table = self._calls.table
        recent, total = self._traffic.recent(), self._traffic.total()
        dtls = self._calls.dtls
        under_way = self._journal.under_way.values()
        calls = Counter(each.decision.provider.name for each in under_way if isinstance(each.decision, Bridge))
        return tuple(
            ProviderState(
                name=provider.name,
                pool=provider.account_pool,
                is_drained=provider.name in table.drained,
                calls=calls[provider.name],
                recent=recent.get(provider.name, CallCounts()),
                total=total.get(provider.name, CallCounts()),
                last_failure=self._traffic.last_failure(provider.name),
                dtls_fault=table.media.dtls_fault_of(provider.outgoing_invite, dtls),
            )
            for provider in table.providers
        )

    def _pools(self) -> tuple[PoolState, ...]:
        sources = self._sources.states()
        return tuple(self._pool(pool, sources.get(name)) for name, pool in self._calls.table.pools.items())

    def _pool(self, pool: AccountPool, source: SyncState | None) -> PoolState:
        policy, tally = pool.policy, pool.tally
        registrar = policy.registrar or policy.outbound_proxy
        return PoolState(
            name=policy.name,
            registrar=registrar.text if registrar else "the domain of each account",
            registration_required=policy.registration_required,
            accounts=len(pool),
            available=pool.available_count,
            registrations={status.value: number for status, number in tally.registrations.items() if number},
            failures=dict(tally.failures.most_common(_COMMONEST)),
            drained=len(tally.drained),
            lines_used=tally.calls,
            max_calls_per_line=policy.max_calls_per_line,
            last_failure=self._last_failure(pool),
            source=SourceState(source.status.value, source.problem, source.skipped) if source else None,
            skipped_accounts=pool.skipped,
            shared_aliases=pool.shared_aliases,
        )

    def _last_failure(self, pool: AccountPool) -> Failure | None:
        line = next(reversed(pool.tally.failed.values()), None)
        if line is None:
            return None
        registration = line.registration
        return Failure(f"{line.account.uri}: {registration.reason}", self._clock.monotonic() - registration.since)

    def _accounts(self, query: AccountQuery) -> AccountPage:
        began = self._clock.monotonic()
        table = self._calls.table
        names = {provider.account_pool for provider in table.providers if provider.name == query.provider}
        pools = [
            pool
            for name, pool in table.pools.items()
            if query.pool in ("", name) and (not query.provider or name in names)
        ]
        lines, matching = find_lines(query, pools, set(self._calls.held.values()), self._scheduler)
        rows = tuple(self._account(line) for line in lines)
        return AccountPage(rows, query.offset, matching, self._clock.monotonic() - began)

    def _account(self, line: Line) -> AccountState:
        account, policy, registration = line.account, line.pool.policy, line.registration
        failed = registration.status is RegistrationStatus.FAILED
        return AccountState(
            uri=account.uri.text,
            alias=account.alias.text if account.alias else "",
            pool=policy.name,
            status=registration.status.value,
            reason=registration.reason,
            is_drained=line.is_drained,
            calls=line.calls,
            max_calls=policy.max_calls_per_line,
            failing_s=self._clock.monotonic() - registration.since if failed else None,
            next_try_s=self._gateways.next_try_s(line.id),
            gateway=self._gateways.gateway_of(line) or "",
            proxy=policy.next_hop(account).text,
            registrar=policy.registrar_of(account).text,
        )

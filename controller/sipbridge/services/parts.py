"""Builds all services on ports, for the daemon and for the tests. Each knows only those that were built before it.

gateways   ask nobody
calls      ask gateways
session    tells calls, gateways and the door what the switch does
members    tell calls and gateways which accounts there are
edge, network watch    ask and tell gateways
operations ask and tell all of them
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sipbridge.config.load import LoadResult
from sipbridge.core.bridge_config import BridgeConfig
from sipbridge.core.calls.routing import DeclineReason, RoutingTable
from sipbridge.ports import (
    Clock,
    EdgeControl,
    Scheduler,
    SofiaProfiles,
    SwitchCalls,
    SwitchGateways,
    SwitchLease,
)
from sipbridge.services.accounts.account_sync import AccountSources
from sipbridge.services.accounts.pool_members import PoolMembers
from sipbridge.services.accounts.unread_pools import UnreadPools
from sipbridge.services.calls.admission import Admission
from sipbridge.services.calls.call_control import CallControl
from sipbridge.services.calls.call_journal import CallJournal
from sipbridge.services.edge.edge_sync import EdgeSync
from sipbridge.services.gateways.gateway_keeper import GatewayKeeper, KeeperSettings
from sipbridge.services.network_watch import NetworkWatch
from sipbridge.services.observe.call_feed import CallFeed
from sipbridge.services.observe.call_pages import CallPages
from sipbridge.services.observe.query_commands import QueryCommands
from sipbridge.services.observe.status import Status
from sipbridge.services.observe.traffic import Traffic
from sipbridge.services.operate.drain import Drain
from sipbridge.services.operate.reload import Databases, Follow, Reload
from sipbridge.services.sip_health import AnswerTime, SipHealth
from sipbridge.services.switch_session import SwitchSession


@dataclass(frozen=True, slots=True)
class Ports:
    """The outside, as services see it.

    Attributes:
        edge: None where accounts need none.
        random_below: returns a uniform integer in ``[0, n)``.
        sip_answer_time_s: asks a SIP port with OPTIONS; see `SipHealth`.
    """

    clock: Clock
    scheduler: Scheduler
    calls: SwitchCalls
    gateways: SwitchGateways
    lease: SwitchLease
    profiles: SofiaProfiles
    edge: EdgeControl | None
    random_below: Callable[[int], int]
    sip_answer_time_s: AnswerTime


@dataclass(frozen=True, slots=True)
class ServiceSettings:
    """The settings of the services.

    Attributes:
        status_lines: what each reason to decline is answered with: ``488 Not Acceptable Here``.
        inside: the sofia profile of our side.
        providers: the sofia profile of the providers' side, which has the gateways.
        recoverable: whether calls are made so that another FreeSWITCH can take them up.
        lease_renewal_s: pause between two renewals of the lease.
        network_stable_s: how long the host's network has to stay as it is before anything is done about it.
        epoch: a random name of this daemon, for the edge.
    """

    keeper: KeeperSettings
    status_lines: Mapping[DeclineReason, str]
    inside: str
    providers: str
    recoverable: bool
    max_calls_per_s: float
    lease_renewal_s: float
    network_stable_s: float
    epoch: str


@dataclass(frozen=True, slots=True)
class Services:
    """The services that carry calls and keep gateways, each of which says what it does."""

    ports: Ports
    gateways: GatewayKeeper
    traffic: Traffic
    feed: CallFeed
    journal: CallJournal
    calls: CallControl
    admission: Admission
    session: SwitchSession
    members: PoolMembers
    unread: UnreadPools
    edge: EdgeSync | None
    network: NetworkWatch
    sip: SipHealth

    @property
    def table(self) -> RoutingTable:
        """What calls are decided by now."""
        return self.calls.table


@dataclass(frozen=True, slots=True)
class Operations:
    """The services that operators use."""

    status: Status
    queries: QueryCommands
    drain: Drain
    reload: Reload


def build_services(ports: Ports, table: RoutingTable, settings: ServiceSettings, unread: UnreadPools) -> Services:
    """Build the services, from the gateways up. Nothing runs yet, and nothing is asked.

    Args:
        unread: the pools whose databases are still to be read; told by those that read them.
    """
    clock, scheduler = ports.clock, ports.scheduler
    gateways = GatewayKeeper(ports.gateways, table.pools.values(), settings.keeper, clock, scheduler, unread.knows_all)
    traffic, feed = Traffic(clock), CallFeed(clock, scheduler)
    journal = CallJournal(clock, [traffic, feed])
    calls = CallControl(
        ports.calls,
        table,
        clock,
        journal,
        gateways=gateways,
        status_lines=settings.status_lines,
        sides=(settings.inside, settings.providers),
        random_below=ports.random_below,
        recoverable=settings.recoverable,
    )
    admission = Admission(ports.lease, clock, settings.max_calls_per_s)
    profiles = (settings.providers, settings.inside)
    session = SwitchSession(ports.lease, calls, gateways, admission, clock, settings.lease_renewal_s)
    return Services(
        ports,
        gateways,
        traffic,
        feed,
        journal,
        calls,
        admission,
        session=session,
        members=PoolMembers(calls, gateways),
        unread=unread,
        edge=EdgeSync(ports.edge, gateways, clock, settings.epoch) if ports.edge is not None else None,
        network=NetworkWatch(ports.profiles, profiles, gateways.register_again, clock, settings.network_stable_s),
        sip=SipHealth(ports.profiles, profiles, ports.sip_answer_time_s, clock, lambda: session.is_ready),
    )


def build_operations(
    services: Services,
    sources: AccountSources,
    config: BridgeConfig,
    load: Callable[[], LoadResult],
    follow: Follow,
    version: str,
    databases: Databases | None = None,
) -> Operations:
    """Build what operators use.

    Args:
        sources: how it is with the databases.
        config: what is in use now.
        load: reads and checks the providers file.
        follow: has the databases read that a configuration names.
        version: of the daemon.
        databases: where a reload reads the accounts of pools that are in one.
    """
    clock, scheduler = services.ports.clock, services.ports.scheduler
    status = Status(
        version,
        clock,
        scheduler,
        calls=services.calls,
        journal=services.journal,
        session=services.session,
        admission=services.admission,
        gateways=services.gateways,
        traffic=services.traffic,
        sources=sources,
        edge=services.edge,
        network=services.network,
        sip=services.sip,
    )
    pages = CallPages(services.ports.calls, services.calls, services.journal, clock, scheduler)
    return Operations(
        status,
        QueryCommands(status, pages, services.feed),
        Drain(services.calls, services.session, scheduler),
        Reload(services.calls, services.members, config, load, follow, scheduler, databases),
    )

"""The bridge itself: what decides calls and keeps accounts registered, built and wired, not started."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sipbridge.adapters.event_socket.freeswitch import FreeSwitch
from sipbridge.adapters.event_socket.link import LinkSettings
from sipbridge.adapters.event_socket.profiles import Profiles
from sipbridge.adapters.event_socket.spool import Spool
from sipbridge.adapters.greenlets import Greenlets
from sipbridge.adapters.system_clock import SystemClock
from sipbridge.config.collector import without_collector
from sipbridge.core.bridge_config import BridgeConfig
from sipbridge.core.calls.routing import RoutingTable
from sipbridge.core.calls.routing_table import routing_table
from sipbridge.core.pools.account_pool import Line
from sipbridge.daemon.account_syncs import AccountSyncs, MakeSource
from sipbridge.daemon.edge_link import EdgeLink
from sipbridge.ports import Clock, Scheduler
from sipbridge.services.calls.admission import Admission
from sipbridge.services.calls.call_control import CallControl
from sipbridge.services.calls.call_journal import CallJournal
from sipbridge.services.gateways.gateway_keeper import GatewayKeeper, KeeperSettings
from sipbridge.services.network_watch import NetworkWatch
from sipbridge.services.observe.call_feed import CallFeed
from sipbridge.services.observe.traffic import Traffic
from sipbridge.services.switch_session import SwitchSession
from sipbridge.settings import Settings


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts, each of which says what it does."""

    clock: Clock
    scheduler: Scheduler
    spool: Spool
    switch: FreeSwitch
    gateways: GatewayKeeper
    calls: CallControl
    admission: Admission
    session: SwitchSession
    journal: CallJournal
    traffic: Traffic
    feed: CallFeed
    network: NetworkWatch
    edge: EdgeLink
    syncs: AccountSyncs

    @property
    def table(self) -> RoutingTable:
        """What calls are decided by now."""
        return self.calls.table


def build_parts(
    settings: Settings,
    config: BridgeConfig,
    make_source: MakeSource,
    on_failed: Callable[[Any], None],
    *,
    takes_over: bool = False,
) -> Parts:
    """Build all parts.

    Args:
        make_source: where the accounts of a pool with a loader are read from.
        on_failed: told of a greenlet that ended with an exception, which is a defect.
        takes_over: whether another controller of the same FreeSWITCH is put out.
    """
    clock, scheduler = SystemClock(), Greenlets()
    with without_collector():
        table = routing_table(config, settings.media_defaults)
    providers, inside = settings.sofia.provider_profile, settings.sofia.inside_profile
    lease_s = settings.calls.lease_s
    spool = Spool(settings.gateways.spool_file, settings.gateways.retry_s)
    recover_on = (inside, providers) if settings.calls.recover else ()
    switch = FreeSwitch(_link_settings(settings), spool, providers, lease_s, recover_on, takes_over=takes_over)
    gateways = GatewayKeeper(
        switch,
        table.pools.values(),
        _keeper_settings(settings),
        clock,
        scheduler,
        knows_all=lambda: syncs.knows_all,
    )
    traffic, feed = Traffic(clock), CallFeed(clock, scheduler)
    journal = CallJournal(clock, [traffic, feed])
    calls = CallControl(
        switch,
        table,
        clock,
        journal,
        gateway_of=gateways.gateway_of,
        account_behind=gateways.account_behind,
        status_lines=settings.calls.status_lines,
        sides=(inside, providers),
        random_below=secrets.randbelow,
        recoverable=settings.calls.recover,
        switch_version=lambda: session.switch_version,
    )
    admission = Admission(switch, clock, settings.calls.max_calls_per_s)
    session = SwitchSession(switch, calls, gateways, admission, clock, lease_renewal_s=lease_s / 3)

    def on_account_changed(line: Line) -> None:
        calls.on_account_added(line)
        gateways.on_account_changed(line)

    syncs = AccountSyncs(settings.redis, clock, on_account_changed, gateways.on_account_removed, on_failed, make_source)
    return Parts(
        clock,
        scheduler,
        spool,
        switch,
        gateways,
        calls,
        admission,
        session,
        journal,
        traffic,
        feed,
        network=NetworkWatch(
            Profiles(switch.api), (providers, inside), gateways.register_again, clock, settings.network.stable_s
        ),
        edge=EdgeLink(settings.edge, gateways, lambda: session.is_ready, clock),
        syncs=syncs,
    )


def _link_settings(settings: Settings) -> LinkSettings:
    esl = settings.event_socket
    return LinkSettings(
        host=esl.host,
        port=esl.port,
        password=esl.password,
        connect_timeout_s=esl.connect_timeout_s,
        command_timeout_s=esl.command_timeout_s,
        silence_timeout_s=esl.heartbeat_timeout_s,
        backoff_min_s=esl.backoff_min_s,
        backoff_max_s=esl.backoff_max_s,
    )


def _keeper_settings(settings: Settings) -> KeeperSettings:
    gateways = settings.gateways
    return KeeperSettings(
        expires_s=gateways.expires_s,
        max_registrations_per_s=gateways.max_registrations_per_s,
        confirm_timeout_s=gateways.confirm_timeout_s,
        profile=settings.sofia.provider_profile,
        lost_memory_warning_mb=gateways.lost_memory_warning_mb,
    )

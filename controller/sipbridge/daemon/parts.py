"""Builds the adapters, and the services on them. Starts nothing."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version

from sipbridge.adapters.event_socket.freeswitch import FreeSwitch
from sipbridge.adapters.event_socket.link import LinkSettings
from sipbridge.adapters.event_socket.profiles import Profiles
from sipbridge.adapters.event_socket.spool import Spool
from sipbridge.adapters.greenlets import Greenlets
from sipbridge.adapters.kamailio import Kamailio
from sipbridge.adapters.sip_probe import answer_time_s
from sipbridge.adapters.system_clock import SystemClock
from sipbridge.config.collector import without_collector
from sipbridge.config.load import LoadResult
from sipbridge.core.bridge_config import BridgeConfig
from sipbridge.core.calls.routing_table import routing_table
from sipbridge.daemon.account_syncs import AccountSyncs, MakeSource
from sipbridge.daemon.edge_link import EdgeLink
from sipbridge.daemon.supervisor import Supervisor
from sipbridge.services.accounts.unread_pools import UnreadPools
from sipbridge.services.gateways.gateway_keeper import KeeperSettings
from sipbridge.services.parts import Operations, Ports, Services, ServiceSettings, build_operations, build_services
from sipbridge.settings import Settings


@dataclass(frozen=True, slots=True)
class Parts:
    """The services of the daemon."""

    spool: Spool
    switch: FreeSwitch
    services: Services
    operations: Operations
    edge: EdgeLink
    syncs: AccountSyncs


def build_parts(
    settings: Settings,
    config: BridgeConfig,
    make_source: MakeSource,
    load: Callable[[], LoadResult],
    supervisor: Supervisor,
    *,
    takes_over: bool = False,
) -> Parts:
    """Build all parts.

    Args:
        make_source: where the accounts of a pool with a loader are read from.
        load: reads and checks the providers file.
        takes_over: whether another controller of the same FreeSWITCH is put out.
    """
    with without_collector():
        table = routing_table(config, settings.media_defaults)
    spool = Spool(settings.gateways.spool_file, settings.gateways.retry_s)
    switch = _switch(settings, spool, takes_over=takes_over)
    kamailio = Kamailio(settings.edge.rpc_socket)
    clock = SystemClock()
    ports = Ports(
        clock,
        Greenlets(),
        calls=switch,
        gateways=switch,
        lease=switch,
        profiles=Profiles(switch.api),
        edge=kamailio if settings.edge.enabled else None,
        random_below=secrets.randbelow,
        sip_answer_time_s=answer_time_s,
    )
    services = build_services(ports, table, _service_settings(settings), UnreadPools())
    syncs = AccountSyncs(settings.redis, clock, services.members, services.unread, supervisor, make_source)
    return Parts(
        spool,
        switch,
        services,
        build_operations(services, syncs, config, load, syncs.follow, version("sipbridge"), syncs),
        EdgeLink(kamailio, services.edge, supervisor),
        syncs,
    )


def _switch(settings: Settings, spool: Spool, *, takes_over: bool) -> FreeSwitch:
    providers, inside = settings.sofia.provider_profile, settings.sofia.inside_profile
    recover_on = (inside, providers) if settings.calls.recover else ()
    lease_s = settings.calls.lease_s
    return FreeSwitch(_link_settings(settings), spool, providers, lease_s, recover_on, takes_over=takes_over)


def _service_settings(settings: Settings) -> ServiceSettings:
    return ServiceSettings(
        _keeper_settings(settings),
        status_lines=settings.calls.status_lines,
        inside=settings.sofia.inside_profile,
        providers=settings.sofia.provider_profile,
        recoverable=settings.calls.recover,
        max_calls_per_s=settings.calls.max_calls_per_s,
        lease_renewal_s=settings.calls.lease_s / 3,
        network_stable_s=settings.network.stable_s,
        epoch=secrets.token_hex(16),
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

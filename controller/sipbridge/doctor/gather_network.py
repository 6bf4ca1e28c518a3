"""Gathers `HopFacts` for a configuration's proxies and registrars. Queries name servers, and the kernel for routes."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterator, Sequence
from dataclasses import replace

import gevent.pool
from dns.exception import DNSException
from dns.resolver import NXDOMAIN, NoAnswer, resolve

from sipbridge.adapters.netlink import NetworkUnknown, route_to
from sipbridge.core.bridge_config import BridgeConfig
from sipbridge.core.network import Route
from sipbridge.core.providers.provider import PoolPolicy
from sipbridge.core.sip.uri import SipUri
from sipbridge.doctor.check_network import MOST_HOPS
from sipbridge.doctor.facts import Exit, HopFacts
from sipbridge.doctor.gather_accounts import Gathered, exit_of

_LOOKUPS_AT_A_TIME = 10
_LOOKUP_S = 5.0
_SERVICES = {"udp": "_sip._udp", "tcp": "_sip._tcp", "tls": "_sips._tcp"}


def next_hops(config: BridgeConfig, gathered: Gathered) -> tuple[list[HopFacts], int]:
    """Return the distinct next hops, not resolved yet, and how many more were left out."""
    used: dict[tuple[str, Exit], tuple[SipUri, dict[str, None]]] = {}
    for uri, user, exit_ in _uses(config, gathered):
        # Hops are distinct if they lead to different places.
        key = (f"{uri.hostport.lower()};{uri.transport}", exit_)
        used.setdefault(key, (uri, {}))[1][user] = None
    hops = [HopFacts(uri, _named(list(users)), exit_) for (_, exit_), (uri, users) in used.items()]
    return hops[:MOST_HOPS], max(0, len(hops) - MOST_HOPS)


def _uses(config: BridgeConfig, gathered: Gathered) -> Iterator[tuple[SipUri, str, Exit]]:
    for name, pool in config.pools.items():
        for exit_ in sorted(gathered.exits[name], key=lambda one: one.value):
            yield from ((uri, f"pool {name}", exit_) for uri in _of_pool(pool.policy))
    for name, account in gathered.own_hops:
        exit_ = exit_of(account, config.pools[name].policy.edge)
        policy = config.pools[name].policy
        own = (account.outbound_proxy if policy.outbound_proxy else policy.next_hop(account), account.registrar)
        yield from ((uri, f"accounts of pool {name}", exit_) for uri in own if uri is not None)
    for provider in config.providers:
        if uri := provider.outgoing_invite.outbound_proxy:
            yield uri, f"provider {provider.name}", Exit.EITHER_PROFILE


def _of_pool(policy: PoolPolicy) -> Iterator[SipUri]:
    if policy.outbound_proxy is not None:
        yield policy.outbound_proxy
    if policy.registrar is not None:
        yield policy.registrar


def _named(users: Sequence[str]) -> tuple[str, ...]:
    return tuple(users[:2]) + ((f"{len(users) - 2} more",) if len(users) > 2 else ())


def look_at(hops: Sequence[HopFacts]) -> list[HopFacts]:
    """Add addresses and routes to the hops."""
    return list(gevent.pool.Pool(_LOOKUPS_AT_A_TIME).imap(_look_at, hops))


def _look_at(hop: HopFacts) -> HopFacts:
    addresses, problem = _addresses(hop.uri)
    return replace(hop, addresses=addresses, problem=problem, routes={one: _route(one) for one in addresses})


def _route(address: str) -> Route | None:
    try:
        return route_to(address)
    except NetworkUnknown:
        return None


def _addresses(uri: SipUri) -> tuple[tuple[str, ...], str]:
    """Resolve a host to addresses, or say why that failed. Source: RFC 3263 §4.2, without NAPTR."""
    host = uri.host.strip("[]")
    try:
        return (str(ipaddress.ip_address(host)),), ""
    except ValueError:
        pass
    targets = _servers(host, uri.transport) if uri.port is None else []
    found: dict[str, None] = {}
    problem = ""
    for target in targets or [host]:
        try:
            with gevent.Timeout(_LOOKUP_S, TimeoutError(f"no answer from the name servers within {_LOOKUP_S:g} s")):
                told = socket.getaddrinfo(target, None, type=socket.SOCK_DGRAM)
        except OSError as error:
            problem = f"{target} has no address: {error.strerror or error}"
        else:
            found |= dict.fromkeys(str(entry[4][0]) for entry in told)
    return tuple(found), "" if found else problem


def _servers(domain: str, transport: str) -> list[str]:
    """Return the targets of SRV records, best first; empty if there are none."""
    try:
        answer = resolve(f"{_SERVICES.get(transport, '_sip._udp')}.{domain}", "SRV", lifetime=_LOOKUP_S, search=False)
    except (NXDOMAIN, NoAnswer, DNSException):
        return []
    records = sorted(answer, key=lambda record: (record.priority, -record.weight))
    return [record.target.to_text(omit_final_dot=True) for record in records]

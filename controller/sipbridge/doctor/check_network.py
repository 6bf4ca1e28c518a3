"""Judges the next hops: does each have an address and a route, from the address of the right profile. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from ipaddress import ip_address

from sipbridge.core.network import HostNetwork, Route
from sipbridge.doctor.facts import Exit, HopFacts, ProfileFacts
from sipbridge.doctor.finding import Finding, Section, Verdict

MOST_HOPS = 50
"""At most this many distinct proxies and registrars are checked."""

_NETWORK = Section.NETWORK


def check_hops(
    hops: Sequence[HopFacts],
    left_out: int,
    profiles: Sequence[ProfileFacts],
    provider_profile: str,
    network: HostNetwork | None,
) -> Iterator[Finding]:
    """Check whether each proxy and registrar can be reached from the profile that sends to it.

    Args:
        left_out: how many hops beyond `MOST_HOPS` were not checked.
    """
    for hop in hops:
        if hop.exit is Exit.EDGE:
            yield _check_behind_edge(hop)
            continue
        candidates = [one for one in profiles if one.name == provider_profile or hop.exit is Exit.EITHER_PROFILE]
        findings = [_check_hop(hop, one, network) for one in candidates if one.bound is not None]
        # A hop that is not a gateway's may be used by either profile: report the better finding.
        yield min(findings, key=lambda one: _RANK[one.verdict], default=_unchecked(hop))
    if left_out:
        yield _NETWORK.skipped("proxy", f"{left_out} more proxies and registrars not checked")
    for profile in profiles:
        if profile.name == provider_profile:
            yield from _check_nat(profile, hops)


_RANK = {Verdict.PASS: 0, Verdict.WARN: 1, Verdict.SKIP: 2, Verdict.FAIL: 3}


def _id(hop: HopFacts) -> str:
    return f"proxy.{hop.uri.text}{'.edge' if hop.exit is Exit.EDGE else ''}"


def _named(hop: HopFacts) -> str:
    return f"{hop.uri.text} ({', '.join(hop.used_by)})"


def _unchecked(hop: HopFacts) -> Finding:
    if hop.problem:
        return _unresolved(hop)
    return _NETWORK.skipped(_id(hop), f"{_named(hop)}: {_list(hop.addresses)}; reachability unknown")


def _unresolved(hop: HopFacts) -> Finding:
    advice = "check the spelling of the name, and the name servers in /etc/resolv.conf"
    return _NETWORK.failed(_id(hop), f"{_named(hop)}: {hop.problem}", advice)


def _check_hop(hop: HopFacts, profile: ProfileFacts, network: HostNetwork | None) -> Finding:
    id_, named, bound = _id(hop), _named(hop), profile.bound or ""
    if hop.problem:
        return _unresolved(hop)
    if hop.uri.transport == "tls" and profile.parameters.get("tls") != "true":
        return _NETWORK.failed(
            id_,
            f"{named} requires TLS, which is not enabled in sofia profile {profile.name}",
            f"set sipbridge_{profile.name}_tls in freeswitch/local/, and provide a certificate (freeswitch/README.md)",
        )
    reachable = [one for one in hop.addresses if (":" in one) == (":" in bound)]
    if not reachable:
        return _NETWORK.failed(
            id_,
            f"{named} is {_list(hop.addresses)}; sofia profile {profile.name} is bound to {bound} (IP versions differ)",
            "bind the profile to an address of the same IP version, or use a proxy that has both",
        )
    if network is not None and not network.has(bound):
        return _NETWORK.skipped(id_, f"{named}: sofia profile {profile.name} is not bound to an address of this host")
    return _check_route(hop, profile, bound, reachable)


def _check_behind_edge(hop: HopFacts) -> Finding:
    """Check for any route: the edge's own addresses are known only to its configuration."""
    if hop.problem:
        return _unresolved(hop)
    for address in hop.addresses:
        route = hop.routes.get(address)
        if route is not None:
            return _NETWORK.passed(_id(hop), f"{_named(hop)}: {address}, {route}, through the edge")
    return _no_route(hop, hop.addresses[0])


def _no_route(hop: HopFacts, address: str) -> Finding:
    return _NETWORK.failed(
        _id(hop),
        f"{_named(hop)} is {address}, to which there is no route",
        f"run ip route get {address}; check the interface and the default route",
    )


def _check_route(hop: HopFacts, profile: ProfileFacts, bound: str, addresses: Sequence[str]) -> Finding:
    id_, named = _id(hop), _named(hop)
    for address in addresses:
        route = hop.routes.get(address)
        if route is None:
            return _no_route(hop, address)
        if route.source != bound and not (_is_loopback(bound) and _is_loopback(address)):
            return _wrong_source(hop, profile, bound, address, route)
    first = addresses[0]
    more = f" and {len(addresses) - 1} more" if len(addresses) > 1 else ""
    return _NETWORK.passed(id_, f"{named}: {first}{more}, {hop.routes[first]}, as sofia profile {profile.name}")


def _wrong_source(hop: HopFacts, profile: ProfileFacts, bound: str, address: str, route: Route) -> Finding:
    setting = f"sipbridge_{profile.name}_ip"
    if _is_loopback(bound):
        return _NETWORK.failed(
            _id(hop),
            f"{_named(hop)} is {address}, which cannot be reached from {bound} (sofia profile {profile.name})",
            f"set {setting} in freeswitch/local/ to {route.source}, and restart the profile",
        )
    return _NETWORK.warned(
        _id(hop),
        f"{_named(hop)} is {address}, reached {route}, but sofia profile {profile.name} is bound to {bound}: "
        "responses may not arrive",
        f"set {setting} in freeswitch/local/ to {route.source}, or add a route with src {bound}",
    )


def _check_nat(profile: ProfileFacts, hops: Sequence[HopFacts]) -> Iterator[Finding]:
    """Check whether public proxies receive a contact address that they can reach."""
    told = profile.parameters.get("ext-sip-ip") or profile.bound
    public = [one for hop in hops if hop.exit is Exit.GATEWAYS for one in hop.addresses if ip_address(one).is_global]
    if told is None or not public or not _is_private(told):
        return
    yield _NETWORK.warned(
        f"nat.{profile.name}",
        f"sofia profile {profile.name} gives its private address {told} to {public[0]}, which is public",
        f"set sipbridge_{profile.name}_external_ip in freeswitch/local/ to the public address, unless the provider "
        "handles NAT itself",
    )


def _is_private(address: str) -> bool:
    try:
        return ip_address(address).is_private
    except ValueError:
        # A host name, or a keyword such as auto-nat.
        return False


def _is_loopback(address: str) -> bool:
    return address.startswith("127.") or address == "::1"


def _list(addresses: Iterable[str]) -> str:
    return ", ".join(addresses)

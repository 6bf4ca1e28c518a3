"""Refuses accounts whose calls or REGISTERs would go to an address that the settings exclude. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from functools import lru_cache

from sipbridge.core.accounts.account import Account, AccountFault
from sipbridge.core.sip.uri import SipUri

Networks = tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]
"""Addresses that accounts of a database may not use as next hops."""

SETTING = "refused_next_hops ([gateways] in the settings)"


def next_hop_fault(account: Account, refused: Networks, *, pool_has_proxy: bool) -> AccountFault | None:
    """Return why an account's own next hops are not used; None if they may be, or if `refused` is empty.

    Names are not resolved: only FreeSWITCH's access list stops a name that leads to a refused address.

    Args:
        pool_has_proxy: whether the pool has a proxy, which replaces the host of the account's URI.
    """
    if not refused:
        return None
    for field, called, hop in _own_next_hops(account, pool_has_proxy=pool_has_proxy):
        if why := why_refused(hop, refused):
            return AccountFault(field, f"its {called} {why}")
    return None


def why_refused(hop: SipUri, refused: Networks) -> str:
    """Return why a next hop is refused, such as ``10.0.0.1 is in …``; ``""`` if it is not.

    Both its host and its ``maddr`` count: the latter is the target where a URI has one (RFC 3263 §4).
    """
    hosts = (hop.host, hop.parameter("maddr"))
    return next((why for host in hosts if host and (why := _why_refused(host, refused))), "")


def _own_next_hops(account: Account, *, pool_has_proxy: bool) -> Iterator[tuple[str, str, SipUri]]:
    if account.outbound_proxy is not None:
        yield "outboundProxy", "outbound proxy", account.outbound_proxy
    elif not pool_has_proxy:
        yield "uri", "domain, which is its next hop,", SipUri("sip", "", account.uri.host)
    if account.registrar is not None:
        yield "registrar", "registrar", account.registrar


# Thousands of accounts share their next hops.
@lru_cache(maxsize=1024)
def _why_refused(host: str, refused: Networks) -> str:
    text = host.strip("[]").rstrip(".")
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        # "127.1" and "2130706433" are addresses to some resolvers. The last label of a name begins with a letter.
        is_number = text.rpartition(".")[2][:1].isdigit()
        return f"{host} is neither a name nor an IP address in its usual form" if is_number else ""
    meant = (address, address.ipv4_mapped or address) if isinstance(address, ipaddress.IPv6Address) else (address,)
    # Linux sends what goes to 0.0.0.0 or :: to this host itself.
    if any(one.is_unspecified for one in meant):
        return f"{host} is this host itself"
    found = next((network for network in refused for one in meant if one in network), None)
    return f"{host} is in {found} of {SETTING}" if found else ""

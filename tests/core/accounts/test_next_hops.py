"""Accounts whose next hop is an excluded address are told from others, however the address is written."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipbridge.core.accounts.account import Account
from sipbridge.core.accounts.next_hops import next_hop_fault, why_refused
from sipbridge.core.sip.uri import SipUri, parse_sip_uri

REFUSED = (
    ipaddress.ip_network("192.0.2.10"),
    ipaddress.ip_network("10.0.0.0/24"),
    ipaddress.ip_network("2001:db8::10"),
)


@pytest.mark.parametrize(
    "hop",
    [
        pytest.param("sip:192.0.2.10", id="address"),
        pytest.param("sip:192.0.2.10:5080;transport=tcp", id="port and transport"),
        pytest.param("sips:192.0.2.10", id="sips"),
        pytest.param("sip:10.0.0.255", id="last of a network"),
        pytest.param("sip:192.0.2.10.", id="final dot"),
        pytest.param("sip:[2001:DB8:0::10]:5060", id="ipv6 in another form"),
        pytest.param("sip:[::ffff:10.0.0.7]", id="ipv4 in ipv6"),
        pytest.param("sip:[::ffff:c000:20a]", id="ipv4 in ipv6, hexadecimal"),
        pytest.param("sip:proxy.example.org;maddr=10.0.0.7", id="maddr"),
        pytest.param("sip:proxy.example.org;MADDR=10.0.0.%37", id="maddr, escaped"),
        pytest.param("sip:0.0.0.0", id="this host"),
        pytest.param("sip:[::]", id="this host, ipv6"),
        pytest.param("sip:192.0.522", id="short"),
        pytest.param("sip:3221225994", id="one number"),
        pytest.param("sip:0xc000020a", id="hexadecimal"),
        pytest.param("sip:192.0.2.010", id="leading zero"),
    ],
)
def test_refused(hop: str) -> None:
    assert why_refused(parse_sip_uri(hop), REFUSED)


@pytest.mark.parametrize(
    "hop",
    [
        pytest.param("sip:192.0.2.11", id="the next address"),
        pytest.param("sip:10.0.1.0", id="the next network"),
        pytest.param("sip:127.0.0.2:5080", id="loopback that is not excluded"),
        pytest.param("sip:[2001:db8::11]", id="ipv6"),
        pytest.param("sip:proxy.example.org", id="name"),
        pytest.param("sip:10.0.0.7.example.org", id="name that begins like an address"),
        pytest.param("sip:10.0.0.7@proxy.example.org", id="user"),
    ],
)
def test_not_refused(hop: str) -> None:
    assert why_refused(parse_sip_uri(hop), REFUSED) == ""


@given(st.ip_addresses())
def test_every_address_is_refused_exactly_if_it_is_in_a_network(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    host = f"[{address}]" if address.version == 6 else str(address)
    network = ipaddress.ip_network(f"{address}/{8 if address.version == 4 else 32}", strict=False)
    assert why_refused(SipUri("sip", "", host), (network,))
    meant = (address, getattr(address, "ipv4_mapped", None) or address)
    expected = any(one.is_unspecified or any(one in network for network in REFUSED) for one in meant)
    assert bool(why_refused(SipUri("sip", "", host), REFUSED)) is expected


@pytest.mark.parametrize(
    ("uri", "proxy", "registrar", "pool_has_proxy", "field"),
    [
        pytest.param("sip:a@example.org", None, None, False, None, id="names"),
        pytest.param("sip:a@example.org", "sip:10.0.0.7", None, True, "outboundProxy", id="proxy"),
        pytest.param("sip:a@example.org", None, "sip:10.0.0.7", True, "registrar", id="registrar"),
        pytest.param("sip:a@example.org", "sip:192.0.2.1", "sip:10.0.0.7", True, "registrar", id="only the registrar"),
        pytest.param("sip:a@10.0.0.7:5080", None, None, False, "uri", id="domain that is the next hop"),
        pytest.param("sip:a@10.0.0.7", None, None, True, None, id="domain behind the proxy of the pool"),
        pytest.param("sip:a@10.0.0.7", "sip:192.0.2.1", None, False, None, id="domain behind a proxy of its own"),
    ],
)
def test_fault_of_an_account(
    uri: str, proxy: str | None, registrar: str | None, pool_has_proxy: bool, field: str | None
) -> None:
    account = Account(
        parse_sip_uri(uri),
        outbound_proxy=parse_sip_uri(proxy) if proxy else None,
        registrar=parse_sip_uri(registrar) if registrar else None,
    )
    fault = next_hop_fault(account, REFUSED, pool_has_proxy=pool_has_proxy)
    assert (fault and fault.field) == field
    assert fault is None or "10.0.0.7 is in 10.0.0.0/24 of refused_next_hops" in fault.message
    assert next_hop_fault(account, (), pool_has_proxy=pool_has_proxy) is None

"""Contacts that lead back to the front or to a bridge: refused when they register, and never called."""

from __future__ import annotations

import pytest

from support.front import DOMAIN, NUMBER, Front, Phone, calls_to
from support.sip_peer import SipPeer

NAME = "somewhere.example.org"


@pytest.mark.parametrize(
    "contact",
    [
        "<sip:+882123@{front.hostport}>",
        "<sip:+882123@{front.ip};user=phone>;q=0.3",
        "sip:alice@{front.ip}",
        "<sip:alice@Example.NET>",
        "<sip:+882123@{bridge}>",
        "<sip:+882123@{bridge_ip}:9999;transport=tcp>",
        '"<sip:alice@192.0.2.99>" <sip:+882123@{bridge}>',
        "<sip:sip:x@{bridge}>",
        "<sip:alice@192.0.2.99>, <sip:alice@{bridge}>",
    ],
)
def test_contact_that_is_the_front_or_a_bridge_is_refused(
    front: Front, bridges: list[SipPeer], alice: Phone, bob: Phone, contact: str
) -> None:
    bridge = bridges[0].hostport
    contact = contact.format(front=front, bridge=bridge, bridge_ip=bridge.rpartition(":")[0])
    assert alice.register(contact) == 403
    assert bob.outcome(bob.call(alice.address)).status == 480
    assert [calls_to(one) for one in bridges] == [[], []]


def test_telephone_number_and_phones_are_taken(front: Front, alice: Phone) -> None:
    assert alice.register(f"<{NUMBER}>;q=0.1", f'"Alice, at home" <sip:alice@{alice.hostport};transport=udp>') == 200


@pytest.mark.parametrize("transport", ["udp", "tcp"])
@pytest.mark.parametrize("to_bridge", [True, False], ids=["bridge", "front"])
def test_name_that_leads_to_the_front_or_a_bridge_is_not_called(
    front: Front, bridges: list[SipPeer], alice: Phone, bob: Phone, to_bridge: bool, transport: str
) -> None:
    ip, _, port = (bridges[0].hostport if to_bridge else front.hostport).rpartition(":")
    front.rpc("dns.add_a", NAME, 60, ip, 0)
    assert alice.register(f"<sip:+882123@{NAME}:{port};user=phone;transport={transport}>") == 200
    # From somebody, and from a bridge, which would have it go round.
    assert bob.outcome(bob.call(alice.address)).status in (408, 480, 482)
    invite = bridges[1].new_request("INVITE", alice.address, from_="<sip:+33199@pstn>", to=f"<{alice.address}>")
    bridges[1].send(invite, front.hostport)
    assert bridges[1].final_response(invite, timeout_s=20).status in (408, 480, 482)
    assert [calls_to(one) for one in bridges] == [[], []]


def test_stranger_at_our_own_address_reaches_no_bridge(front: Front, bridges: list[SipPeer]) -> None:
    with SipPeer(ip=front.ip, port=5099) as peer:
        invite = peer.new_request("INVITE", NUMBER, from_=f"<sip:bob@{DOMAIN}>", to=f"<{NUMBER}>")
        peer.send(invite, front.hostport)
        assert peer.final_response(invite, timeout_s=20).status == 482
    assert [calls_to(one) for one in bridges] == [[], []]

"""SDP that ends FreeSWITCH does not get through the edge, in requests and in answers; other SDP does, unchanged."""

from __future__ import annotations

import pytest

from support.edge import Edge
from support.edge_gateway import GatewayMaker
from support.malformed_sdp import CARRIED, MALFORMED
from support.sip_message import SipMessage
from support.sip_peer import SipPeer
from support.sip_rule import answers


def call_in(freeswitch: SipPeer, edge: Edge, provider: SipPeer, gateway: str, body: str) -> tuple[SipMessage, int]:
    """Call the contact of a gateway; the INVITE and its final status."""
    uri = f"sip:gw+{gateway}@{edge.outside};gw={gateway}"
    invite = provider.new_request("INVITE", uri, from_="<sip:bob@far>", to="<sip:alice@far>", body=body)
    provider.send(invite.with_header("Content-Type", "application/sdp"), edge.outside)
    final = provider.final_response(invite)
    provider.send(provider.within_dialog("ACK", invite, final), edge.outside)
    return invite, final.status


@pytest.mark.parametrize("body", MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_offer_of_a_provider_is_refused(
    freeswitch: SipPeer, edge: Edge, provider: SipPeer, gateway: GatewayMaker, body: str
) -> None:
    invite, status = call_in(freeswitch, edge, provider, gateway("none").name, body)
    assert status == 488
    assert [one for one in freeswitch.received if one["Call-ID"] == invite["Call-ID"]] == []


@pytest.mark.parametrize("body", CARRIED.values(), ids=CARRIED)
def test_a_sound_offer_of_a_provider_arrives_as_it_was(
    freeswitch: SipPeer, edge: Edge, provider: SipPeer, gateway: GatewayMaker, body: str
) -> None:
    invite, status = call_in(freeswitch, edge, provider, gateway("none").name, body)
    assert status == 200
    assert [one.body for one in freeswitch.received if one.method == "INVITE"][-1] == body
    assert invite.body == body


@pytest.mark.parametrize("body", MALFORMED.values(), ids=MALFORMED)
def test_an_answer_goes_on_without_its_malformed_sdp(provider: SipPeer, gateway: GatewayMaker, body: str) -> None:
    provider.rule = answers(body=body, headers={"Content-Type": "application/sdp"})
    made = gateway("none")
    exchange = made.call(made.invite(f"sip:{provider.hostport}"))
    assert (exchange.final.status, exchange.final.body) == (200, "")


@pytest.mark.parametrize("body", CARRIED.values(), ids=CARRIED)
def test_a_sound_answer_arrives_as_it_was(provider: SipPeer, gateway: GatewayMaker, body: str) -> None:
    provider.rule = answers(body=body)
    made = gateway("none")
    assert made.call(made.invite(f"sip:{provider.hostport}")).final.body == body

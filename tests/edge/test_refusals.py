"""The edge against strangers: it relays outward only what FreeSWITCH sends, and inward only what is for it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.edge import Edge
from support.edge_gateway import EdgeGateway, GatewayMaker
from support.sip_message import SipMessage, sdp
from support.sip_peer import SipPeer

TRANSPORTS = ["udp", "tcp"]


@pytest.fixture
def mallory() -> Iterator[SipPeer]:
    with SipPeer() as peer:
        yield peer


@pytest.fixture
def victim() -> Iterator[SipPeer]:
    """Who must not get anything by way of the edge."""
    with SipPeer() as peer:
        yield peer


def answer_to(mallory: SipPeer, request: SipMessage, to: str, transport: str = "udp") -> str:
    mallory.send(request, to, transport)
    return mallory.final_response(request).start_line


def arrived(peer: SipPeer, call: SipMessage) -> list[SipMessage]:
    return [one for one in peer.received if one["Call-ID"] == call["Call-ID"]]


def attempts(edge: Edge, victim: SipPeer, gateway: EdgeGateway) -> dict[str, tuple[str, str, list[tuple[str, str]]]]:
    """Method, Request-URI and headers of requests for an open relay."""
    elsewhere = f"sip:bob@{victim.hostport}"
    ours = f"sip:bob@{edge.outside}"
    next_hop = [("X-Sipbridge-Next-Hop", f"sip:{victim.hostport}")]
    return {
        "call to anywhere": ("INVITE", elsewhere, []),
        "call to the edge itself": ("INVITE", ours, []),
        "private headers": ("INVITE", elsewhere, next_hop),
        "private headers of an account": ("INVITE", elsewhere, [*next_hop, ("Contact", gateway.contact)]),
        "route to anywhere": ("INVITE", ours, [("Route", f"<sip:{edge.outside};lr>, <sip:{victim.hostport};lr>")]),
        "route through the inside": ("INVITE", elsewhere, [("Route", f"<sip:{edge.inside};lr>")]),
        "unknown gateway": ("INVITE", f"sip:gw+sipbridge.eve.1@{edge.outside};gw=sipbridge.eve.1", []),
        "gateway of no account": ("INVITE", f"sip:gw+sipbridge.epoch@{edge.outside};gw=sipbridge.epoch", []),
        "registration": ("REGISTER", f"sip:{edge.outside}", []),
        "registration as an account": ("REGISTER", f"sip:{victim.hostport}", [("Contact", gateway.contact)]),
        "registration at a gateway": ("REGISTER", f"sip:gw+{gateway.name}@{edge.outside};gw={gateway.name}", []),
        "message": ("MESSAGE", elsewhere, []),
        "options": ("OPTIONS", ours, []),
    }


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_open_relay(
    gateway: GatewayMaker, freeswitch: SipPeer, edge: Edge, mallory: SipPeer, victim: SipPeer, transport: str
) -> None:
    made = gateway("md5", "0" * 32)
    for what, (method, uri, headers) in attempts(edge, victim, made).items():
        request = mallory.new_request(
            method, uri, from_=f"<{made.uri}>", to="<sip:bob@far>", transport=transport, headers=headers
        )
        assert (what, answer_to(mallory, request, edge.outside, transport)) == (what, "SIP/2.0 404 Not Found")
        assert (what, arrived(freeswitch, request), victim.received) == (what, [], [])


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("method", ["INVITE", "BYE", "INFO"])
def test_route_of_a_dialog_leads_to_freeswitch_only(
    freeswitch: SipPeer, edge: Edge, mallory: SipPeer, victim: SipPeer, transport: str, method: str
) -> None:
    """FreeSWITCH knows its dialogs, and answers 481 to others; here it answers everything."""
    routes = [("Route", f"<sip:{edge.outside};lr>"), ("Route", f"<sip:{victim.hostport};lr>")]
    request = mallory.new_request(
        method,
        f"sip:bob@{victim.hostport}",
        from_="<sip:m@far>",
        to="<sip:bob@far>;tag=guess",
        transport=transport,
        headers=[*routes, ("X-Sipbridge-Next-Hop", f"sip:{victim.hostport}")],
    )
    assert answer_to(mallory, request, edge.outside, transport) == "SIP/2.0 200 OK"
    received = freeswitch.wait_for(lambda one: one["Call-ID"] == request["Call-ID"])
    assert received.request_uri == f"sip:bob@{freeswitch.hostport}"
    assert "X-Sipbridge-Next-Hop" not in received
    assert victim.received == []


@pytest.mark.parametrize("method", ["INVITE", "REGISTER", "BYE", "OPTIONS"])
def test_inside_is_for_freeswitch_only(
    gateway: GatewayMaker, edge: Edge, mallory: SipPeer, victim: SipPeer, method: str
) -> None:
    made = gateway("none")
    with SipPeer(ip=made.freeswitch.hostport.rpartition(":")[0]) as other_port:
        for sender in (mallory, other_port):
            request = sender.new_request(
                method,
                f"sip:bob@{victim.hostport}",
                from_=f"<{made.uri}>",
                to="<sip:bob@far>",
                headers=[("X-Sipbridge-Next-Hop", f"sip:{victim.hostport}")],
            ).with_header("Contact", made.contact)
            assert answer_to(sender, request, edge.inside) == "SIP/2.0 403 Not FreeSWITCH"
    assert victim.received == []


def test_stray_cancel_and_ack_end_here(freeswitch: SipPeer, edge: Edge, mallory: SipPeer, victim: SipPeer) -> None:
    strays = [
        mallory.new_request(method, f"sip:bob@{victim.hostport}", from_="<sip:a@b>", to="<sip:c@d>")
        for method in ("CANCEL", "ACK")
    ]
    for stray in strays:
        mallory.send(stray, edge.outside)
    # What is sent after them is answered after them, and the edge has sent nothing on.
    ping = mallory.new_request("OPTIONS", f"sip:{edge.outside}", from_="<sip:a@b>", to="<sip:c@d>")
    assert answer_to(mallory, ping, edge.outside) == "SIP/2.0 404 Not Found"
    assert [arrived(freeswitch, stray) for stray in strays] == [[], []]
    assert [one.method for one in mallory.received if one["Call-ID"] in {stray["Call-ID"] for stray in strays}] == []
    assert victim.received == []


def test_account_that_is_not_loaded_is_told_so(freeswitch: SipPeer, edge: Edge, provider: SipPeer) -> None:
    """Not 401 to 407: then the controller would take the account out."""
    unknown = EdgeGateway(freeswitch, edge, "sipbridge.alice.not-loaded")
    assert unknown.register().final.start_line == "SIP/2.0 503 Account Not Loaded"
    call = unknown.call(unknown.invite(f"sip:{provider.hostport}"))
    assert call.final.start_line == "SIP/2.0 503 Account Not Loaded"
    assert provider.received == []


def test_deleted_account_is_gone(gateway: GatewayMaker, edge: Edge, mallory: SipPeer, provider: SipPeer) -> None:
    made = gateway("none")
    assert made.register().final.status == 200
    edge.delete_account(made.name)
    assert made.register().final.status == 503
    invite = mallory.new_request(
        "INVITE", f"sip:gw+{made.name}@{edge.outside}", from_="<sip:a@b>", to="<sip:c@d>", body=sdp()
    )
    assert answer_to(mallory, invite, edge.outside) == "SIP/2.0 404 Not Found"


@pytest.mark.parametrize("method", ["SUBSCRIBE", "INVITE", "REGISTER"])
def test_request_without_a_next_hop_stays(gateway: GatewayMaker, provider: SipPeer, method: str) -> None:
    """Nor does it go to where the one before has gone."""
    made = gateway("none")
    assert made.register().final.status == 200
    nobody = EdgeGateway(made.freeswitch, made.edge, "")
    for gateway_ in (made, nobody) if method != "REGISTER" else (nobody,):
        request = gateway_.new_request(method, made.uri)
        gateway_.send(request)
        assert made.freeswitch.final_response(request).start_line == "SIP/2.0 403 No Next Hop"
    assert [one.method for one in provider.received] == ["REGISTER"]


def test_request_of_no_dialog_of_ours_stays(gateway: GatewayMaker, provider: SipPeer) -> None:
    made = gateway("none")
    call = made.call(made.invite(f"sip:{provider.hostport}"))
    ack = made.freeswitch.within_dialog("ACK", call.request, call.final)
    bye = made.freeswitch.within_dialog("BYE", call.request, call.final, cseq=2)
    for request in (ack, bye):
        made.send(request)
    assert made.freeswitch.final_response(bye).start_line == "SIP/2.0 404 No Such Dialog"
    assert [one.method for one in provider.received if one.method != "ACK"] == ["INVITE"]


def test_empty_table_refuses_callers_for_a_while_only(freeswitch: SipPeer, edge: Edge, mallory: SipPeer) -> None:
    """Just after a start: 503, so that the provider tries again."""
    edge.rpc("htable.delete", "account", "sipbridge.epoch")
    try:
        invite = mallory.new_request(
            "INVITE", f"sip:gw+sipbridge.a.1@{edge.outside}", from_="<sip:a@b>", to="<sip:c@d>", body=sdp()
        )
        assert answer_to(mallory, invite, edge.outside) == "SIP/2.0 503 Accounts Not Loaded"
    finally:
        edge.rpc("htable.sets", "account", "sipbridge.epoch", "of a test")

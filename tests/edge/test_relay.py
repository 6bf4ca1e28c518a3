"""Calls through the edge, both ways, and what belongs to them."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.edge import Edge
from support.edge_gateway import EdgeGateway, GatewayMaker
from support.sip_message import SipMessage, sdp
from support.sip_peer import SipPeer
from support.sip_rule import Reply, replies

TRANSPORTS = ["udp", "tcp"]


def next_hop(provider: SipPeer, transport: str) -> str:
    return f"sip:{provider.hostport};transport={transport}"


def private_headers(message: SipMessage) -> list[str]:
    return [name for name, _ in message.headers if name.lower().startswith("x-sipbridge")]


def of_call(peer: SipPeer, method: str, call: SipMessage, count: int = 1) -> SipMessage:
    return peer.wait_for(lambda one: one.method == method and one["Call-ID"] == call["Call-ID"], count=count)


def call_in(
    provider: SipPeer, edge: Edge, gateway: EdgeGateway, transport: str, headers: list[tuple[str, str]] | None = None
) -> SipMessage:
    """Call the contact that a gateway has registered; return the INVITE."""
    contact = f"sip:gw+{gateway.name}@{edge.outside};transport={transport};gw={gateway.name}"
    invite = provider.new_request(
        "INVITE",
        contact,
        from_="<sip:bob@far.example.org>",
        to=f"<{gateway.uri}>",
        transport=transport,
        headers=headers or (),
        body=sdp(),
    )
    provider.send(invite, edge.outside, transport)
    return invite


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_call_out(gateway: GatewayMaker, provider: SipPeer, edge: Edge, transport: str) -> None:
    made = gateway("none", transport=transport)
    call = made.call(made.invite(next_hop(provider, transport)))
    assert call.final.status == 200

    arrived = of_call(provider, "INVITE", call.request)
    assert arrived.transport == transport
    assert arrived.request_uri == "sip:bob@jabiru.example.org"
    assert arrived["Contact"] == f"<sip:gw+{made.name}@{edge.outside};transport={transport};gw={made.name}>"
    assert arrived.body == call.request.body
    assert private_headers(arrived) == []
    assert [uri.partition(";")[0] for uri in arrived.values("Record-Route")] == [
        f"<sip:{edge.outside}",
        f"<sip:{edge.inside}",
    ]
    assert of_call(provider, "ACK", call.request).request_uri.startswith(f"sip:callee@{provider.hostport}")
    assert made.send_within_dialog("INVITE", call, cseq=2, body=sdp(42_000)).final.status == 200
    assert of_call(provider, "INVITE", call.request, count=2).body == sdp(42_000)
    assert made.send_within_dialog("BYE", call, cseq=3).final.status == 200


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_progress_passes(gateway: GatewayMaker, provider: SipPeer, transport: str) -> None:
    provider.rule = replies()
    made = gateway("none", transport=transport)
    invite = made.invite(next_hop(provider, transport))
    made.send(invite)
    arrived = provider.request("INVITE")
    for reply in (Reply(180, "Ringing"), Reply(183, "Progress", body=sdp(41_000)), Reply(486, "Busy Here")):
        provider.respond(arrived, reply)
        passed = made.freeswitch.response(invite, reply.status)
        assert passed.start_line == f"SIP/2.0 {reply.status} {reply.phrase}"
        assert passed.body == reply.body


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_callee_holds_and_hangs_up(
    gateway: GatewayMaker, freeswitch: SipPeer, provider: SipPeer, edge: Edge, transport: str
) -> None:
    made = gateway("none", transport=transport)
    call = made.call(made.invite(next_hop(provider, transport)))
    arrived = of_call(provider, "INVITE", call.request)
    for method in ("INVITE", "BYE"):
        routes = [("Route", route) for route in arrived.values("Record-Route")]
        body = sdp(direction="sendonly") if method == "INVITE" else ""
        request = provider.send_as_callee(method, arrived, headers=routes, body=body)
        assert provider.final_response(request).status == 200
        received = of_call(freeswitch, method, arrived)
        assert received.request_uri.startswith(f"sip:gw+{made.name}@{freeswitch.hostport};")
        assert received.body == body
        assert "Route" not in received


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_callee_that_takes_no_notice_of_record_route(
    gateway: GatewayMaker, freeswitch: SipPeer, provider: SipPeer, edge: Edge, transport: str
) -> None:
    made = gateway("none", transport=transport)
    call = made.call(made.invite(next_hop(provider, transport)))
    bye = provider.send_as_callee("BYE", of_call(provider, "INVITE", call.request))
    assert provider.final_response(bye).status == 200
    assert of_call(freeswitch, "BYE", call.request)


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_call_in(gateway: GatewayMaker, freeswitch: SipPeer, provider: SipPeer, edge: Edge, transport: str) -> None:
    made = gateway("none", transport=transport)
    forged = [("X-Sipbridge-Next-Hop", "sip:127.0.0.1:9"), ("x-sipbridge-media", "avpf"), ("X-Note", "theirs")]
    forged.append(("Replaces", "a-call-of-others;to-tag=a;from-tag=b"))
    invite = call_in(provider, edge, made, transport, forged)
    final = provider.final_response(invite)
    assert final.status == 200
    assert final["Contact"].startswith(f"<sip:callee@{edge.outside};transport={transport}")

    arrived = of_call(freeswitch, "INVITE", invite)
    assert arrived.request_uri == f"sip:gw+{made.name}@{freeswitch.hostport};gw={made.name}"
    assert private_headers(arrived) == []
    assert arrived["X-Note"] == "theirs"
    assert "Replaces" not in arrived
    assert arrived.body == invite.body

    routes = [("Route", route) for route in final.values("Record-Route")[::-1]]
    for method, cseq in (("ACK", 1), ("INVITE", 2), ("BYE", 3)):
        request = provider.within_dialog(method, invite, final, cseq=cseq, transport=transport, headers=routes)
        provider.send(request, edge.outside, transport)
        assert of_call(freeswitch, method, invite, count=2 if method == "INVITE" else 1)["CSeq"] == f"{cseq} {method}"


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_called_side_hangs_up_a_call_that_came_in(
    gateway: GatewayMaker, freeswitch: SipPeer, provider: SipPeer, edge: Edge, transport: str
) -> None:
    made = gateway("none", transport=transport)
    invite = call_in(provider, edge, made, transport)
    assert provider.final_response(invite).status == 200
    assert made.as_callee("BYE", of_call(freeswitch, "INVITE", invite)).final.status == 200
    assert of_call(provider, "BYE", invite).request_uri == f"sip:caller@{provider.hostport};transport={transport}"


def test_call_in_over_the_connection_of_the_registration(
    gateway: GatewayMaker, freeswitch: SipPeer, provider: SipPeer, edge: Edge
) -> None:
    """A provider sees where a connection comes from, and may know no other way back through a NAT."""
    made = gateway("none", transport="tcp")
    assert made.register().final.status == 200
    invite = provider.new_request(
        "INVITE",
        f"sip:gw+{made.name}@192.0.2.1:9",
        from_="<sip:b@far>",
        to=f"<{made.uri}>",
        transport="tcp",
        body=sdp(),
    )
    connection = next(reversed(provider.connections))
    provider.send(invite, connection, "tcp")
    final = provider.final_response(invite)
    assert final.status == 200
    assert of_call(freeswitch, "INVITE", invite).request_uri.endswith(f";gw={made.name}")
    bye = provider.within_dialog("BYE", invite, final, cseq=2, transport="tcp")
    provider.send(bye, connection, "tcp")
    assert provider.final_response(bye).status == 200


def test_call_without_an_account(freeswitch: SipPeer, provider: SipPeer, edge: Edge) -> None:
    """An invite with an outboundProxy of its own has no gateway."""
    nobody = EdgeGateway(freeswitch, edge, "")
    call = nobody.call(nobody.invite(next_hop(provider, "tcp")))
    assert call.final.status == 200
    arrived = of_call(provider, "INVITE", call.request)
    assert arrived["Contact"] == f"<sip:mod_sofia@{edge.outside};transport=tcp>"
    assert nobody.send_within_dialog("BYE", call, cseq=2).final.status == 200


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_caller_cancels(gateway: GatewayMaker, provider: SipPeer, transport: str) -> None:
    provider.rule = replies(Reply(180, "Ringing"))
    made = gateway("none", transport=transport)
    invite = made.invite(next_hop(provider, transport))
    made.send(invite)
    ringing = made.freeswitch.response(invite, 180)
    cancel = made.freeswitch.within_dialog("CANCEL", invite, ringing, cseq=1)
    made.send(cancel)
    assert made.freeswitch.final_response(cancel).status == 200
    assert of_call(provider, "CANCEL", invite)
    provider.respond(of_call(provider, "INVITE", invite), Reply(487, "Request Terminated"))
    assert made.freeswitch.final_response(invite).status == 487


def test_provider_cancels(gateway: GatewayMaker, freeswitch: SipPeer, provider: SipPeer, edge: Edge) -> None:
    freeswitch.rule = replies(Reply(180, "Ringing"))
    invite = call_in(provider, edge, gateway("none"), "udp")
    cancel = provider.within_dialog("CANCEL", invite, provider.response(invite, 180), cseq=1)
    provider.send(cancel, edge.outside)
    assert of_call(freeswitch, "CANCEL", invite)


@pytest.mark.parametrize("status", [302, 404, 486, 503, 603])
def test_refusal_passes(gateway: GatewayMaker, provider: SipPeer, status: int) -> None:
    provider.rule = replies(Reply(status, "As The Provider Says"))
    made = gateway("none")
    final = made.call(made.invite(next_hop(provider, "udp"))).final
    assert final.start_line == f"SIP/2.0 {status} As The Provider Says"


def test_nobody_at_the_next_hop(gateway: GatewayMaker) -> None:
    with SipPeer() as gone:
        nowhere = next_hop(gone, "tcp")
    made = gateway("none")
    assert made.call(made.invite(nowhere)).final.status in (408, 503)


@pytest.mark.parametrize("uri", ["sip:127.0.0.1:9;transport=sctp", "sips:127.0.0.1:9", "sip:127.0.0.1:9;transport=ws"])
def test_transport_that_the_edge_does_not_have(gateway: GatewayMaker, uri: str) -> None:
    made = gateway("none")
    assert made.call(made.invite(uri)).final.start_line == "SIP/2.0 503 The Edge Has No Such Transport"


def test_retransmission_is_sent_once(gateway: GatewayMaker, provider: SipPeer) -> None:
    made = gateway("none")
    provider.rule = replies(Reply(180, "Ringing"))
    invite = made.invite(next_hop(provider, "udp"))
    made.send(invite)
    made.freeswitch.response(invite, 180)
    made.send(invite)
    made.freeswitch.wait_for(lambda one: one.status == 180 and one["Call-ID"] == invite["Call-ID"], count=2)
    assert [one.method for one in provider.received] == ["INVITE"]


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_behind_nat(freeswitch: SipPeer, provider: SipPeer, tmp_path: Path, transport: str) -> None:
    """Providers see the address that is advertised, and we know it for our own."""
    outside = "198.51.100.7:5070"
    with Edge(tmp_path / "edge", freeswitch.hostport, definitions={"ADVERTISED_IP": "198.51.100.7"}) as edge:
        nobody = EdgeGateway(freeswitch, edge, "")
        call = nobody.call(nobody.invite(next_hop(provider, transport)))
        arrived = of_call(provider, "INVITE", call.request)
        assert arrived["Contact"] == f"<sip:mod_sofia@{outside};transport={transport}>"
        assert arrived["Via"].startswith(f"SIP/2.0/{transport.upper()} {outside};")
        assert arrived["Record-Route"].startswith(f"<sip:{outside};")
        assert nobody.send_within_dialog("INVITE", call, cseq=2, body=sdp(42_000)).final.status == 200
        assert nobody.send_within_dialog("BYE", call, cseq=3).final.status == 200

"""What strangers may take of the edge's connections and buffers, and what providers notice of it."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from support import kamailio
from support.edge import Edge, some_ip
from support.edge_gateway import EdgeGateway, GatewayMaker
from support.processes import wait_until
from support.sip_message import sdp
from support.sip_peer import SipPeer
from support.sip_rule import Reply

LONGEST = 16_384
NOTICED_S = 2.0
KEPT_S = 3700


@contextmanager
def edge_with(directory: Path, freeswitch: SipPeer, **definitions: str) -> Iterator[Edge]:
    with Edge(directory / "limited", freeswitch.hostport, definitions=definitions) as edge:
        edge.rpc("htable.sets", "account", "sipbridge.epoch", "of a test")
        yield edge


def idle(edge: Edge, count: int, stack: ExitStack) -> None:
    """Connections of a stranger over which nothing is sent."""
    host, _, port = edge.outside.rpartition(":")
    ip = some_ip()
    for _ in range(count):
        stack.enter_context(socket.create_connection((host, int(port)), 5, source_address=(ip, 0)))


def alice(freeswitch: SipPeer, edge: Edge, provider: SipPeer) -> EdgeGateway:
    edge.set_account("sipbridge.alice.1", "none", f"sip:{provider.hostport};transport=tcp")
    return EdgeGateway(freeswitch, edge, "sipbridge.alice.1")


def connections(edge: Edge) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] | dict[str, Any] = edge.rpc("core.tcp_list")
    return [listed] if isinstance(listed, dict) else listed


def test_idle_connections_of_a_stranger_are_closed(tmp_path: Path, freeswitch: SipPeer, provider: SipPeer) -> None:
    """As many as there may be; an account registers over TCP as soon as they have been idle for so long."""
    limits = {"TCP_CONNECTIONS": "40", "TCP_IDLE_S": "3", "TCP_PER_ADDRESS": "100"}
    with edge_with(tmp_path, freeswitch, **limits) as edge, ExitStack() as stack:
        made = alice(freeswitch, edge, provider)
        idle(edge, 60, stack)
        wait_until("an account registers", lambda: made.register().final.status == 200, timeout_s=30)


@pytest.mark.skipif(kamailio.VERSION < (6, 0), reason="Kamailio 5 has no limit for each address")
def test_one_address_has_so_many_connections(tmp_path: Path, freeswitch: SipPeer, provider: SipPeer) -> None:
    limits = {"TCP_CONNECTIONS": "40", "TCP_IDLE_S": "60", "TCP_PER_ADDRESS": "10"}
    with edge_with(tmp_path, freeswitch, **limits) as edge, ExitStack() as stack:
        made = alice(freeswitch, edge, provider)
        idle(edge, 60, stack)
        started = time.monotonic()
        assert made.register().final.status == 200
        assert time.monotonic() - started < NOTICED_S


def test_connection_that_an_account_has_registered_by_stays(
    tmp_path: Path, freeswitch: SipPeer, provider: SipPeer
) -> None:
    with edge_with(tmp_path, freeswitch, TCP_IDLE_S="2") as edge, ExitStack() as stack:
        made = alice(freeswitch, edge, provider)
        assert made.register().final.status == 200
        idle(edge, 1, stack)
        wait_until("both are there", lambda: len(connections(edge)) == 2)
        wait_until("the idle one is closed", lambda: len(connections(edge)) == 1, timeout_s=30)
        (kept,) = connections(edge)
        assert (kept["dst_ip"] if kept["src_ip"] == edge.ip else kept["src_ip"], kept["lifetime"]) == (
            "127.0.0.1",
            KEPT_S,
        )
        # The provider's call comes by it.
        (connection,) = provider.connections
        contact = f"sip:gw+{made.name}@{edge.outside};transport=tcp;gw={made.name}"
        invite = provider.new_request("INVITE", contact, from_="<sip:b@f>", to="<sip:a@b>", transport="tcp", body=sdp())
        provider.send(invite, connection, "tcp")
        assert provider.final_response(invite).status == 200


def test_message_that_is_too_long_is_refused(edge: Edge, freeswitch: SipPeer, provider: SipPeer) -> None:
    padding = [(f"X-{number}", "x" * 50) for number in range(LONGEST // 50)]
    invite = provider.new_request("INVITE", f"sip:a@{edge.outside}", from_="<sip:a@b>", to="<sip:c@d>", headers=padding)
    provider.send(invite, edge.outside)
    assert provider.final_response(invite).start_line == "SIP/2.0 513 Message Too Large"


def test_long_message_over_tcp_ends_its_connection(edge: Edge) -> None:
    host, _, port = edge.outside.rpartition(":")
    with socket.create_connection((host, int(port)), 5) as connection:
        connection.settimeout(10)
        connection.sendall(b"INVITE sip:a@b SIP/2.0\r\nSubject: " + b"x" * 2 * LONGEST)
        try:
            assert connection.recv(1) == b""
        except ConnectionResetError:
            return


@pytest.mark.parametrize(
    ("name", "value", "status"),
    [
        ("Event", "talk", 489),
        ("Event", "hold;x=y", 489),
        ("o", "TALK", 489),
        ("Event", "message-summary", 200),
    ],
)
def test_freeswitch_is_not_told_to_talk(
    gateway: GatewayMaker, freeswitch: SipPeer, edge: Edge, provider: SipPeer, name: str, value: str, status: int
) -> None:
    """It would answer the call, and have it decided again. In a call and outside of any."""
    made = gateway("none")
    call = made.call(made.invite(f"sip:{provider.hostport}"))
    provider.rule = lambda _: [Reply(200, "OK")]
    arrived = provider.request("INVITE")
    routes = [("Route", route) for route in arrived.values("Record-Route")]
    within = provider.new_request(
        "NOTIFY",
        f"sip:a@{edge.outside}",
        from_=f"{call.final['To']}",
        to=arrived["From"],
        headers=[*routes, (name, value)],
    )
    outside = provider.new_request(
        "NOTIFY",
        f"sip:gw+{made.name}@{edge.outside};gw={made.name}",
        from_="<sip:b@f>",
        to=f"<{made.uri}>",
        headers=[(name, value)],
    )
    for notify in (within, outside):
        provider.send(notify, edge.outside)
        assert provider.final_response(notify).status == status
        reached = [one for one in freeswitch.received if one["Call-ID"] == notify["Call-ID"]]
        assert len(reached) == (status == 200)

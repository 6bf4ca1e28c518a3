"""What one address, one user and one message may take, and what others notice of it."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from support import kamailio
from support.edge import some_ip
from support.front import DOMAIN, NUMBER, Front, Phone, calls_to
from support.processes import wait_until
from support.sip_message import SipMessage
from support.sip_peer import SipPeer
from support.sip_rule import Reply

LONGEST = 16_384
NOTICED_S = 2.0


@contextmanager
def front_with(directory: Path, bridges: list[SipPeer], **definitions: str) -> Iterator[Front]:
    front = Front(directory / "limited", [one.hostport for one in bridges], ["alice", "bob"], definitions)
    try:
        front.wait_for_bridges(*(one.hostport for one in bridges))
        yield front
    finally:
        front.kill()


def options(peer: SipPeer, front: Front) -> SipMessage:
    return peer.new_request("OPTIONS", f"sip:{front.hostport}", from_="<sip:a@b>", to="<sip:c@d>")


def test_flood_of_one_address_gets_no_answers_and_all_others_do(tmp_path: Path, bridges: list[SipPeer]) -> None:
    with (
        front_with(tmp_path, bridges, FLOOD_REQUESTS="20") as front,
        SipPeer(ip=some_ip()) as mallory,
        Phone(front, "alice") as alice,
    ):
        for _ in range(20):
            for _ in range(50):
                mallory.send(options(mallory, front), front.hostport)
            # Bridges are not limited; and its answer shows that what was sent before it has been read.
            ping = options(bridges[0], front)
            bridges[0].send(ping, front.hostport)
            assert bridges[0].final_response(ping, timeout_s=20).status == 200
        started = time.monotonic()
        assert alice.register() == 200
        assert time.monotonic() - started < NOTICED_S
        # Three times the limit at most, in each of the periods of two seconds that it has taken.
        assert len([one for one in mallory.received if one.status == 200]) <= 200


def test_user_makes_so_many_calls_in_a_minute(tmp_path: Path, bridges: list[SipPeer]) -> None:
    with (
        front_with(tmp_path, bridges, CALLS_PER_MINUTE="3") as front,
        Phone(front, "alice") as alice,
        Phone(front, "bob") as bob,
    ):
        finals = [bob.outcome(bob.call(NUMBER)) for _ in range(4)]
        assert [one.status for one in finals] == [200, 200, 200, 403]
        assert (finals[3].start_line, finals[3]["Retry-After"]) == ("SIP/2.0 403 Too Many Calls", "60")
        assert sum(len(calls_to(bridge)) for bridge in bridges) == 3
        assert alice.outcome(alice.call(NUMBER)).status == 200
        # What bob cannot do is nothing to those who call him.
        bob.rule = lambda _: [Reply(486, "Busy Here")]
        assert bob.register() == 200
        assert alice.outcome(alice.call(f"sip:bob@{DOMAIN}")).status == 486


def test_message_that_is_too_long_is_refused(front: Front, mallory: SipPeer) -> None:
    padding = [(f"X-{number}", "x" * 50) for number in range(LONGEST // 50)]
    invite = mallory.new_request("INVITE", NUMBER, from_="<sip:a@b>", to="<sip:c@d>", headers=padding)
    assert len(invite.encode()) > LONGEST
    mallory.send(invite, front.hostport)
    assert mallory.final_response(invite, timeout_s=20).start_line == "SIP/2.0 513 Message Too Large"


def test_long_message_over_tcp_ends_its_connection(front: Front) -> None:
    host, _, port = front.hostport.rpartition(":")
    with socket.create_connection((host, int(port)), 5) as connection:
        connection.settimeout(10)
        connection.sendall(b"INVITE sip:a@b SIP/2.0\r\nSubject: " + b"x" * 2 * LONGEST)
        try:
            assert connection.recv(1) == b""
        except ConnectionResetError:
            return


def idle(front: Front, count: int, ip: str, stack: ExitStack) -> None:
    """Connections of a stranger over which nothing is sent."""
    host, _, port = front.hostport.rpartition(":")
    for _ in range(count):
        stack.enter_context(socket.create_connection((host, int(port)), 5, source_address=(ip, 0)))


def test_idle_connections_of_a_stranger_are_closed(tmp_path: Path, bridges: list[SipPeer]) -> None:
    """As many as there may be; a phone comes in as soon as they have been idle for so long."""
    limits = {"TCP_CONNECTIONS": "40", "TCP_IDLE_S": "3", "TCP_PER_ADDRESS": "100"}
    with front_with(tmp_path, bridges, **limits) as front, ExitStack() as stack:
        idle(front, 60, some_ip(), stack)
        wait_until("a phone registers", lambda: registers_over_tcp(front), timeout_s=30)


def registers_over_tcp(front: Front) -> bool:
    with SipPeer() as peer:
        try:
            request = options(peer, front)
            peer.send(request, front.hostport, "tcp")
            return peer.final_response(request, timeout_s=1).status == 200
        except (OSError, TimeoutError):
            return False


@pytest.mark.skipif(kamailio.VERSION < (6, 0), reason="Kamailio 5 has no limit for each address")
def test_one_address_has_so_many_connections(tmp_path: Path, bridges: list[SipPeer]) -> None:
    limits = {"TCP_CONNECTIONS": "40", "TCP_IDLE_S": "60", "TCP_PER_ADDRESS": "10"}
    with front_with(tmp_path, bridges, **limits) as front, ExitStack() as stack:
        idle(front, 60, some_ip(), stack)
        started = time.monotonic()
        assert registers_over_tcp(front)
        assert time.monotonic() - started < NOTICED_S


def test_connection_of_a_registered_phone_stays(tmp_path: Path, bridges: list[SipPeer]) -> None:
    with front_with(tmp_path, bridges, TCP_IDLE_S="2") as front, Phone(front, "alice") as alice, ExitStack() as stack:
        alice.transport = "tcp"
        assert alice.register() == 200
        idle(front, 1, some_ip(), stack)
        wait_until("both are there", lambda: len(connections(front)) == 2, timeout_s=30)
        wait_until("the idle one is closed", lambda: len(connections(front)) == 1, timeout_s=30)
        (kept,) = connections(front)
        assert (kept["src_ip"], kept["lifetime"]) == ("127.0.0.1", 3700)


def connections(front: Front) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] | dict[str, Any] = front.rpc("core.tcp_list")
    return [listed] if isinstance(listed, dict) else listed

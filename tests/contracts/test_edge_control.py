"""The edge's table of accounts through the `EdgeControl` port: the stand-in, and the Kamailio of freeswitch/edge."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import gevent
import pytest
from gevent import socket

from sipbridge.adapters.kamailio import Kamailio
from sipbridge.core.gateways.gateway import GatewayName
from sipbridge.ports import EdgeLost, EdgeRefused
from sipbridge.simulator.sofia.edge import SimulatedEdge
from support.edge import PROGRAM
from support.edge import Edge as RealEdge
from support.other_user import as_nobody

ALICE, BOB = GatewayName("sipbridge.alice.0123456789abcdef0123"), GatewayName("sipbridge.bob.0123456789abcdef0123")
SECRET = "Mellon"


class World(Protocol):
    """An edge, and a look into its table."""

    rpc_socket: Path

    def value(self, key: str) -> str | None: ...
    def kill(self) -> None: ...
    def start(self) -> None: ...


class Simulated:
    def __init__(self, directory: Path) -> None:
        self.rpc_socket = directory / "rpc.sock"
        self._edge = SimulatedEdge(self.rpc_socket)
        self._edge.start()

    def value(self, key: str) -> str | None:
        return self._edge.table.get(key)

    def kill(self) -> None:
        self._edge.stop()

    def start(self) -> None:
        self._edge.start()


class Real:
    def __init__(self, directory: Path) -> None:
        self._edge = RealEdge(directory, "127.0.0.1:5080")
        self.rpc_socket = self._edge.rpc_socket

    def value(self, key: str) -> str | None:
        try:
            return str(self._edge.rpc("htable.get", "account", key)["item"]["value"])
        except LookupError:
            return None

    def kill(self) -> None:
        self._edge.kill()

    def start(self) -> None:
        self._edge.start()


@pytest.fixture(
    params=[
        pytest.param(Simulated, id="stand-in"),
        pytest.param(Real, id="Kamailio", marks=pytest.mark.skipif(PROGRAM is None, reason="no kamailio on the PATH")),
    ]
)
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    world = request.param(tmp_path)
    yield world
    world.kill()


@pytest.fixture
def edge(world: World) -> Iterator[Kamailio]:
    edge = Kamailio(world.rpc_socket, timeout_s=20)
    yield edge
    edge.close()


def test_nobody_has_filled_it_at_first(edge: Kamailio) -> None:
    assert edge.epoch() is None
    assert edge.count() == 0


def test_whose_table_it_is(edge: Kamailio, world: World) -> None:
    edge.set_epoch("5f3a")

    assert edge.epoch() == "5f3a"
    assert edge.count() == 0
    assert world.value("sipbridge.epoch") == "5f3a"


@pytest.mark.parametrize(
    "entry",
    [
        "md5|sip:proxy.example.org;transport=tls|0123456789abcdef0123456789abcdef",
        "none|sip:proxy.example.org|",
        r'clear|sip:[2001:db8::1]:5070|a|b:c "d" \e\u0041 é 😀 %s ${x} $var(x)',
        "clear|sip:proxy.example.org|" + "x" * 2000,
        "clear|sip:proxy.example.org|12345",
    ],
    ids=["hash", "no secret", "hostile", "long", "number"],
)
def test_entries_arrive_as_they_are(edge: Kamailio, world: World, entry: str) -> None:
    edge.put([(ALICE, entry)])

    assert world.value(ALICE) == entry


def test_entries_come_change_and_go(edge: Kamailio, world: World) -> None:
    edge.set_epoch("e")
    edge.put([(ALICE, "none|sip:a|"), (BOB, "none|sip:b|")])
    edge.put([(ALICE, "none|sip:c|")])
    assert (world.value(ALICE), world.value(BOB), edge.count()) == ("none|sip:c|", "none|sip:b|", 2)

    # One that is not there is none the worse.
    edge.delete([ALICE, GatewayName("sipbridge.nobody.0")])
    assert (world.value(ALICE), world.value(BOB), edge.count()) == (None, "none|sip:b|", 1)

    edge.clear()
    assert (edge.epoch(), edge.count(), world.value(BOB)) == (None, 0, None)


def test_thousands_at_a_time(edge: Kamailio, world: World) -> None:
    names = [GatewayName(f"sipbridge.user{number}.{number:020x}") for number in range(5_000)]
    edge.set_epoch("e")

    edge.put([(name, f"none|sip:{name}|") for name in names])

    assert edge.count() == len(names)
    assert world.value(names[4_321]) == f"none|sip:{names[4_321]}|"
    edge.delete(names)
    assert edge.count() == 0


def test_a_restart_is_seen_and_survived(edge: Kamailio, world: World) -> None:
    edge.set_epoch("e")
    edge.put([(ALICE, f"clear|sip:a|{SECRET}")])

    world.kill()
    with pytest.raises(EdgeLost) as lost:
        edge.put([(BOB, f"clear|sip:a|{SECRET}")])
    assert str(world.rpc_socket) in str(lost.value)
    assert SECRET not in str(lost.value)

    world.start()
    assert edge.epoch() is None
    edge.put([(BOB, "none|sip:b|")])
    assert (world.value(ALICE), world.value(BOB)) == (None, "none|sip:b|")


def test_an_edge_of_another_group(world: World) -> None:
    with (
        as_nobody(world.rpc_socket),
        pytest.raises(EdgeLost, match=r"no permission to write to .*: add sipbridge's user"),
    ):
        Kamailio(world.rpc_socket).epoch()


def test_no_edge_at_all(tmp_path: Path) -> None:
    with pytest.raises(EdgeLost, match=r"no Kamailio listens on .*: No such file or directory"):
        Kamailio(tmp_path / "nobody.sock").epoch()


# What neither of them does, unless something is very wrong.


class Odd:
    """Answers every request with what a test says, or not at all."""

    def __init__(self, path: Path, *answers: bytes) -> None:
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._listener.bind(str(path))
        self._greenlet = gevent.spawn(self._run, answers)

    def _run(self, answers: tuple[bytes, ...]) -> None:
        for answer in answers:
            _, sender = self._listener.recvfrom(65_536)
            self._listener.sendto(answer, sender)

    def close(self) -> None:
        self._greenlet.kill()
        self._listener.close()


def test_silence_has_an_end(tmp_path: Path) -> None:
    odd = Odd(tmp_path / "rpc.sock")
    started = time.monotonic()
    with pytest.raises(EdgeLost, match=r"no answer from Kamailio on .* within 0.2 s"):
        Kamailio(tmp_path / "rpc.sock", timeout_s=0.2).put([(ALICE, SECRET)] * 20)
    assert time.monotonic() - started < 20
    odd.close()


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"nonsense", "invalid answer on the RPC socket: not JSON-RPC"),
        (b"[]", "invalid answer on the RPC socket: not JSON-RPC"),
        (
            b'{"jsonrpc": "2.0", "error": {"code": -32700, "message": "Invalid"}}',
            "invalid answer on the RPC socket: not JSON-RPC",
        ),
        (
            b'{"jsonrpc": "2.0", "id": 1, "error": {"code": 500, "message": "No such htable"}}',
            "rejected htable.sets: No",
        ),
        (b'{"jsonrpc": "2.0", "id": 1, "error": {}}', "rejected htable.sets: no reason given"),
    ],
)
def test_refusals_say_why_and_hold_no_secret(tmp_path: Path, answer: bytes, said: str) -> None:
    odd = Odd(tmp_path / "rpc.sock", answer)
    with pytest.raises(EdgeRefused, match=said) as refused:
        Kamailio(tmp_path / "rpc.sock", timeout_s=20).put([(ALICE, f"clear|sip:a|{SECRET}")])
    assert SECRET not in str(refused.value)
    odd.close()


def test_late_answers_are_nobodys(tmp_path: Path) -> None:
    late = b'{"jsonrpc": "2.0", "id": -7, "result": "late"}'
    odd = Odd(tmp_path / "rpc.sock", late, late)
    edge = Kamailio(tmp_path / "rpc.sock", timeout_s=0.3)
    with pytest.raises(EdgeLost):
        edge.epoch()
    odd.close()

"""What freeswitch/firewall/sipbridge.nft lets through, in a network of its own, with the real nft."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.network import Link, needs_namespaces

RULES = Path(__file__).parents[1] / "freeswitch/firewall/sipbridge.nft"
INSIDE, PROVIDERS, OTHER = 5060, 5080, 5090
MOST_CONNECTIONS = 8

pytestmark = [needs_namespaces, pytest.mark.skipif(shutil.which("nft") is None, reason="no nft on the PATH")]


class Guarded:
    """A server with the rules, and the world beside it."""

    def __init__(self, link: Link, folder: Path) -> None:
        self._link = link
        self._file = folder / "sipbridge.nft"

    def load(self, **values: str) -> None:
        """Load the rules, with other values for some of their definitions."""
        text = RULES.read_text()
        for name, value in values.items():
            (line,) = (one for one in text.splitlines() if one.startswith(f"define {name} "))
            text = text.replace(line, f"define {name} = {value}")
        self._file.write_text(text)
        with self._link.server.inside():
            subprocess.run(["nft", "-f", self._file], check=True)

    def allow_large_packets(self) -> None:
        """Have the link carry datagrams of 8 KB and more in one packet."""
        self._link.server.ip("link", "set", "uplink", "mtu", "20000")
        self._link.world.ip("link", "set", "cable", "mtu", "20000")

    def arrives(self, port: int, size: int) -> bool:
        """Whether a datagram of this size gets to a port; the small one behind it always has to."""
        with self._link.server.inside(), contextlib.ExitStack() as stack:
            receiver, last = (stack.enter_context(socket.socket(type=socket.SOCK_DGRAM)) for _ in range(2))
            receiver.bind((self._link.address, port))
            last.bind((self._link.address, OTHER + 1))
            with self._link.world.inside(), socket.socket(type=socket.SOCK_DGRAM) as sender:
                sender.sendto(b"x" * size, (self._link.address, port))
                sender.sendto(b"last", (self._link.address, OTHER + 1))
            last.settimeout(5)
            assert last.recv(100) == b"last"
            receiver.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                return len(receiver.recv(65535)) == size
            return False

    @contextlib.contextmanager
    def listening(self, port: int) -> Iterator[None]:
        with self._link.server.inside():
            listener = socket.create_server((self._link.address, port), backlog=64)
        with listener:
            yield

    def connect(self, port: int) -> socket.socket | None:
        """A connection from the world; None if it is refused or not answered."""
        with self._link.world.inside():
            sock = socket.socket()
        sock.settimeout(0.5)
        try:
            sock.connect((self._link.address, port))
        except OSError:
            sock.close()
            return None
        return sock


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Guarded]:
    with Link() as link:
        yield Guarded(link, tmp_path)


def test_ordinary_messages_pass(guarded: Guarded) -> None:
    guarded.load()
    assert all(guarded.arrives(port, 1_200) for port in (INSIDE, PROVIDERS, OTHER))


def test_fragments_are_dropped_where_providers_send(guarded: Guarded) -> None:
    guarded.load()
    assert not guarded.arrives(PROVIDERS, 3_000)
    assert guarded.arrives(INSIDE, 3_000)
    assert guarded.arrives(OTHER, 3_000)


@pytest.mark.parametrize("port", [INSIDE, PROVIDERS])
def test_datagrams_over_8_kb_are_dropped(guarded: Guarded, port: int) -> None:
    guarded.allow_large_packets()
    assert guarded.arrives(port, 9_000)
    guarded.load()
    assert guarded.arrives(port, 8_000)
    assert not guarded.arrives(port, 9_000)
    assert guarded.arrives(OTHER, 9_000)


def test_only_providers_connect(guarded: Guarded) -> None:
    guarded.load()
    with guarded.listening(PROVIDERS):
        assert guarded.connect(PROVIDERS) is None
        guarded.load(providers_networks="{ 10.9.0.0/24 }")
        connected = guarded.connect(PROVIDERS)
        assert connected is not None
        connected.close()


def test_a_provider_has_a_limit_of_connections(guarded: Guarded) -> None:
    guarded.load(providers_networks="{ 10.9.0.0/24 }")
    with guarded.listening(PROVIDERS), contextlib.ExitStack() as stack:
        for _ in range(MOST_CONNECTIONS):
            connected = guarded.connect(PROVIDERS)
            assert connected is not None
            stack.enter_context(connected)
        assert guarded.connect(PROVIDERS) is None


def test_strangers_do_not_reach_the_proxys_side(guarded: Guarded) -> None:
    guarded.load(inside_networks="{ 192.0.2.0/24 }")
    assert not guarded.arrives(INSIDE, 500)
    with guarded.listening(INSIDE):
        assert guarded.connect(INSIDE) is None


def test_it_is_loaded_twice_without_complaint(guarded: Guarded) -> None:
    guarded.load()
    guarded.load()
    assert guarded.arrives(PROVIDERS, 500)

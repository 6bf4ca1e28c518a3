"""Network namespaces that a test makes, with a pair of virtual Ethernet links between them. Needs CAP_NET_ADMIN.

What is started, or opened, inside a namespace stays there: a thread, a process, a socket. Files are everybody's.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import subprocess
from collections.abc import Iterator
from typing import Self

import pytest
from pyroute2 import netns


class Namespace:
    """A network of its own, with loopback."""

    def __init__(self, role: str) -> None:
        self.name = f"sipbridge-{role}-{os.getpid()}-{secrets.token_hex(2)}"
        _ip("netns", "add", self.name)
        self.ip("link", "set", "lo", "up")

    def ip(self, *arguments: str) -> None:
        """Run ``ip`` in it: ``ip("link", "set", "uplink", "down")``."""
        _ip("-netns", self.name, *arguments)

    @contextlib.contextmanager
    def inside(self) -> Iterator[None]:
        """Have this thread in it, and what it starts and opens."""
        netns.pushns(self.name)
        try:
            yield
        finally:
            netns.popns()

    def delete(self) -> None:
        """Delete it; harmless when it is gone."""
        subprocess.run(["ip", "netns", "del", self.name], capture_output=True, check=False)


class Link:
    """A server and the rest of the world, each in a namespace, with one cable between them: ``uplink``.

    Attributes:
        address: the server's, at first.
        far_address: the world's, which the server's default route leads to.
    """

    address = "10.9.0.1"
    far_address = "10.9.0.254"

    def __init__(self) -> None:
        self.server, self.world = Namespace("server"), Namespace("world")
        self.server.ip("link", "add", "uplink", "type", "veth", "peer", "name", "cable", "netns", self.world.name)
        self.world.ip("address", "add", f"{self.far_address}/24", "dev", "cable")
        self.world.ip("link", "set", "cable", "up")
        self.server.ip("address", "add", f"{self.address}/24", "dev", "uplink")
        self.up()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.server.delete()
        self.world.delete()

    def down(self) -> None:
        """Pull the cable: the address stays, the routes go."""
        self.server.ip("link", "set", "uplink", "down")

    def up(self) -> None:
        """Plug it in, and have the default route that a DHCP client would set."""
        self.server.ip("link", "set", "uplink", "up")
        self.server.ip("route", "add", "default", "via", self.far_address)

    def change_address(self, address: str) -> None:
        """Get another address, as from a new DHCP lease."""
        self.server.ip("address", "flush", "dev", "uplink")
        self.server.ip("address", "add", f"{address}/24", "dev", "uplink")
        self.server.ip("route", "add", "default", "via", self.far_address)


def _may_make_namespaces() -> bool:
    try:
        probe = Namespace("probe")
    except (OSError, subprocess.CalledProcessError):
        return False
    probe.delete()
    return True


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


needs_namespaces = pytest.mark.skipif(not _may_make_namespaces(), reason="no network namespaces: needs CAP_NET_ADMIN")

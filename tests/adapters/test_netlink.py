"""The kernel's network, in namespaces where a test can unplug links."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sipbridge.adapters.netlink import read_network, route_to
from sipbridge.core.network import Route
from support.network import Link, needs_namespaces
from support.processes import Program, wait_until

WATCHER = """
from gevent import monkey; monkey.patch_all()
import gevent
from sipbridge.adapters.netlink import watch_network

class Printer:
    def on_network(self, network):
        print("network", sorted(network.addresses), sorted(network.default_routes), network.source_v4, flush=True)

def tick():
    # The hub is never held up: all else goes on.
    while True:
        gevent.sleep(0.01)

gevent.spawn(tick)
watch_network(Printer())
"""


def test_loopback_is_there_and_leads_to_itself() -> None:
    assert "127.0.0.1" in read_network().addresses
    assert route_to("127.0.0.1") == Route("127.0.0.1", "lo")


@pytest.fixture
def link() -> Iterator[Link]:
    with Link() as link:
        yield link


@needs_namespaces
def test_routes_of_a_host_with_one_uplink(link: Link) -> None:
    in_server = [
        sys.executable,
        "-c",
        "from sipbridge.adapters.netlink import *\n"
        "for address in ('10.9.0.7', '198.51.100.1', '2001:db8::7', '127.3.2.1'): print(route_to(address))",
    ]
    with link.server.inside():
        told = subprocess.run(in_server, capture_output=True, text=True, check=True)
    assert told.stdout.splitlines() == [
        "dev uplink from 10.9.0.1",
        "via 10.9.0.254 dev uplink from 10.9.0.1",
        "None",
        "dev lo from 127.0.0.1",
    ]


@needs_namespaces
def test_every_change_is_told(link: Link, tmp_path: Path) -> None:
    with link.server.inside():
        watcher = Program([sys.executable, "-W", "error", "-c", WATCHER], tmp_path / "output.txt")

    def last_line() -> str:
        assert watcher.is_running, watcher.text()
        lines = [line for line in watcher.text().splitlines() if line.startswith("network")]
        return lines[-1] if lines else ""

    def wait_for(*parts: str) -> None:
        wait_until(f"{parts}", lambda: all(part in last_line() for part in parts))

    try:
        route = "inet via 10.9.0.254 dev uplink"
        wait_for("'10.9.0.1'", route)
        link.down()
        wait_until("it is gone", lambda: last_line() and "10.9.0.1" not in last_line() and route not in last_line())
        link.up()
        wait_for("'10.9.0.1'", route, "10.9.0.1")
        link.change_address("10.9.0.2")
        wait_for("'10.9.0.2'", route)
        assert "10.9.0.1'" not in last_line()
    finally:
        watcher.kill()
    assert "Warning" not in watcher.text()

"""What the tests of the front share: the Kamailio in front of the bridges, without a FreeSWITCH.

Bridges are peers on addresses of their own, as in earnest.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support import kamailio
from support.edge import some_ip
from support.front import Front, Phone
from support.sip_peer import SipPeer


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    skip = pytest.mark.skip(reason="no kamailio on the PATH")
    for item in items:
        if "front" in item.path.parts and kamailio.PROGRAM is None:
            item.add_marker(skip)


@pytest.fixture
def bridges() -> Iterator[list[SipPeer]]:
    with SipPeer(ip=some_ip()) as one, SipPeer(ip=some_ip()) as two:
        yield [one, two]


@pytest.fixture
def front(bridges: list[SipPeer], tmp_path: Path) -> Iterator[Front]:
    front = Front(tmp_path / "front", [bridge.hostport for bridge in bridges], ["alice", "bob"])
    try:
        front.wait_for_bridges(*(bridge.hostport for bridge in bridges))
        yield front
    finally:
        front.kill()


@pytest.fixture
def alice(front: Front) -> Iterator[Phone]:
    with Phone(front, "alice") as phone:
        yield phone


@pytest.fixture
def bob(front: Front) -> Iterator[Phone]:
    with Phone(front, "bob") as phone:
        yield phone


@pytest.fixture
def mallory() -> Iterator[SipPeer]:
    """A stranger, at an address of their own."""
    with SipPeer(ip=some_ip()) as peer:
        yield peer

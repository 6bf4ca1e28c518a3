"""What the tests on a real FreeSWITCH start from."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from ansible_world import world

from support.edge import Edge
from support.freeswitch import PROGRAM, FreeSwitch
from support.sip_peer import SipPeer

__all__ = ["world"]  # a fixture


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    skip = pytest.mark.skip(reason="no freeswitch on the PATH")
    for item in items:
        if "integration" in item.path.parts:
            item.add_marker(pytest.mark.freeswitch)
            if PROGRAM is None:
                item.add_marker(skip)


@pytest.fixture(scope="session")
def freeswitch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FreeSwitch]:
    """A FreeSWITCH whose controller is the test: the lease is there, and events of calls and gateways come."""
    freeswitch = FreeSwitch(tmp_path_factory.mktemp("freeswitch"))
    events = "CHANNEL_PARK CHANNEL_HANGUP_COMPLETE CUSTOM sofia::gateway_state sofia::gateway_delete"
    freeswitch.event_socket.command(f"event json {events}")
    freeswitch.take_calls()
    try:
        yield freeswitch
    finally:
        freeswitch.kill()


@pytest.fixture(scope="module")
def bridged_freeswitch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FreeSwitch]:
    """A FreeSWITCH for the bridge itself: without it, it takes no calls."""
    freeswitch = FreeSwitch(tmp_path_factory.mktemp("fs"))
    yield freeswitch
    freeswitch.kill()


@pytest.fixture(scope="module")
def edge(bridged_freeswitch: FreeSwitch, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    """An edge beside it."""
    with Edge(tmp_path_factory.mktemp("edge"), bridged_freeswitch.providers) as edge:
        yield edge


@pytest.fixture
def caller() -> Iterator[SipPeer]:
    with SipPeer() as peer:
        yield peer


@pytest.fixture
def callee() -> Iterator[SipPeer]:
    """Where calls go; it rings nobody and answers at once unless the test gives it another rule."""
    with SipPeer() as peer:
        yield peer

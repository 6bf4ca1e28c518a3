"""Simulated and real switches, and a `FreeSwitch` adapter connected to one of them."""

from __future__ import annotations

from collections.abc import Iterator

import gevent
import pytest
from contract_world import RealWorld, SimulatedWorld, World, eventually
from listener import Listener

from sipbridge.adapters.event_socket.freeswitch import FreeSwitch
from sipbridge.adapters.event_socket.spool import Spool
from support.freeswitch import PROGRAM

_NO_FREESWITCH = pytest.mark.skipif(PROGRAM is None, reason="no freeswitch on the PATH")


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(SimulatedWorld, id="simulator"),
        pytest.param(RealWorld, id="freeswitch", marks=[pytest.mark.freeswitch, _NO_FREESWITCH]),
    ],
)
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A switch; the tests of a module share it."""
    world = request.param(tmp_path_factory.mktemp("world"))
    yield world
    world.close()


@pytest.fixture
def listener() -> Listener:
    return Listener()


@pytest.fixture
def switch(world: World, listener: Listener) -> Iterator[FreeSwitch]:
    """The adapter, connected, and the lease taken."""
    spool = Spool(world.spool_file, retry_s=5)
    spool.clear()
    switch = FreeSwitch(world.link, spool, provider_profile="providers", lease_s=60)
    runner = gevent.spawn(switch.run, listener)
    eventually("connected", lambda: listener.ups)
    switch.renew_lease()
    switch.channels()  # answered after the lease is taken
    yield switch
    switch.end_lease()
    switch.stop()
    runner.join(5)
    assert runner.successful(), runner.exception

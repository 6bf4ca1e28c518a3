"""Both worlds, and a `FreeSwitch` adapter that is connected to one of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

import gevent
import pytest
from world import RealWorld, SimulatedWorld, World, eventually

from sipbridge.adapters.event_socket.freeswitch import FreeSwitch
from sipbridge.adapters.spool import Spool
from sipbridge.core.events import SwitchEvent
from support.freeswitch import PROGRAM

_NO_FREESWITCH = pytest.mark.skipif(PROGRAM is None, reason="no freeswitch on the PATH")
_E = TypeVar("_E", bound=SwitchEvent)


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


class Listener:
    """Notes what the switch tells."""

    def __init__(self) -> None:
        self.ups = 0
        self.downs: list[str] = []
        self.events: list[SwitchEvent] = []

    def on_switch_up(self) -> None:
        self.ups += 1

    def on_switch_down(self, reason: str) -> None:
        self.downs.append(reason)

    def on_switch_event(self, event: SwitchEvent) -> None:
        self.events.append(event)

    def of(self, kind: type[_E]) -> list[_E]:
        """The events of one kind so far."""
        return [event for event in self.events if isinstance(event, kind)]

    def wait_for(self, kind: type[_E], is_wanted: Callable[[_E], bool] = lambda _: True, timeout_s: float = 10) -> _E:
        """The first event of a kind that is wanted, as soon as it is there."""
        return eventually(f"a wanted {kind.__name__}", lambda: next(filter(is_wanted, self.of(kind)), None), timeout_s)


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

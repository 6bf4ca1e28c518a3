"""Every fault of the Event Socket and of FreeSWITCH, in every state: all comes back, nothing is oversold or leaks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import gevent
import pytest
from fault_world import FEW, MANY, World, leftovers, settle, world

# Each returns when the fault is over, as far as the outside is concerned.


def _cut(world: World) -> None:
    world.simulator.faults.drop_connections()


def _stalled(world: World) -> None:
    world.simulator.faults.stall()
    gevent.sleep(1.5)
    world.simulator.faults.resume()


def _half_open(world: World) -> None:
    world.simulator.faults.become_half_open()
    world.until("the loss is noticed", lambda: not world.app.takes_calls)
    world.simulator.faults.resume()


def _slow(world: World) -> None:
    world.simulator.faults.bytes_per_s = 50_000
    gevent.sleep(1.0)
    world.simulator.faults.bytes_per_s = None


def _garbage(world: World) -> None:
    world.simulator.faults.send_garbage()


def _truncated(world: World) -> None:
    world.simulator.faults.truncate_bodies()
    world.call()


def _huge(world: World) -> None:
    world.simulator.faults.send_garbage(b"Content-Type: text/event-json\nContent-Length: 99999999999\n\n")


def _reply_lost(world: World) -> None:
    world.simulator.faults.lose_replies()
    world.call()


def _reply_late(world: World) -> None:
    world.simulator.faults.reply_delay_s = 0.3
    world.call()
    gevent.sleep(1.0)
    world.simulator.faults.reply_delay_s = 0.0


def _killed(world: World) -> None:
    world.simulator.shut_down_switch()
    gevent.sleep(0.3)
    world.simulator.start_switch()


def _restarted(world: World) -> None:
    world.simulator.shut_down_switch(announces=True)
    gevent.sleep(0.3)
    world.simulator.start_switch()


def _profile_restarted(world: World) -> None:
    world.simulator.restart_profile()


def _reload_fails(world: World) -> None:
    """Somebody else's mistake in the configuration: no gateway can be added until it is mended."""
    world.simulator.switch.configuration_error = "[error near line 7]: mismatched tag"
    world.simulator.restart_profile()
    gevent.sleep(1.0)
    world.simulator.switch.configuration_error = ""


_FAULTS = {
    "event socket cut": _cut,
    "stalled": _stalled,
    "half-open": _half_open,
    "slow": _slow,
    "garbage": _garbage,
    "truncated body": _truncated,
    "huge body": _huge,
    "reply lost": _reply_lost,
    "reply late": _reply_late,
    "FreeSWITCH killed": _killed,
    "FreeSWITCH restarted": _restarted,
    "profile restarted": _profile_restarted,
    "reloadxml fails": _reload_fails,
}

# Each brings the world into a state, with so many accounts.


def _idle(world: World) -> None:
    world.recover()


def _registering(world: World) -> None:
    world.until("some have registered", lambda: world.registered > 0)
    assert world.registered < MANY


def _calling(world: World) -> None:
    world.recover()
    world.hold(200)


def _draining(world: World) -> None:
    world.recover()
    world.hold(20)
    world.drain()


def _reloading(world: World) -> None:
    world.recover()
    world.change_secrets("another")
    gevent.spawn(world.reload)
    gevent.sleep(0.05)


_STATES = {
    "idle": (_idle, FEW),
    "registering 1,000": (_registering, MANY),
    "200 calls": (_calling, FEW),
    "draining": (_draining, FEW),
    "reloading": (_reloading, MANY),
}


@pytest.mark.parametrize("state", _STATES)
@pytest.mark.parametrize("fault", _FAULTS)
def test_it_recovers(tmp_path: Path, fault: str, state: str, record_recovery: Callable[[str, float], None]) -> None:
    enter, accounts = _STATES[state]
    before = leftovers()
    with world(tmp_path, accounts) as each:
        enter(each)
        _FAULTS[fault](each)
        record_recovery(fault, each.recover())
        if state == "reloading":
            # Whatever came of the one that was cut short: the file is what holds.
            each.reload()
            each.recover()
        each.end()
        assert each.simulator.injections == []
    settle(before)

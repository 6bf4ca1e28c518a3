"""Every fault of the Event Socket and of FreeSWITCH, in every state: all comes back, nothing is oversold or leaks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gevent
import pytest
from fault_world import FEW, MANY, World, leftovers, settle, world
from switches import real_switch, simulated_switch

from support import freeswitch, registrar

# A real FreeSWITCH takes its time to start, and its profile is not restarted in its first ten seconds.
pytestmark = pytest.mark.timeout(400)

# Each returns when the fault is over, as far as the outside is concerned.


def _cut(world: World) -> None:
    world.relay.cut()


def _stalled(world: World) -> None:
    world.relay.stall()
    gevent.sleep(1.5)
    world.relay.resume()


def _half_open(world: World) -> None:
    world.relay.become_half_open()
    world.until("the loss is noticed", lambda: not world.app.takes_calls)
    world.relay.resume()


def _slow(world: World) -> None:
    world.relay.bytes_per_s = 50_000
    gevent.sleep(1.0)
    world.relay.bytes_per_s = None


def _garbage(world: World) -> None:
    world.relay.send_garbage()


def _truncated(world: World) -> None:
    world.relay.truncated_bodies = 1
    world.call()


def _huge(world: World) -> None:
    world.relay.send_garbage(b"Content-Type: text/event-json\nContent-Length: 99999999999\n\n")


def _reply_lost(world: World) -> None:
    world.relay.lost_replies = 1
    world.call()


def _reply_late(world: World) -> None:
    world.relay.reply_delay_s = 0.3
    world.call()
    gevent.sleep(1.0)
    world.relay.reply_delay_s = 0.0


def _killed(world: World) -> None:
    world.switch.kill()
    gevent.sleep(0.3)
    world.switch.start()


def _restarted(world: World) -> None:
    world.switch.shut_down()
    gevent.sleep(0.3)
    world.switch.start()


def _profile_restarted(world: World) -> None:
    world.switch.restart_profile()


def _reload_fails(world: World) -> None:
    """Somebody else's mistake in the configuration: no gateway can be added until it is mended."""
    world.switch.break_configuration()
    world.switch.restart_profile()
    gevent.sleep(1.0)
    world.switch.mend_configuration()


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
    world.change_accounts("another")
    gevent.spawn(world.reload)
    gevent.sleep(0.05)


_STATES = {
    "idle": (_idle, FEW),
    "registering 1,000": (_registering, MANY),
    "200 calls": (_calling, FEW),
    "draining": (_draining, FEW),
    "reloading": (_reloading, MANY),
}

_CANNOT_BE_REAL = pytest.mark.skipif(
    freeswitch.PROGRAM is None or registrar.PROGRAM is None, reason="no freeswitch, or no kamailio, on the PATH"
)
_SWITCHES = [
    pytest.param(simulated_switch, id="simulator"),
    pytest.param(real_switch, id="FreeSWITCH", marks=[pytest.mark.freeswitch, _CANNOT_BE_REAL]),
]


@pytest.mark.parametrize("state", _STATES)
@pytest.mark.parametrize("fault", _FAULTS)
@pytest.mark.parametrize("a_switch", _SWITCHES)
def test_it_recovers(
    tmp_path: Path,
    a_switch: Callable[..., Any],
    fault: str,
    state: str,
    record_recovery: Callable[[str, str, float], None],
) -> None:
    enter, accounts = _STATES[state]
    befall = _FAULTS[fault]
    before = leftovers()
    with a_switch(tmp_path) as switch:
        if befall in (_profile_restarted, _reload_fails):
            switch.await_restartable_profile()
        with world(tmp_path, switch, accounts) as each:
            enter(each)
            befall(each)
            record_recovery(a_switch.__name__, fault, each.recover())
            if state == "reloading":
                # Whatever came of the one that was cut short: the file is what holds.
                each.reload()
                each.recover()
            each.end()
    settle(before)

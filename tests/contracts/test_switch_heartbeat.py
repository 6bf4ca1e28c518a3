"""What a switch says of itself: how it is, at once, and which codecs calls may use."""

from __future__ import annotations

from listener import Listener

from sipbridge.adapters.event_socket.freeswitch import FreeSwitch
from sipbridge.core.calls.events import Heartbeat


def test_a_switch_that_is_connected_has_said_how_it_is(switch: FreeSwitch, listener: Listener) -> None:
    assert switch
    heartbeat = listener.of(Heartbeat)[0]
    assert heartbeat.version.startswith("1.")
    assert 0.0 <= heartbeat.uptime_s < 600.0
    assert 0 <= heartbeat.sessions < heartbeat.max_sessions
    assert 0.0 <= heartbeat.idle_cpu_percent <= 100.0


def test_a_switch_says_which_codecs_calls_may_use(switch: FreeSwitch, listener: Listener) -> None:
    assert listener
    assert switch.codecs() == ("PCMA", "PCMU")

"""FreeSWITCH's event listener is kept awake while calls come in. Uses a greenlet.

An idle listener looks for events every 20 ms, and the call that an event tells of waits for as long. A blank line on
the connection means nothing to it, but has it look at once.

Source: mod_event_socket.c, read_packet.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import gevent
import gevent.event

INTERVAL_S = 0.005
_BUSY_CALLS_PER_S = 10
"""From so many calls in a second on, the nudges of the next second cost little beside them: some 20 µs each."""


class Nudge:
    """Nudges while it is worth it.

    Args:
        nudge: sends a blank line; False when the connection is lost.
    """

    def __init__(self, nudge: Callable[[], bool]) -> None:
        self._nudge = nudge
        self._is_busy = gevent.event.Event()
        self._window_began = 0.0
        self._calls = 0

    def note_call(self) -> None:
        """A call came in."""
        now = time.monotonic()
        if now - self._window_began >= 1.0:
            self._window_began = now
            self._calls = 0
        self._calls += 1
        if self._calls >= _BUSY_CALLS_PER_S:
            self._is_busy.set()

    def run(self) -> None:
        """Nudge whenever there are many calls, until the connection is lost; the body of a greenlet."""
        while True:
            self._is_busy.wait()
            self._is_busy.clear()
            until = time.monotonic() + 1.0
            while time.monotonic() < until:
                if not self._nudge():
                    return
                gevent.sleep(INTERVAL_S)

"""Runs scheduled actions in simulated time, in one greenlet. Uses the clock."""

from __future__ import annotations

import heapq
import itertools
import logging
import time
from collections.abc import Callable

import gevent
from gevent.event import Event as Flag

_log = logging.getLogger(__name__)


class Timer:
    """A scheduled action, ordered by time."""

    __slots__ = ("_action", "_order", "due")

    def __init__(self, due: float, order: int, action: Callable[[], object]) -> None:
        self.due = due
        self._order = order
        self._action: Callable[[], object] | None = action

    def __lt__(self, other: Timer) -> bool:
        return (self.due, self._order) < (other.due, other._order)

    def cancel(self) -> None:
        """Cancel the action. Cancelling twice, or too late, has no effect."""
        self._action = None

    def run(self) -> None:
        """Run the action, unless it was cancelled."""
        if (action := self._action) is not None:
            self._action = None
            action()


class Clock:
    """Runs actions when they are due; actions due at the same time run in the order in which they were scheduled.

    An action must not wait. An action that raises is a bug in the simulator or in a rule of a test: the exception is
    logged and kept in `errors`, and other actions continue.

    Args:
        time_scale: real seconds that one simulated second takes.
    """

    def __init__(self, time_scale: float) -> None:
        self.time_scale = time_scale
        self.errors: list[Exception] = []
        self._timers: list[Timer] = []
        self._order = itertools.count()
        self._wake = Flag()
        self._greenlet: gevent.Greenlet[[], None] | None = None

    def start(self) -> None:
        """Start running due actions."""
        self._greenlet = gevent.spawn(self._run)

    def stop(self) -> None:
        """Drop all scheduled actions."""
        if self._greenlet is not None:
            self._greenlet.kill()
            self._greenlet = None
        self._timers.clear()

    def after(self, delay_s: float, action: Callable[[], object]) -> Timer:
        """Run `action` in `delay_s` simulated seconds; 0 means as soon as nothing else runs."""
        return self.after_real(delay_s * self.time_scale, action)

    def after_real(self, delay_s: float, action: Callable[[], object]) -> Timer:
        """Run `action` in `delay_s` real seconds."""
        timer = Timer(time.monotonic() + delay_s, next(self._order), action)
        is_next = not self._timers or timer < self._timers[0]
        heapq.heappush(self._timers, timer)
        if is_next:
            self._wake.set()
        return timer

    def _run(self) -> None:
        while True:
            self._wake.clear()
            now = time.monotonic()
            # Actions that become due meanwhile wait for the next round, so that connections run in between.
            due: list[Timer] = []
            while self._timers and self._timers[0].due <= now:
                due.append(heapq.heappop(self._timers))
            for timer in due:
                self._run_one(timer)
            if not self._timers:
                self._wake.wait()
            elif (wait_s := self._timers[0].due - time.monotonic()) > 0:
                self._wake.wait(wait_s)
            else:
                gevent.sleep(0)

    def _run_one(self, timer: Timer) -> None:
        try:
            timer.run()
        except Exception as error:  # noqa: BLE001  # the boundary of one action
            _log.exception("the simulator failed")
            self.errors.append(error)

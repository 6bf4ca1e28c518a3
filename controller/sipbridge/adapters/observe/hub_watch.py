"""Watches the event loop with a timer: how late it runs, and whether it runs at all. Runs a greenlet."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import gevent

from sipbridge.core.observe import metrics
from sipbridge.core.observe.metric import Histogram, Metric

_TICK_S = 0.1
_LATENCY_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5)


class HubWatch:
    """Ticks, and measures how late each tick is.

    Args:
        on_tick: called on each tick; must not wait.
    """

    def __init__(self, on_tick: Callable[[], None]) -> None:
        self._on_tick = on_tick
        self._latency = Histogram(_LATENCY_S)

    def run(self) -> None:
        """Tick forever; the body of a greenlet."""
        while True:
            due = time.monotonic() + _TICK_S
            gevent.sleep(_TICK_S)
            self._latency.observe(max(0.0, time.monotonic() - due))
            self._on_tick()

    def metrics(self) -> Iterator[Metric]:
        """Yield the delay of the ticks."""
        yield metrics.HUB_LATENCY.one(self._latency)

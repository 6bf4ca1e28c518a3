"""Implements the `Scheduler` port with greenlets and native threads."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import gevent

_T = TypeVar("_T")


_ROUND_S = 1e-6
"""A sleep of 0 would run the greenlets that are ready, but would not make the hub poll sockets and timers."""


def breathe() -> None:
    """Yield to the hub for one round of its loop, so that sockets are read too; the one way in which adapters do so."""
    gevent.sleep(_ROUND_S)


class Greenlets:
    """All greenlets share one native thread, the hub's."""

    def breathe(self) -> None:
        """Yield to the hub for one round of its loop, so that sockets are read too."""
        breathe()

    def pause(self, seconds: float) -> None:
        """Yield to the hub for some seconds."""
        gevent.sleep(seconds)

    def apart(self, work: Callable[[], _T]) -> _T:
        """Run work in a native thread of the hub's pool; the two threads take turns every few milliseconds."""
        result: _T = gevent.get_hub().threadpool.apply(work)
        return result

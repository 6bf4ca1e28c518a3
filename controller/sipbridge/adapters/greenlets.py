"""The greenlets of the daemon as the `Scheduler` port. Runs native threads."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import gevent

_T = TypeVar("_T")


class Greenlets:
    """All greenlets share one native thread, the hub's."""

    def breathe(self) -> None:
        """Yield to the hub for once around its loop, so that what has arrived is read as well."""
        gevent.sleep(0.0001)

    def pause(self, seconds: float) -> None:
        """Yield to the hub for so long."""
        gevent.sleep(seconds)

    def apart(self, work: Callable[[], _T]) -> _T:
        """Work in a native thread of the hub's pool; the two take turns every few milliseconds."""
        result: _T = gevent.get_hub().threadpool.apply(work)
        return result

"""The time of this machine. I/O: the system clock."""

from __future__ import annotations

import time


class SystemClock:
    """The machine's own clock."""

    def monotonic(self) -> float:
        """Seconds since the machine started."""
        return time.monotonic()

    def wall(self) -> float:
        """Seconds since 1970."""
        return time.time()

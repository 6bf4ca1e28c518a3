"""Reads the system clock."""

from __future__ import annotations

import time


class SystemClock:
    """The clock of this host."""

    def monotonic(self) -> float:
        """Return seconds since the host started."""
        return time.monotonic()

    def wall(self) -> float:
        """Return seconds since 1970."""
        return time.time()

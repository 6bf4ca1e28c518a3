"""Keeps a steady pace. Pure; times are monotonic seconds."""

from __future__ import annotations


class Pace:
    """Allows one action per interval; intervals of a second or more are kept exactly, shorter ones on average.

    With short intervals, delayed actions catch up, but at most one second's worth: FreeSWITCH sends due REGISTERs once
    a second, so a finer spacing would be lost on the wire.

    Attributes:
        interval_s: minimum mean time between two actions.
    """

    def __init__(self, interval_s: float) -> None:
        self.interval_s = interval_s
        self._catches_up_s = 1.0 if interval_s < 1.0 else 0.0
        self._next_at = float("-inf")

    def take(self, now: float) -> bool:
        """Return whether an action is allowed at `now`; if so, it counts as done."""
        if now < self._next_at:
            return False
        # After a pause, start again from now: a pool without changes must not accumulate a burst.
        since = self._next_at if now - self._next_at <= self._catches_up_s else now
        self._next_at = since + self.interval_s
        return True

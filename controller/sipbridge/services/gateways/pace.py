"""When something may happen once more, at a steady pace. Pure; times in seconds, only ever growing."""

from __future__ import annotations


class Pace:
    """One after the other: intervals of a second and more are kept, shorter ones on average.

    What is late by a short interval catches up, but no more than a second's worth: FreeSWITCH sends what is due once a
    second, so finer spacing than that would be lost on the wire.

    Attributes:
        interval_s: least mean time between two.
    """

    def __init__(self, interval_s: float) -> None:
        self.interval_s = interval_s
        self._catches_up_s = 1.0 if interval_s < 1.0 else 0.0
        self._next_at = float("-inf")

    def take(self, now: float) -> bool:
        """Whether one more may happen at `now`; if so, it counts as having happened."""
        if now < self._next_at:
            return False
        # After a rest it starts afresh: a pool without changes does not save up for a burst.
        since = self._next_at if now - self._next_at <= self._catches_up_s else now
        self._next_at = since + self.interval_s
        return True

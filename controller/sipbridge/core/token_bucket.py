"""Limits a rate. Pure; times in seconds."""

from __future__ import annotations


class TokenBucket:
    """Allows `rate_per_s` a second and, after a pause, a burst of one second's worth.

    Args:
        now: the start time; the bucket starts full.
    """

    def __init__(self, rate_per_s: float, now: float) -> None:
        self._rate_per_s = rate_per_s
        self._tokens = rate_per_s
        self._at = now

    def take(self, now: float) -> bool:
        """Take a token at `now` if there is one; return whether there was."""
        self._fill(now)
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

    def level(self, now: float) -> float:
        """Return how full the bucket is, from 0 to 1."""
        self._fill(now)
        return self._tokens / self._rate_per_s

    def _fill(self, now: float) -> None:
        self._tokens = min(self._rate_per_s, self._tokens + (now - self._at) * self._rate_per_s)
        self._at = now

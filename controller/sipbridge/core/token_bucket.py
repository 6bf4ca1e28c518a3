"""How much may happen in how long: what comes too fast is told apart from what may pass. Pure; times in seconds."""

from __future__ import annotations


class TokenBucket:
    """Lets `rate_per_s` a second pass, and after a rest as many as a second's worth at once.

    Args:
        now: the time at which it starts, full.
    """

    def __init__(self, rate_per_s: float, now: float) -> None:
        self._rate_per_s = rate_per_s
        self._tokens = rate_per_s
        self._at = now

    def take(self, now: float) -> bool:
        """Whether one more may pass at `now`; if so, it counts as having passed."""
        self._fill(now)
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

    def level(self, now: float) -> float:
        """How full it is: 0 to 1."""
        self._fill(now)
        return self._tokens / self._rate_per_s

    def _fill(self, now: float) -> None:
        self._tokens = min(self._rate_per_s, self._tokens + (now - self._at) * self._rate_per_s)
        self._at = now

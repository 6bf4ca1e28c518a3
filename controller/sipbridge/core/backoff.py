"""Computes pauses between retries from the number of failures. Pure; times in seconds."""

from __future__ import annotations

from collections.abc import Callable

_MOST_DOUBLINGS = 20
"""Limit that avoids overflow; no longest pause is a million times the shortest."""


def doubled_pause_s(failures: int, shortest_s: float, longest_s: float) -> float:
    """Return the pause after a number of failures in a row (1, 2, 3, …): 1 s, 2 s, 4 s, … up to the longest."""
    return min(longest_s, shortest_s * 2.0 ** min(failures - 1, _MOST_DOUBLINGS))


def _longest() -> float:
    return 1.0


class Backoff:
    """Schedules retries with pauses that double from the shortest to the longest.

    Args:
        shortest_s: pause after the first failure.
        longest_s: longest pause.
        jitter: returns a number from 0 to 1 for each pause, which shortens it by up to half. A random number keeps many
            clients that lost the same server from reconnecting at the same time.

    Attributes:
        failures: number of failures in a row.
    """

    def __init__(self, shortest_s: float, longest_s: float, jitter: Callable[[], float] = _longest) -> None:
        self.failures = 0
        self._shortest_s = shortest_s
        self._longest_s = longest_s
        self._jitter = jitter
        self._due_at = float("-inf")

    def is_due(self, now: float) -> bool:
        """Return whether the pause is over."""
        return now >= self._due_at

    def failed(self, now: float) -> float:
        """Count a failure, and return the pause from `now` on."""
        self.failures += 1
        longest_s = doubled_pause_s(self.failures, self._shortest_s, self._longest_s)
        pause_s = longest_s * (0.5 + self._jitter() / 2)
        self._due_at = now + pause_s
        return pause_s

    def succeeded(self) -> None:
        """Reset: the next failure counts as the first."""
        self.failures = 0
        self._due_at = float("-inf")

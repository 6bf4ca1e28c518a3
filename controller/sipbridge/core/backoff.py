"""How often something has failed becomes how long to wait before it is tried again. Pure; times in seconds."""

from __future__ import annotations

from collections.abc import Callable

_MOST_DOUBLINGS = 20
"""Ever more of them would end in a number that is too large; no longest pause is a million times the shortest."""


def doubled_pause_s(failures: int, shortest_s: float, longest_s: float) -> float:
    """The pause after so many failures in a row (1, 2, 3, …): 1 s, 2 s, 4 s, and so on up to the longest."""
    return min(longest_s, shortest_s * 2.0 ** min(failures - 1, _MOST_DOUBLINGS))


def _longest() -> float:
    return 1.0


class Backoff:
    """When to try again what has failed: doubling from the shortest to the longest pause.

    Args:
        shortest_s: pause after the first failure.
        longest_s: pause after many.
        jitter: a number from 0 to 1 for each pause, which is at least half as long as it could be. Random, it keeps
            many who lost the same server from knocking together.

    Attributes:
        failures: how many there were in a row.
    """

    def __init__(self, shortest_s: float, longest_s: float, jitter: Callable[[], float] = _longest) -> None:
        self.failures = 0
        self._shortest_s = shortest_s
        self._longest_s = longest_s
        self._jitter = jitter
        self._due_at = float("-inf")

    def is_due(self, now: float) -> bool:
        """Whether the pause is over."""
        return now >= self._due_at

    def failed(self, now: float) -> float:
        """Note a failure; how long to wait from `now` on."""
        self.failures += 1
        longest_s = doubled_pause_s(self.failures, self._shortest_s, self._longest_s)
        pause_s = longest_s * (0.5 + self._jitter() / 2)
        self._due_at = now + pause_s
        return pause_s

    def succeeded(self) -> None:
        """Note a success: the next failure is a first one."""
        self.failures = 0
        self._due_at = float("-inf")

"""Counts recent events and forgets them after some minutes. Pure; times are monotonic seconds."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Hashable, Mapping
from typing import Generic, TypeVar

_K = TypeVar("_K", bound=Hashable)


class RecentCounts(Generic[_K]):
    """Counts recent events by kind; memory and work do not grow with the number of events.

    Args:
        window_s: how long an event counts, to within a second.
    """

    def __init__(self, window_s: int) -> None:
        self._window_s = window_s
        self._seconds: deque[tuple[int, Counter[_K]]] = deque()
        self._totals: Counter[_K] = Counter()

    def add(self, kind: _K, now: float) -> None:
        """Count an event."""
        second = int(now)
        if not self._seconds or self._seconds[-1][0] != second:
            self._forget(second)
            self._seconds.append((second, Counter()))
        self._seconds[-1][1][kind] += 1
        self._totals[kind] += 1

    def totals(self, now: float) -> Mapping[_K, int]:
        """Return the current count of each kind; kinds with 0 are left out."""
        self._forget(int(now))
        return dict(self._totals)

    def per_second(self, is_counted: Callable[[_K], bool], now: float, over_s: int = 10) -> float:
        """Return the rate of some kinds of events over the last seconds."""
        first = int(now) - over_s
        counted = 0
        for second, counts in reversed(self._seconds):
            if second < first:
                break
            # The current second is incomplete and would make the rate flicker.
            if second < int(now):
                counted += sum(number for kind, number in counts.items() if is_counted(kind))
        return counted / over_s

    def _forget(self, second: int) -> None:
        while self._seconds and self._seconds[0][0] <= second - self._window_s:
            _, counts = self._seconds.popleft()
            self._totals -= counts

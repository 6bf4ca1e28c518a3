"""Things that happen are counted for some minutes, then forgotten. Pure; times in seconds, only ever growing."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Hashable, Mapping
from typing import Generic, TypeVar

_K = TypeVar("_K", bound=Hashable)


class RecentCounts(Generic[_K]):
    """How often each of some kinds of things happened of late; memory and work do not grow with how many happen.

    Args:
        window_s: how long a thing counts, give or take a second.
    """

    def __init__(self, window_s: int) -> None:
        self._window_s = window_s
        self._seconds: deque[tuple[int, Counter[_K]]] = deque()
        self._totals: Counter[_K] = Counter()

    def add(self, kind: _K, now: float) -> None:
        """One more has happened."""
        second = int(now)
        if not self._seconds or self._seconds[-1][0] != second:
            self._forget(second)
            self._seconds.append((second, Counter()))
        self._seconds[-1][1][kind] += 1
        self._totals[kind] += 1

    def totals(self, now: float) -> Mapping[_K, int]:
        """How many of each kind count now; none with 0."""
        self._forget(int(now))
        return dict(self._totals)

    def per_second(self, is_counted: Callable[[_K], bool], now: float, over_s: int = 10) -> float:
        """How many things of some kinds happened a second, in the last few."""
        first = int(now) - over_s
        counted = 0
        for second, counts in reversed(self._seconds):
            if second < first:
                break
            # The second that is not over yet would make it flicker.
            if second < int(now):
                counted += sum(number for kind, number in counts.items() if is_counted(kind))
        return counted / over_s

    def _forget(self, second: int) -> None:
        while self._seconds and self._seconds[0][0] <= second - self._window_s:
            _, counts = self._seconds.popleft()
            self._totals -= counts

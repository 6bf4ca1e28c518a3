"""Lets other greenlets run in the middle of long work: the only way in which services do so."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from sipbridge.ports import Scheduler

_T = TypeVar("_T")


class Slices:
    """Divides long work into slices, with other greenlets running in between.

    Args:
        size: how many items are a slice; they should take some 5 ms.
        after_each: called after the others have run, to find out whether the work still makes sense.
    """

    def __init__(self, scheduler: Scheduler, size: int, after_each: Callable[[], None] | None = None) -> None:
        self._scheduler = scheduler
        self._size = size
        self._after_each = after_each
        self._done = 0

    def each(self, items: Iterable[_T]) -> Iterator[_T]:
        """Give back the items, one by one; the others run whenever a slice is done, over all calls of this."""
        for item in items:
            yield item
            self._done += 1
            if self._done >= self._size:
                self.end()

    def end(self) -> None:
        """Let the others run now."""
        self._done = 0
        self._scheduler.breathe()
        if self._after_each is not None:
            self._after_each()

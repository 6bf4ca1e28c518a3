"""Pauses Python's garbage collector while many long-lived objects are created. Changes global interpreter state."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

_FEW = 250_000
"""Objects that a collection scans in about 30 ms: the program itself and several thousand accounts."""


@contextmanager
def without_collector() -> Iterator[None]:
    """Disable collection while many objects are created and none of them is garbage.

    Otherwise repeated scans take more than half of the time to load a file with 20,000 accounts.
    """
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


def pass_over_what_stays() -> None:
    """Exclude all current objects from future collections, because most of them are long-lived.

    A collection over a hundred thousand accounts would delay every call. But excluded garbage is never freed, so if
    there are few objects, a collection runs first.
    """
    if gc.get_freeze_count() < _FEW:
        gc.unfreeze()
        gc.collect()
    gc.freeze()

"""Python's garbage collector rests while much is made that stays. Changes the state of the interpreter."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

_FEW = 250_000
"""Objects that are looked through in some 30 ms: what the program itself is made of, and several thousand accounts."""


@contextmanager
def without_collector() -> Iterator[None]:
    """Make many objects without having them looked through again and again for garbage, of which there is none.

    That takes more than half of the time when a file with 20,000 accounts is read.
    """
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


def pass_over_what_stays() -> None:
    """Have the collector pass over all that there is now, most of which stays.

    To look for garbage among a hundred thousand accounts holds up every call. But what it passes over and is garbage,
    or becomes garbage later, is never found: so where there are few objects, they are looked through first.
    """
    if gc.get_freeze_count() < _FEW:
        gc.unfreeze()
        gc.collect()
    gc.freeze()

"""Python's garbage collector rests while much is made that stays. Changes the state of the interpreter."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


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

"""What the garbage collector skips, and what it still collects."""

from __future__ import annotations

import gc
import sys
import weakref
from collections.abc import Iterator

import pytest

from sipbridge.config.collector import pass_over_what_stays, without_collector


class Ring:
    """Garbage that only the collector finds."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    yield
    gc.unfreeze()
    gc.collect()


def test_it_rests_and_goes_on() -> None:
    with without_collector():
        assert not gc.isenabled()
    assert gc.isenabled()


def test_garbage_that_was_passed_over_is_found_the_next_time(monkeypatch: pytest.MonkeyPatch) -> None:
    # However many objects the tests before this one have left.
    monkeypatch.setattr("sipbridge.config.collector._FEW", sys.maxsize)
    ring = Ring()
    left = weakref.ref(ring)
    pass_over_what_stays()
    del ring
    gc.collect()
    assert left() is not None

    pass_over_what_stays()

    assert left() is None


def test_many_objects_are_not_looked_through(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sipbridge.config.collector._FEW", 1)
    pass_over_what_stays()
    ring = Ring()
    left = weakref.ref(ring)
    del ring

    pass_over_what_stays()

    assert left() is not None

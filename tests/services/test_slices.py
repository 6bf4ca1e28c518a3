"""Long work lets others run after every slice, and finds out whether it still makes sense."""

from __future__ import annotations

import pytest
from memory_switch import FakeScheduler

from sipbridge.services.slices import Slices


@pytest.mark.parametrize(("items", "breaths"), [(0, 0), (9, 0), (10, 1), (25, 2), (30, 3)])
def test_others_run_after_each_slice(items: int, breaths: int) -> None:
    scheduler = FakeScheduler()
    assert list(Slices(scheduler, 10).each(range(items))) == list(range(items))
    assert scheduler.breaths == breaths


def test_slices_go_on_over_several_pieces_of_work() -> None:
    scheduler = FakeScheduler()
    slices = Slices(scheduler, 10)
    for _ in range(4):
        list(slices.each(range(5)))
    assert scheduler.breaths == 2
    slices.end()
    list(slices.each(range(9)))
    assert scheduler.breaths == 3


def test_work_that_makes_no_sense_any_more_ends_after_a_slice() -> None:
    scheduler = FakeScheduler()

    def check() -> None:
        if scheduler.breaths == 2:
            raise InterruptedError

    done: list[int] = []
    with pytest.raises(InterruptedError):
        done.extend(Slices(scheduler, 10, check).each(range(100)))
    assert done == list(range(20))

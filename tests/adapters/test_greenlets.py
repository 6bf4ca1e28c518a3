"""Long work does not block other greenlets."""

from __future__ import annotations

import threading
import time

import gevent
import pytest

from sipbridge.adapters.greenlets import Greenlets


def test_others_run_at_a_breath() -> None:
    done: list[str] = []
    gevent.spawn(done.append, "other")
    Greenlets().breathe()
    assert done == ["other"]


def test_others_run_while_something_is_done_apart() -> None:
    is_over, seen = threading.Event(), []

    def other() -> None:
        seen.append(is_over.is_set())
        is_over.set()

    def work() -> bool:
        # Only another greenlet can end this.
        return is_over.wait(10.0)

    gevent.spawn_later(0.01, other)
    assert Greenlets().apart(work)
    assert seen == [False]


def test_busy_work_apart_lets_others_have_their_turn() -> None:
    turns: list[float] = []

    def count() -> None:
        while True:
            turns.append(time.monotonic())
            gevent.sleep(0)

    def work() -> None:
        until = time.monotonic() + 0.2
        while time.monotonic() < until:
            pass

    counting = gevent.spawn(count)
    Greenlets().apart(work)
    counting.kill()
    assert len(turns) > 5


def test_what_work_raises_is_raised(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ZeroDivisionError):
        Greenlets().apart(lambda: 1 / 0)
    # As gevent does for every thread.
    assert "ZeroDivisionError" in capfd.readouterr().err

"""Work in a native thread, and greenlets that wait for it."""

from __future__ import annotations

import contextlib
import threading

import gevent
import pytest

from sipbridge.adapters.native_thread import NativeThread
from sipbridge.core.errors import SipBridgeError


def test_others_run_while_one_waits() -> None:
    thread = NativeThread()
    turn = threading.Event()
    pending = thread.start(lambda: turn.wait(10))

    with pytest.raises(TimeoutError):
        pending.wait(0.01)
    gevent.spawn(turn.set)

    assert pending.wait(10)
    thread.end(lambda: None)


def test_everything_is_done_in_one_thread_in_order() -> None:
    thread = NativeThread()
    done: list[int] = []
    last = threading.Event()

    threads = {thread.start(threading.get_ident).wait(10) for _ in range(3)}
    for number in range(3):
        thread.start(lambda number=number: done.append(number))
    thread.end(last.set)

    with gevent.Timeout(10):
        while not last.is_set():
            gevent.sleep(0.01)
    assert done == [0, 1, 2]
    assert len(threads) == 1
    assert threads != {threading.get_ident()}


def test_what_goes_wrong_is_told_to_who_waits(capfd: pytest.CaptureFixture[str]) -> None:
    thread = NativeThread()

    def fail() -> None:
        raise SipBridgeError("Mellon")

    with pytest.raises(SipBridgeError, match="Mellon"):
        thread.start(fail).wait(10)
    assert thread.start(lambda: 1).wait(10) == 1
    thread.end(contextlib.nullcontext)
    assert capfd.readouterr() == ("", "")

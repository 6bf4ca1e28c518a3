"""Runs blocking work in a native thread, one job after another, while greenlets wait cooperatively."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar, cast

import gevent
from gevent.event import AsyncResult
from gevent.threadpool import ThreadPool

from sipbridge.core.errors import SipBridgeError

_T = TypeVar("_T")

_POLL_S = 0.001


@dataclass(frozen=True, slots=True)
class _Failed:
    error: SipBridgeError


class Pending(Generic[_T]):
    """A job in progress."""

    def __init__(self, result: AsyncResult[Any]) -> None:
        self._result = result

    def wait(self, timeout_s: float) -> _T:
        """Wait for the result.

        Raises:
            TimeoutError: the job is not done yet.
            SipBridgeError: the job raised it.
        """
        try:
            outcome: Any = self._result.get(timeout=timeout_s)
        except gevent.Timeout:
            raise TimeoutError from None
        if isinstance(outcome, _Failed):
            raise outcome.error
        return cast(_T, outcome)


class NativeThread:
    """A thread that starts with its first job. It can own what belongs to one thread, such as a connection."""

    def __init__(self) -> None:
        self._pool = ThreadPool(1)

    def start(self, work: Callable[[], _T]) -> Pending[_T]:
        """Start a job; it runs after the jobs that were started before."""
        return Pending(self._pool.spawn(_outcome, work))

    def end(self, last: Callable[[], None]) -> gevent.Greenlet[..., object]:
        """Run a last job, then end the thread; the returned greenlet ends when the thread has ended.

        Wait for it before the program exits: Python stops native threads wherever they are, and a thread with greenlets
        of its own, as PyMySQL's sockets have, then crashes the process.
        """
        return gevent.spawn(self._end, last)

    def _end(self, last: Callable[[], None]) -> None:
        thread = self._pool.spawn(threading.get_native_id).get()
        self._pool.spawn(last).wait()
        self._pool.kill()
        # The pool only knows that the thread is about to end.
        while Path(f"/proc/self/task/{thread}").exists():
            gevent.sleep(_POLL_S)


def _outcome(work: Callable[[], _T]) -> _T | _Failed:
    # gevent prints every exception that leaves a native thread, even if it is caught later.
    try:
        return work()
    except SipBridgeError as error:
        return _Failed(error)

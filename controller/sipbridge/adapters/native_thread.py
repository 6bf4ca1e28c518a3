"""Blocking work is done in a native thread, one thing after another, while greenlets wait for it cooperatively."""

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
    """Work that is being done."""

    def __init__(self, result: AsyncResult[Any]) -> None:
        self._result = result

    def wait(self, timeout_s: float) -> _T:
        """What came of it.

        Raises:
            TimeoutError: it is not done yet.
            SipBridgeError: what the work has raised.
        """
        try:
            outcome: Any = self._result.get(timeout=timeout_s)
        except gevent.Timeout:
            raise TimeoutError from None
        if isinstance(outcome, _Failed):
            raise outcome.error
        return cast(_T, outcome)


class NativeThread:
    """A thread, which starts with its first work. What belongs to one thread, such as a connection, can live here."""

    def __init__(self) -> None:
        self._pool = ThreadPool(1)

    def start(self, work: Callable[[], _T]) -> Pending[_T]:
        """Have something done; waits until what was started before is done."""
        return Pending(self._pool.spawn(_outcome, work))

    def end(self, last: Callable[[], None]) -> gevent.Greenlet[..., object]:
        """Have one last thing done and end the thread, when it gets to it; the greenlet is over then.

        Who is about to leave the program waits for that: Python's end ends native threads wherever they are, and one
        that has greenlets of its own, as PyMySQL's sockets have, crashes the process with that.
        """
        return gevent.spawn(self._end, last)

    def _end(self, last: Callable[[], None]) -> None:
        thread = self._pool.spawn(threading.get_native_id).get()
        self._pool.spawn(last).wait()
        self._pool.kill()
        # The pool knows no more than that it is about to end.
        while Path(f"/proc/self/task/{thread}").exists():
            gevent.sleep(_POLL_S)


def _outcome(work: Callable[[], _T]) -> _T | _Failed:
    # What leaves a native thread as an exception is printed by gevent, whether anybody catches it or not.
    try:
        return work()
    except SipBridgeError as error:
        return _Failed(error)

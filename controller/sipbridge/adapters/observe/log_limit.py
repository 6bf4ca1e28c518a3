"""Limits how often one kind of warning is logged, and counts those that are left out. Keeps state.

Others choose how many of some warnings there are: whoever may publish to Redis, or write accounts. A log full of
one line hides the others, and fills the disk.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from sipbridge.core.token_bucket import TokenBucket

LINES_PER_S = 10.0
"""Of one kind; and as many at once after a rest. Nobody reads more."""
_MOST_KINDS = 500
"""Each kind is a place in the code, of which there are fewer."""
_EACH_CALL_IS_ONE = ("sipbridge.services.observe.call_log",)
"""Loggers with a line for each call: who looks for a call has to find it, and calls have a limit of their own."""


class LogLimit:
    """Decides which log records are written.

    Args:
        monotonic: the clock, in seconds.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._kinds: dict[tuple[str, str], _Kind] = {}

    def admits(self, record: logging.LogRecord) -> bool:
        """Whether to write a record. The next one of its kind that is written says how many were left out.

        A kind is the logger and the text before its arguments are put in. Below WARNING there is no limit.
        """
        if record.levelno < logging.WARNING or record.name in _EACH_CALL_IS_ONE:
            return True
        now = self._monotonic()
        key = (record.name, str(record.msg))
        kind = self._kinds.get(key)
        if kind is None:
            if len(self._kinds) >= _MOST_KINDS:
                self._kinds.clear()
            kind = self._kinds[key] = _Kind(now)
        if not kind.bucket.take(now):
            kind.left_out += 1
            return False
        if kind.left_out:
            record.msg = f"{record.msg} (%d more of these left out)"
            record.args = (*_arguments(record), kind.left_out)
            kind.left_out = 0
        return True


class _Kind:
    __slots__ = ("bucket", "left_out")

    def __init__(self, now: float) -> None:
        self.bucket = TokenBucket(LINES_PER_S, now)
        self.left_out = 0


def _arguments(record: logging.LogRecord) -> tuple[object, ...]:
    return record.args if isinstance(record.args, tuple) else ()

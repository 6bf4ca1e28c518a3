"""Limits the call rate; above the limit, the switch refuses calls itself, which costs it least.

A call that sipbridge declines has already cost FreeSWITCH a session and the daemon an event: at ten times the load, no
capacity would be left for accepted calls. So FreeSWITCH is told to refuse new calls itself, with 503 and Retry-After,
until some may be accepted again. Calls that were on their way by then are declined here.
"""

from __future__ import annotations

import logging

from sipbridge.core.token_bucket import TokenBucket
from sipbridge.ports import Clock, SwitchLease

_log = logging.getLogger(__name__)

_OPEN_AT = 0.2
"""How full the bucket must be before calls are accepted again; with less, it would switch with every call."""

_CALM_S = 5.0
"""Seconds without an excess call after which a storm is over."""


class Admission:
    """Admits new calls up to a rate.

    Args:
        max_calls_per_s: the rate limit.
    """

    def __init__(self, switch: SwitchLease, clock: Clock, max_calls_per_s: float) -> None:
        self._switch = switch
        self._clock = clock
        self._max_calls_per_s = max_calls_per_s
        self._bucket = TokenBucket(max_calls_per_s, clock.monotonic())
        self._is_shut = False
        self._times_shut = 0
        self._last_too_many = float("-inf")
        self._is_storm = False

    @property
    def is_storm(self) -> bool:
        """Whether the call rate is above the limit, now or a moment ago."""
        return self._is_storm

    @property
    def is_shut(self) -> bool:
        """Whether the switch is refusing calls now because there were too many."""
        return self._is_shut

    @property
    def times_shut(self) -> int:
        """How often the switch was told to refuse calls because there were too many."""
        return self._times_shut

    def let_in(self) -> bool:
        """Let one more call in, and count it; False when there are too many: it has to be declined."""
        now = self._clock.monotonic()
        if self._bucket.take(now):
            return True
        self._last_too_many = now
        if not self._is_storm:
            self._is_storm = True
            _log.warning("call rate is above %g/s: excess calls get 503", self._max_calls_per_s)
        if not self._is_shut:
            self._is_shut = True
            self._times_shut += 1
            self._switch.hold_calls()
        return False

    def step(self) -> None:
        """Accept calls again when the rate allows it."""
        now = self._clock.monotonic()
        if self._is_shut and self._bucket.level(now) >= _OPEN_AT:
            self._is_shut = False
            self._switch.release_calls()
        if self._is_storm and now - self._last_too_many >= _CALM_S:
            self._is_storm = False
            _log.warning("call rate is back below %g/s", self._max_calls_per_s)

    def forget(self) -> None:
        """Forget that the switch refuses calls: the link is lost, or the bridge accepts no calls anyway."""
        self._is_shut = False

"""So many calls a second are decided; while there are more, the switch refuses calls itself, which costs it least.

A call that we decline has cost FreeSWITCH a session and us an event: at ten times the calls that it carries nothing
would be left for those that were let in. So it is told to refuse the next ones at the door, 503 with Retry-After,
for as long as it takes until some may come again. What was on its way by then is declined here.
"""

from __future__ import annotations

import logging

from sipbridge.core.token_bucket import TokenBucket
from sipbridge.ports import Clock, SwitchLease

_log = logging.getLogger(__name__)

_OPEN_AT = 0.2
"""How full the bucket has to be before calls come again: fewer would have the door open and shut with every call."""

_CALM_S = 5.0
"""A storm without a call too many for so long is over."""


class Admission:
    """The door for new calls.

    Args:
        max_calls_per_s: how many are let in.
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
        """Whether there are more calls than are let in, now or a moment ago."""
        return self._is_storm

    @property
    def is_shut(self) -> bool:
        """Whether the switch refuses calls now because there were too many."""
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
        """Open the door again when some may come."""
        now = self._clock.monotonic()
        if self._is_shut and self._bucket.level(now) >= _OPEN_AT:
            self._is_shut = False
            self._switch.release_calls()
        if self._is_storm and now - self._last_too_many >= _CALM_S:
            self._is_storm = False
            _log.warning("call rate is back below %g/s", self._max_calls_per_s)

    def forget(self) -> None:
        """Whether the door is open is decided elsewhere: the link is lost, or no calls are taken."""
        self._is_shut = False

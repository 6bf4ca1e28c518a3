"""Records decisions and ends of calls, and reports one record per call to observers. Pure.

FreeSWITCH reports the end of a call in one event. If a call is gone without that event, the event may still be on its
way, so the call is declared lost only if it is still missing at the next reconciliation. A second end event for the
same call is ignored.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from sipbridge.core.calls.call_record import CallDecided, CallOutcome, CallRecord
from sipbridge.core.calls.events import CallEnded, CallParked
from sipbridge.core.calls.routing import Decision
from sipbridge.core.pools.account_pool import Line
from sipbridge.core.sip.call import CallRequest, ChannelUuid
from sipbridge.ports import CallObserver, Clock

_log = logging.getLogger(__name__)

_OVER_KEPT = 10_000
"""Ended calls to remember, so that repeated end events are recognized: more than FreeSWITCH carries at a time."""


class CallJournal:
    """Keeps the decision of each call in progress, and reports to observers."""

    def __init__(self, clock: Clock, observers: Iterable[CallObserver] = ()) -> None:
        self._clock = clock
        self._observers = tuple(observers)
        self._under_way: dict[ChannelUuid, CallDecided] = {}
        # Calls that are gone without an end event, with the line that each held.
        self._missed: dict[ChannelUuid, Line | None] = {}
        # The most recently ended calls, oldest first.
        self._over: deque[ChannelUuid] = deque()
        self._is_over: set[ChannelUuid] = set()

    @property
    def under_way(self) -> Mapping[ChannelUuid, CallDecided]:
        """The calls decided but not ended, oldest first; excludes calls from before the daemon started."""
        return MappingProxyType(self._under_way)

    @property
    def misses_some(self) -> bool:
        """Whether calls are missing that the next reconciliation must declare lost."""
        return bool(self._missed)

    def add(self, observer: CallObserver) -> None:
        """Add an observer."""
        self._observers = (*self._observers, observer)

    def remove(self, observer: CallObserver) -> None:
        """Remove an observer."""
        self._observers = tuple(each for each in self._observers if each is not observer)

    def decided(
        self, call: CallParked, request: CallRequest, decision: Decision, status_line: str, since: float
    ) -> None:
        """Record that a call was bridged or declined.

        Args:
            since: when the decision began, in monotonic seconds.
        """
        clock = self._clock
        decided = CallDecided(call, request, decision, status_line, clock.wall(), clock.monotonic() - since)
        # Move a call that is decided again to the end: it counts as a new call now.
        self._under_way.pop(call.channel_uuid, None)
        self._under_way[call.channel_uuid] = decided
        for observer in self._observers:
            try:
                observer.on_call_decided(decided)
            except Exception:  # noqa: BLE001 - a failing observer must not affect the call or other observers
                _log.exception("observer %r failed on the decision of call %s", observer, call.channel_uuid)

    def ended(self, ended: CallEnded, line: Line | None) -> None:
        """Record the end of a call; a repeated end is ignored.

        Args:
            line: the line that it held.
        """
        channel = ended.channel_uuid
        if channel in self._is_over:
            return
        missed = self._missed.pop(channel, None)
        self._close(channel, line or missed, ended)

    def missed(self, gone: Mapping[ChannelUuid, Line | None]) -> None:
        """Record calls that a reconciliation did not find; calls missing since the previous one are declared lost.

        Args:
            gone: the line that each call held. Calls without a line and without a decision are not ours.
        """
        lost, self._missed = self._missed, {}
        for channel, line in gone.items():
            if channel not in lost and (line is not None or channel in self._under_way):
                self._missed[channel] = line
        for channel, line in lost.items():
            self._close(channel, line, None)

    def _close(self, channel: ChannelUuid, line: Line | None, ended: CallEnded | None) -> None:
        decided = self._under_way.pop(channel, None)
        self._remember(channel)
        if decided is not None and line is None:
            line = decided.decision.line
        record = CallRecord(channel, _outcome(decided, line, ended), line, decided, ended)
        for observer in self._observers:
            try:
                observer.on_call_over(record)
            except Exception:  # noqa: BLE001 - as above
                _log.exception("observer %r failed on the end of call %s", observer, channel)

    def _remember(self, channel: ChannelUuid) -> None:
        self._over.append(channel)
        self._is_over.add(channel)
        if len(self._over) > _OVER_KEPT:
            self._is_over.discard(self._over.popleft())


def _outcome(decided: CallDecided | None, line: Line | None, ended: CallEnded | None) -> CallOutcome:
    if decided is not None and not decided.is_bridged:
        return CallOutcome.DECLINED
    if ended is None:
        return CallOutcome.LOST
    if ended.answered:
        return CallOutcome.ANSWERED
    return CallOutcome.UNDECIDED if decided is None and line is None else CallOutcome.FAILED

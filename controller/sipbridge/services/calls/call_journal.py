"""Decisions and ends of calls become records, one for each call, told to whoever counts, writes or shows them. Pure.

FreeSWITCH tells how a call ended in one event. A call that is gone without it may still have that event on its way, so
it is given up for lost only when it is still missed at the next look. An end that is told
once more after that is nobody's.
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
"""Calls whose end is known when it is told again: more than FreeSWITCH carries at a time."""


class CallJournal:
    """Knows how each call in progress was decided, and tells its observers."""

    def __init__(self, clock: Clock, observers: Iterable[CallObserver] = ()) -> None:
        self._clock = clock
        self._observers = tuple(observers)
        self._under_way: dict[ChannelUuid, CallDecided] = {}
        # Gone, their ends not told yet; with the line that each of them held.
        self._missed: dict[ChannelUuid, Line | None] = {}
        # The latest that are over, oldest first.
        self._over: deque[ChannelUuid] = deque()
        self._is_over: set[ChannelUuid] = set()

    @property
    def under_way(self) -> Mapping[ChannelUuid, CallDecided]:
        """The calls that were decided and are not over yet, the oldest first; those of before our start are unknown."""
        return MappingProxyType(self._under_way)

    @property
    def misses_some(self) -> bool:
        """Whether there are calls to be given up for lost at the next look."""
        return bool(self._missed)

    def add(self, observer: CallObserver) -> None:
        """Tell one more."""
        self._observers = (*self._observers, observer)

    def remove(self, observer: CallObserver) -> None:
        """Tell one less."""
        self._observers = tuple(each for each in self._observers if each is not observer)

    def decided(
        self, call: CallParked, request: CallRequest, decision: Decision, status_line: str, since: float
    ) -> None:
        """A call was bridged or declined.

        Args:
            since: when deciding began, by the monotonic clock.
        """
        clock = self._clock
        decided = CallDecided(call, request, decision, status_line, clock.wall(), clock.monotonic() - since)
        # At the end, should it have been decided before: what it is now is the younger call.
        self._under_way.pop(call.channel_uuid, None)
        self._under_way[call.channel_uuid] = decided
        for observer in self._observers:
            try:
                observer.on_call_decided(decided)
            except Exception:  # noqa: BLE001 - who looks on must not cost the call, nor the others their news
                _log.exception("observer %r failed on the decision of call %s", observer, call.channel_uuid)

    def ended(self, ended: CallEnded, line: Line | None) -> None:
        """A call is over; told again, it is not told on.

        Args:
            line: the one that it held until now.
        """
        channel = ended.channel_uuid
        if channel in self._is_over:
            return
        missed = self._missed.pop(channel, None)
        self._close(channel, line or missed, ended)

    def missed(self, gone: Mapping[ChannelUuid, Line | None]) -> None:
        """These were looked for, and are no more; those of the last look that were not told since then are lost.

        Args:
            gone: the line that each of them held until now. Who held none and was not decided is no call of ours.
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

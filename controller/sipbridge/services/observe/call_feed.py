"""Provides decisions and ends of calls as news for followers. Keeps the latest; formats them when they are read.

Followers have no queues of their own: each keeps its read position and is told how many items it missed. A slow
follower costs nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from itertools import islice

from sipbridge.core.calls.call_record import CallDecided, CallOutcome, CallRecord
from sipbridge.core.calls.routing import Bridge
from sipbridge.core.errors import UriError
from sipbridge.core.observe.call_news import CallNews, Explanation, NewsKind
from sipbridge.core.sip.call import CallRequest
from sipbridge.ports import Clock, Scheduler

_KEPT = 2_000
_POLL_S = 0.1
_SLICE = 100
"""News formatted without yielding: about 5 ms."""


class CallFeed:
    """A `CallObserver` with followers."""

    def __init__(self, clock: Clock, scheduler: Scheduler) -> None:
        self._clock = clock
        self._scheduler = scheduler
        self._kept: deque[CallDecided | tuple[CallRecord, float]] = deque(maxlen=_KEPT)
        self._told = 0

    def on_call_decided(self, decided: CallDecided) -> None:
        """Store a decision."""
        self._kept.append(decided)
        self._told += 1

    def on_call_over(self, record: CallRecord) -> None:
        """Store the end of a call; nothing to add for a declined one."""
        if record.outcome is CallOutcome.DECLINED:
            return
        self._kept.append((record, self._clock.wall()))
        self._told += 1

    def follow(self, latest: int) -> Iterator[CallNews | None]:
        """Yield news forever; yields None if there are none, so that the caller can detect a closed connection.

        Args:
            latest: how many past items to yield first.
        """
        read = max(0, self._told - min(latest, len(self._kept)))
        while True:
            gone = self._told - len(self._kept) - read
            if gone > 0:
                read += gone
                yield CallNews(NewsKind.MISSED, at=self._clock.wall(), missed=gone)
            first = read - (self._told - len(self._kept))
            news = list(islice(self._kept, first, first + _SLICE))
            read += len(news)
            for each in news:
                yield _decided(each) if isinstance(each, CallDecided) else _over(*each)
            if len(news) < _SLICE:
                yield None
                self._scheduler.pause(_POLL_S)
            else:
                self._scheduler.breathe()


def caller_and_callee(request: CallRequest) -> tuple[str, str]:
    """Return the URIs of From and To; a header without a URI is returned as sent."""
    try:
        from_ = request.from_.uri.text
    except UriError:
        from_ = request.from_header
    try:
        return from_, request.to.uri.text
    except UriError:
        return from_, request.to_header


def _decided(decided: CallDecided) -> CallNews:
    request, decision = decided.request, decided.decision
    from_, to = caller_and_callee(request)
    bridge = decision if isinstance(decision, Bridge) else None
    decline = None if isinstance(decision, Bridge) else decision
    return CallNews(
        kind=NewsKind.BRIDGED if bridge else NewsKind.DECLINED,
        at=decided.at,
        channel_uuid=decided.call.channel_uuid,
        call_id=decided.call.call_id,
        provider=decision.provider.name if decision.provider else "",
        account=decision.line.account.uri.text if decision.line else "",
        request_uri=request.request_uri_text,
        from_=from_,
        to=to,
        goes_to=str(bridge.to.uri) if bridge else "",
        goes_as=str(bridge.from_.uri) if bridge else "",
        next_hop=bridge.next_hop.text if bridge else "",
        answer=decided.status_line,
        reason=decline.reason.value if decline else "",
        detail=decline.detail if decline else "",
        explanations=tuple(
            Explanation(step.provider, f"{step.verdict.value}: {step.detail}" if step.detail else step.verdict.value)
            for step in decision.trace
        ),
        took_ms=decided.took_s * 1_000,
    )


def _over(record: CallRecord, at: float) -> CallNews:
    from_, to = caller_and_callee(record.decided.request) if record.decided else ("", "")
    answered = record.outcome is CallOutcome.ANSWERED
    return CallNews(
        kind=NewsKind.OVER,
        at=at,
        channel_uuid=record.channel_uuid,
        call_id=record.call_id,
        provider=record.provider or "",
        account=record.line.account.uri.text if record.line else "",
        request_uri=record.decided.request.request_uri_text if record.decided else "",
        from_=from_,
        to=to,
        reason=record.outcome.value if answered or not record.reason else record.reason,
        detail=record.outcome.value,
        sip_status=record.sip_status,
        talk_s=record.times.talk_s,
    )

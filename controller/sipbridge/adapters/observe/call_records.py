"""Writes a call detail record per ended call: one JSON object per line, in its own file. Never waits for the disk."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import orjson

from sipbridge.adapters.observe.line_writer import LineWriter
from sipbridge.core.calls.call_record import CallDecided, CallRecord
from sipbridge.core.calls.routing import Bridge
from sipbridge.core.observe import metrics
from sipbridge.core.observe.metric import Metric
from sipbridge.core.printable import escape_unprintable

_log = logging.getLogger(__name__)


class CallRecords:
    """Writes one line per ended call."""

    def __init__(self, writer: LineWriter) -> None:
        self._writer = writer
        self._problem = ""

    def on_call_decided(self, decided: CallDecided) -> None:
        """Do nothing: the record is written when the call ends."""

    def on_call_over(self, record: CallRecord) -> None:
        """Write the record of a call."""
        self._writer.write(call_line(record).encode())

    def step(self) -> None:
        """Log when writing starts to fail, and when it works again."""
        problem = self._writer.problem
        if problem and not self._problem:
            _log.error("cannot write call detail records (queued): %s", problem)
        elif self._problem and not problem:
            _log.info("writing call detail records again")
        self._problem = problem

    def stop(self) -> None:
        """Write the remaining lines."""
        self._writer.close()
        if self._writer.dropped:
            _log.error("lost %d call detail records that could not be written", self._writer.dropped)

    def metrics(self) -> Iterator[Metric]:
        """Yield how many records were written, dropped and are pending."""
        yield metrics.CDR_WRITTEN.one(self._writer.written)
        yield metrics.CDR_DROPPED.one(self._writer.dropped)
        yield metrics.CDR_PENDING.one(self._writer.pending)


def call_line(record: CallRecord) -> str:
    """Format a record as a JSON object without control characters, safe to show in a terminal."""
    return escape_unprintable(orjson.dumps(call_detail(record)).decode())


def call_detail(record: CallRecord) -> dict[str, Any]:
    """Return the fields of a record; null if unknown or not happened. Times are UTC, durations are seconds."""
    decided, times, account = record.decided, record.times, record.line.account if record.line else None
    request = decided.request if decided else None
    bridge = decided.decision if decided and isinstance(decided.decision, Bridge) else None
    return {
        "call_id": record.call_id or None,
        "channel": record.channel_uuid,
        "outcome": record.outcome.value,
        "reason": record.reason or None,
        "sip_status": record.sip_status,
        "hangup_cause": record.hangup_cause or None,
        "provider": record.provider,
        "pool": record.line.pool.policy.name if record.line else None,
        "account": account.uri.text if account else None,
        "request_uri": request.request_uri_text if request else None,
        "from": request.from_header if request else None,
        "to": request.to_header if request else None,
        "outgoing_to": bridge.to.uri.text if bridge else None,
        "outgoing_from": bridge.from_.uri.text if bridge else None,
        "received": _time(times.received / 1e6),
        "decided": _time(decided.at if decided else 0),
        "progress": _time(times.progress / 1e6),
        "answered": _time(times.answered / 1e6),
        "ended": _time(times.ended / 1e6),
        "progress_s": times.progress_s,
        "setup_s": times.setup_s,
        "duration_s": times.talk_s,
    }


def _time(since_1970_s: float) -> str | None:
    """Format a time, such as ``2026-11-24T09:00:00.000+00:00``; None for never."""
    if not since_1970_s:
        return None
    return datetime.fromtimestamp(since_1970_s, UTC).isoformat(timespec="milliseconds")

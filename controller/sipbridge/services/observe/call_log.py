"""Logs one record per decision and one per end of a call.

The facts are fields of the record (``extra``), so that a log of JSON lines can be searched by Call-ID and channel UUID.
"""

from __future__ import annotations

import logging

from sipbridge.core.calls.call_record import CallDecided, CallOutcome, CallRecord
from sipbridge.core.calls.routing import Bridge, Decline

_log = logging.getLogger(__name__)


class CallLog:
    """Logs calls. A declined call is a warning; the normal end of an answered call is only debug output."""

    def on_call_decided(self, decided: CallDecided) -> None:
        """Log where a call goes, or why it was declined."""
        decision = decided.decision
        if isinstance(decision, Bridge):
            if _log.isEnabledFor(logging.INFO):
                _log.info("call bridged", extra=_bridge_fields(decided, decision))
        else:
            _log.warning("call declined: %s", decision.reason.value, extra=_decline_fields(decided, decision))

    def on_call_over(self, record: CallRecord) -> None:
        """Log how a call ended; declined calls were logged already."""
        level = logging.DEBUG if record.outcome is CallOutcome.ANSWERED else logging.INFO
        if record.outcome is CallOutcome.LOST:
            level = logging.WARNING
        if record.outcome is not CallOutcome.DECLINED and _log.isEnabledFor(level):
            _log.log(level, "call ended: %s", record.outcome.value, extra=_end_fields(record))


def _bridge_fields(decided: CallDecided, bridge: Bridge) -> dict[str, object]:
    return {
        "call_id": decided.call.call_id,
        "channel": decided.call.channel_uuid,
        "provider": bridge.provider.name,
        "account": bridge.line.account.uri.text,
        "to": bridge.to.uri.text,
        "from": bridge.from_.uri.text,
    }


def _decline_fields(decided: CallDecided, decline: Decline) -> dict[str, object]:
    return {
        "call_id": decided.call.call_id,
        "channel": decided.call.channel_uuid,
        "provider": decline.provider.name if decline.provider else None,
        "account": decline.line.account.uri.text if decline.line else None,
        "request_uri": decided.request.request_uri_text,
        "status": decided.status_line,
        "detail": decline.detail,
    }


def _end_fields(record: CallRecord) -> dict[str, object]:
    return {
        "call_id": record.call_id,
        "channel": record.channel_uuid,
        "provider": record.provider,
        "account": record.line.account.uri.text if record.line else None,
        "cause": record.hangup_cause,
        "sip_status": record.sip_status,
    }

"""The result of a call, as reported to observers that count, write or show it: a decision, later a record. Pure.

Both only refer to existing values; text is formatted when it is read.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from sipbridge.core.calls.events import NO_TIMES, CallEnded, CallParked, CallTimes
from sipbridge.core.calls.routing import Bridge, Decision
from sipbridge.core.pools.account_pool import Line
from sipbridge.core.sip.call import CallRequest, ChannelUuid

_OK = 200


class CallDecided(NamedTuple):
    """A call was bridged or declined just now.

    Attributes:
        call: as it arrived.
        request: the addresses used for the decision: a call to a gateway's contact counts as a call to its account.
        status_line: the response it was declined with: ``488 Not Acceptable Here``; ``""`` if bridged.
        at: the time of the decision, in seconds since 1970.
        took_s: seconds from the event to the command.
    """

    call: CallParked
    request: CallRequest
    decision: Decision
    status_line: str
    at: float
    took_s: float

    @property
    def is_bridged(self) -> bool:
        """Whether the call was bridged."""
        return isinstance(self.decision, Bridge)


class CallOutcome(Enum):
    """The outcome of a call."""

    ANSWERED = "answered"
    FAILED = "failed"
    """Sent out but not answered; the hangup cause says why."""
    DECLINED = "declined"
    """Declined by sipbridge, for one of the `DeclineReason`."""
    UNDECIDED = "undecided"
    """Ended before the decision, while there was no connection or the daemon was not ready."""
    LOST = "lost"
    """Gone; its end was reported while the daemon was not connected."""


@dataclass(frozen=True, slots=True)
class CallRecord:
    """An ended call.

    Attributes:
        line: the account that it used, or that caused the decline; None if there was none.
        decided: the decision; None for an undecided call, and for a call from before the controller started.
        ended: the end event; None for a lost call.
    """

    channel_uuid: ChannelUuid
    outcome: CallOutcome
    line: Line | None
    decided: CallDecided | None
    ended: CallEnded | None

    @property
    def call_id(self) -> str:
        """SIP Call-ID of the A leg; ``""`` if unknown."""
        return self.decided.call.call_id if self.decided else ""

    @property
    def provider(self) -> str | None:
        """Name of the provider that decided."""
        provider = self.decided.decision.provider if self.decided else None
        return provider.name if provider else None

    @property
    def reason(self) -> str:
        """Why it was declined (``lines-taken``), or FreeSWITCH's hangup cause (``USER_BUSY``), or ``""``."""
        if self.outcome is CallOutcome.DECLINED and self.decided and not isinstance(self.decided.decision, Bridge):
            return self.decided.decision.reason.value
        return self.hangup_cause

    @property
    def hangup_cause(self) -> str:
        """FreeSWITCH's hangup cause; ``""`` for a lost call."""
        return self.ended.hangup_cause if self.ended else ""

    @property
    def sip_status(self) -> int | None:
        """The final status of the call, if known: 200, the status of the decline, or the far side's."""
        if self.outcome is CallOutcome.ANSWERED:
            return _OK
        if self.outcome is CallOutcome.DECLINED and self.decided:
            return int(self.decided.status_line[:3])
        return self.ended.sip_status if self.ended else None

    @property
    def times(self) -> CallTimes:
        """The times that FreeSWITCH reported."""
        return self.ended.times if self.ended else NO_TIMES

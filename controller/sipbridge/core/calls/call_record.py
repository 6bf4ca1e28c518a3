"""What became of a call, as those are told who count, write or show it: a decision, then a record. Pure.

Both only hold what is known anyway; a text is made when somebody reads it.
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
        request: its addresses as they were decided by: a call to the contact of a gateway is one to its account.
        status_line: what it was declined with: ``488 Not Acceptable Here``; ``""`` for a bridged one.
        at: when, in seconds since 1970.
        took_s: from the event to the command.
    """

    call: CallParked
    request: CallRequest
    decision: Decision
    status_line: str
    at: float
    took_s: float

    @property
    def is_bridged(self) -> bool:
        """Whether the call goes out."""
        return isinstance(self.decision, Bridge)


class CallOutcome(Enum):
    """What became of a call."""

    ANSWERED = "answered"
    FAILED = "failed"
    """It went out, and nobody answered: its hangup cause says why."""
    DECLINED = "declined"
    """By us, for one of the `DeclineReason`."""
    UNDECIDED = "undecided"
    """It ended before it was decided, while there was no connection or nobody was ready."""
    LOST = "lost"
    """It is gone, and how it ended was told while nobody listened."""


@dataclass(frozen=True, slots=True)
class CallRecord:
    """A call that is over.

    Attributes:
        line: the account that it used, or was declined by; None for none.
        decided: None for an undecided call, and for one of before the controller was started.
        ended: None for a lost call.
    """

    channel_uuid: ChannelUuid
    outcome: CallOutcome
    line: Line | None
    decided: CallDecided | None
    ended: CallEnded | None

    @property
    def call_id(self) -> str:
        """SIP Call-ID of the A leg; ``""`` where it is not known."""
        return self.decided.call.call_id if self.decided else ""

    @property
    def provider(self) -> str | None:
        """Name of the provider that decided."""
        provider = self.decided.decision.provider if self.decided else None
        return provider.name if provider else None

    @property
    def reason(self) -> str:
        """Why it was declined (``lines-taken``), or FreeSWITCH's word for why it ended (``USER_BUSY``); or ``""``."""
        if self.outcome is CallOutcome.DECLINED and self.decided and not isinstance(self.decided.decision, Bridge):
            return self.decided.decision.reason.value
        return self.hangup_cause

    @property
    def hangup_cause(self) -> str:
        """FreeSWITCH's word for why it ended; ``""`` for a lost call."""
        return self.ended.hangup_cause if self.ended else ""

    @property
    def sip_status(self) -> int | None:
        """The final status of the call, as far as it is known: 200, what it was declined with, or the far side's."""
        if self.outcome is CallOutcome.ANSWERED:
            return _OK
        if self.outcome is CallOutcome.DECLINED and self.decided:
            return int(self.decided.status_line[:3])
        return self.ended.sip_status if self.ended else None

    @property
    def times(self) -> CallTimes:
        """What FreeSWITCH says about when."""
        return self.ended.times if self.ended else NO_TIMES

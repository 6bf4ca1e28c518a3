"""Events from the switch, as values. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from sipbridge.core.sip.call import CallRequest, ChannelUuid


@dataclass(frozen=True, slots=True)
class CallParked:
    """A call waits for a decision.

    Attributes:
        call_id: SIP Call-ID of the A leg.
        sofia_profile: the profile on which it arrived.
        gateway: the gateway whose contact it was sent to; ``""`` if it was not sent to a contact.
        profile_hostport: host and port in the contacts of that profile, such as ``192.0.2.1:5080``; independent of the
            Request-URI.
        offer: the SDP of its INVITE as sent, including keys; None for an INVITE without SDP, ``""`` for one that
            FreeSWITCH does not report.
    """

    channel_uuid: ChannelUuid
    request: CallRequest
    call_id: str
    sofia_profile: str
    gateway: str
    profile_hostport: str = ""
    offer: str | None = field(default=None, repr=False)


class CallTimes(NamedTuple):
    """The times of a call's progress, in microseconds since 1970; 0 if it did not happen or is unknown.

    Attributes:
        received: the INVITE arrived.
        progress: ringing or early media started, whichever was first.
    """

    received: int = 0
    progress: int = 0
    answered: int = 0
    ended: int = 0

    @property
    def progress_s(self) -> float | None:
        """Seconds from INVITE to ringing or early media: the post-dial delay."""
        return (self.progress - self.received) / 1e6 if self.progress and self.received else None

    @property
    def setup_s(self) -> float | None:
        """Seconds from INVITE to answer."""
        return (self.answered - self.received) / 1e6 if self.answered and self.received else None

    @property
    def talk_s(self) -> float | None:
        """Seconds from answer to end."""
        return (self.ended - self.answered) / 1e6 if self.answered and self.ended else None


NO_TIMES = CallTimes()
"""The times of a call whose times are unknown."""


@dataclass(frozen=True, slots=True)
class CallEnded:
    """The A leg of a call has ended.

    Attributes:
        hangup_cause: FreeSWITCH's cause, such as ``USER_BUSY``.
        answered: whether the call was answered.
        sip_status: the final status of the B leg, such as 486; None if there was none.
        times: the times of its progress; not compared.
    """

    channel_uuid: ChannelUuid
    hangup_cause: str
    answered: bool
    sip_status: int | None = None
    times: CallTimes = field(default=NO_TIMES, compare=False)


@dataclass(frozen=True, slots=True)
class GatewayStateChanged:
    """A gateway changed its state: ``TRYING``, ``REGED``, ``FAILED`` and so on.

    Attributes:
        sip_status: such as ``403``; ``""`` without an answer.
        phrase: such as ``Forbidden``; ``""`` without an answer.
    """

    name: str
    state: str
    sip_status: str
    phrase: str


@dataclass(frozen=True, slots=True)
class GatewayAdded:
    """FreeSWITCH added a gateway from the spool."""

    name: str


@dataclass(frozen=True, slots=True)
class GatewayDeleted:
    """FreeSWITCH deleted a gateway; its name may be used again."""

    name: str


@dataclass(frozen=True, slots=True)
class ProfileStarted:
    """A sofia profile has started; the gateways it had before are lost."""

    name: str


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """The state of the switch, reported every 20 s.

    Attributes:
        version: such as ``1.10.12``.
        sessions: the number of channels.
        idle_cpu_percent: idle CPU of the host.
    """

    version: str
    uptime_s: float
    sessions: int
    max_sessions: int
    idle_cpu_percent: float


SwitchEvent = CallParked | CallEnded | GatewayStateChanged | GatewayAdded | GatewayDeleted | ProfileStarted | Heartbeat

"""What the switch tells us, as values. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from sipbridge.core.sip.call import CallRequest, ChannelUuid


@dataclass(frozen=True, slots=True)
class CallParked:
    """A call waits for a decision.

    Attributes:
        call_id: SIP Call-ID of the A leg.
        sofia_profile: the profile it came in on.
        gateway: the gateway whose contact it was sent to; ``""`` when it was not sent to one.
        profile_hostport: of the contacts of that profile, whatever host the caller has written: ``192.0.2.1:5080``.
        offer: the SDP of its INVITE as it was sent, keys and all; None for an INVITE without one, ``""`` for
            one that FreeSWITCH does not tell.
    """

    channel_uuid: ChannelUuid
    request: CallRequest
    call_id: str
    sofia_profile: str
    gateway: str
    profile_hostport: str = ""
    offer: str | None = field(default=None, repr=False)


class CallTimes(NamedTuple):
    """When a call got how far, in microseconds since 1970; 0 for what did not happen, or is not known.

    Attributes:
        received: its INVITE came.
        progress: it rang, or early media began, whichever was first.
    """

    received: int = 0
    progress: int = 0
    answered: int = 0
    ended: int = 0

    @property
    def progress_s(self) -> float | None:
        """From INVITE to ringing or early media: the post-dial delay."""
        return (self.progress - self.received) / 1e6 if self.progress and self.received else None

    @property
    def setup_s(self) -> float | None:
        """From INVITE to answer."""
        return (self.answered - self.received) / 1e6 if self.answered and self.received else None

    @property
    def talk_s(self) -> float | None:
        """From answer to end."""
        return (self.ended - self.answered) / 1e6 if self.answered and self.ended else None


NO_TIMES = CallTimes()
"""Of a call whose times are not known."""


@dataclass(frozen=True, slots=True)
class CallEnded:
    """The A leg of a call is gone.

    Attributes:
        hangup_cause: FreeSWITCH's name for why: ``USER_BUSY``.
        answered: whether it had been answered.
        sip_status: the final status of the B leg, such as 486; None where there was none.
        times: when; no part of what makes two values equal.
    """

    channel_uuid: ChannelUuid
    hangup_cause: str
    answered: bool
    sip_status: int | None = None
    times: CallTimes = field(default=NO_TIMES, compare=False)


@dataclass(frozen=True, slots=True)
class GatewayStateChanged:
    """A gateway went into a state: ``TRYING``, ``REGED``, ``FAILED`` and so on.

    Attributes:
        sip_status: ``403``, or ``""`` where there was no answer.
        phrase: ``Forbidden``, likewise.
    """

    name: str
    state: str
    sip_status: str
    phrase: str


@dataclass(frozen=True, slots=True)
class GatewayAdded:
    """FreeSWITCH took a gateway from the spool."""

    name: str


@dataclass(frozen=True, slots=True)
class GatewayDeleted:
    """A gateway is gone, and its name may be used again."""

    name: str


@dataclass(frozen=True, slots=True)
class ProfileStarted:
    """A sofia profile is running; gateways that it had before are lost."""

    name: str


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """How the switch is, as it tells every 20 s.

    Attributes:
        version: ``1.10.12``.
        sessions: its channels.
        idle_cpu_percent: of the machine.
    """

    version: str
    uptime_s: float
    sessions: int
    max_sessions: int
    idle_cpu_percent: float


SwitchEvent = CallParked | CallEnded | GatewayStateChanged | GatewayAdded | GatewayDeleted | ProfileStarted | Heartbeat

"""What the switch tells us, as values. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from sipbridge.core.call import CallRequest, ChannelUuid


@dataclass(frozen=True, slots=True)
class CallParked:
    """A call waits for a decision.

    Attributes:
        call_id: SIP Call-ID of the A leg.
        sofia_profile: the profile it came in on.
        gateway: the gateway whose contact it was sent to; ``""`` when it was not sent to one.
    """

    channel_uuid: ChannelUuid
    request: CallRequest
    call_id: str
    sofia_profile: str
    gateway: str


@dataclass(frozen=True, slots=True)
class CallEnded:
    """The A leg of a call is gone.

    Attributes:
        hangup_cause: FreeSWITCH's name for why: ``USER_BUSY``.
        answered: whether it had been answered.
    """

    channel_uuid: ChannelUuid
    hangup_cause: str
    answered: bool


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


SwitchEvent = CallParked | CallEnded | GatewayStateChanged | GatewayAdded | GatewayDeleted | ProfileStarted

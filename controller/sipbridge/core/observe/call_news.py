"""What a follower sees of calls: those in progress, then each decision and end. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


@dataclass(frozen=True, slots=True)
class CallInProgress:
    """A call in progress.

    Attributes:
        channel_uuid: the UUID of its A leg.
        call_id: SIP Call-ID of its A leg; ``""``, like the fields below, for a call from before the daemon started.
        from_: the caller's URI.
        to: the URI in To.
        account: the account whose line it holds; ``""`` if none.
        state: ``ringing``, ``early media``, ``talking``, ``on hold``; ``""`` if unknown.
        seconds: since it was decided; None for a call from before the daemon started.
    """

    channel_uuid: str
    call_id: str
    provider: str
    account: str
    from_: str
    to: str
    state: str
    seconds: float | None


@dataclass(frozen=True, slots=True)
class CallsInProgress:
    """The requested calls, oldest first.

    Attributes:
        in_progress: the total number of calls in progress.
        problem: why their states are unknown; ``""`` if they are known.
    """

    calls: tuple[CallInProgress, ...] = ()
    in_progress: int = 0
    problem: str = ""


class NewsKind(Enum):
    """What happened to a call."""

    BRIDGED = "bridged"
    DECLINED = "declined"
    OVER = "over"
    MISSED = "missed"
    """Some news were dropped because the reader was too slow."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """The result of trying one provider for a call."""

    provider: str
    verdict: str


@dataclass(frozen=True, slots=True)
class CallNews:
    """A call was decided, or has ended.

    Attributes:
        at: the time, in seconds since 1970.
        request_uri: the caller's Request-URI.
        goes_to: Request-URI of the B leg.
        goes_as: From of the B leg.
        next_hop: where its INVITE was sent.
        answer: the response it was declined with: ``488 Not Acceptable Here``.
        reason: why it was declined (``lines-taken``), or how it ended (``answered``, ``USER_BUSY``).
        detail: the reason for people: ``20 of 20 calls in progress``.
        explanations: the result of each provider, up to the one that bridged or declined the call.
        took_ms: the time it took to decide.
        sip_status: the final status of an ended call.
        talk_s: seconds from answer to end.
        missed: the number of news that the reader missed.
    """

    kind: NewsKind
    at: float = 0.0
    channel_uuid: str = ""
    call_id: str = ""
    provider: str = ""
    account: str = ""
    request_uri: str = ""
    from_: str = ""
    to: str = ""
    goes_to: str = ""
    goes_as: str = ""
    next_hop: str = ""
    answer: str = ""
    reason: str = ""
    detail: str = ""
    explanations: tuple[Explanation, ...] = ()
    took_ms: float | None = None
    sip_status: int | None = None
    talk_s: float | None = None
    missed: int = 0

"""Calls as somebody sees who looks on: those in progress, and what is decided and ends while he looks. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


@dataclass(frozen=True, slots=True)
class CallInProgress:
    """One call.

    Attributes:
        channel_uuid: of its A leg.
        call_id: SIP Call-ID of its A leg; ``""``, like what follows, for a call of before the daemon was started.
        from_: the caller's URI.
        to: the URI in To.
        account: the account whose line it holds; ``""`` for none.
        state: ``ringing``, ``early media``, ``talking``, ``on hold``; ``""`` while FreeSWITCH does not tell.
        seconds: since it was decided; None for a call of before the daemon was started.
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
    """The calls that were asked for, those that began first at the beginning.

    Attributes:
        in_progress: how many there are altogether.
        problem: why FreeSWITCH does not tell their states; ``""`` when it does.
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
    """Nothing that is known: so much happened that the reader was too slow for it."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """What one provider made of a call."""

    provider: str
    verdict: str


@dataclass(frozen=True, slots=True)
class CallNews:
    """A call was decided, or is over.

    Attributes:
        at: when, in seconds since 1970.
        request_uri: what the caller wanted.
        goes_to: Request-URI of the B leg.
        goes_as: its From.
        next_hop: where its INVITE was sent.
        answer: what it was declined with: ``488 Not Acceptable Here``.
        reason: why it was declined (``lines-taken``), or how it ended (``answered``, ``USER_BUSY``).
        detail: the same for a person: ``20 of 20 calls in progress``.
        explanations: what each provider made of it, until one took or declined it.
        took_ms: to decide it.
        sip_status: the final one of a call that is over.
        talk_s: from its answer to its end.
        missed: how many news the reader has missed.
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

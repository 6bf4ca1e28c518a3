"""What calls get, and what those get that are declined. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from sipbridge.core.calls.routing import DeclineReason
from sipbridge.core.providers.media import MediaEncryption
from sipbridge.settings.reading.setting_values import Between, Matches

_SipStatus = Annotated[
    str,
    # FreeSWITCH expands ${…} in what it executes, a response included.
    Matches(
        r"[4-6][0-9]{2} (?! )[^\x00-\x1f\x7f-\x9f\u2028\u2029${}\\]+",
        'a SIP status from 400 to 699 and its phrase, such as "503 Service Unavailable"',
    ),
]


@dataclass(frozen=True, slots=True)
class DeclineSettings:
    """``[calls.decline]``: the SIP status of a declined call, for each reason.

    All but the last two are 488 by default, as in the reference. Set other ones if a proxy in front should try
    another way on 5xx.
    """

    no_provider: _SipStatus = "488 Not Acceptable Here"
    """No provider takes the call."""

    account_not_found: _SipStatus = "488 Not Acceptable Here"
    """The provider's pool has no account for the call, and ``onAccountNotFound`` is ``decline``."""

    not_registered: _SipStatus = "488 Not Acceptable Here"
    """The account was found, but it must be registered and is not."""

    lines_taken: _SipStatus = "488 Not Acceptable Here"
    """The account was found, but already carries ``maxCallsPerLine`` calls."""

    bad_address: _SipStatus = "488 Not Acceptable Here"
    """A template gives an invalid SIP URI, or the call has an invalid address."""

    media_not_offered: _SipStatus = "488 Not Acceptable Here"
    """FreeSWITCH cannot offer the requested media protection."""

    malformed_offer: _SipStatus = "488 Not Acceptable Here"
    """The SDP of the call is malformed. FreeSWITCH never reads such an SDP: some of them crash it."""

    unusable_offer: _SipStatus = "488 Not Acceptable Here"
    """The caller offers no audio, no codec that is allowed here, or an address of the other IP version."""

    draining: _SipStatus = "503 Service Unavailable"
    """The provider or the account is drained (``sipbridge drain``). 503, so that the proxy in front tries another
    bridge."""

    overload: _SipStatus = "503 Service Unavailable"
    """More calls arrive than `max_calls_per_s`. Only the few calls get this status that FreeSWITCH had accepted
    before it was told to refuse them; FreeSWITCH itself always answers 503."""


@dataclass(frozen=True, slots=True)
class CallSettings:
    """``[calls]``: limits and defaults for calls.

    How long a parked call waits for a decision is set in FreeSWITCH's dialplan (``park_timeout``), not here, because
    it matters only when no controller is running.
    """

    lease_s: Annotated[int, Between(2, 60)] = 6
    """How long FreeSWITCH keeps parking calls after the controller last renewed the lease. After that it answers 503
    itself. The controller renews the lease three times in this time. A short lease refuses calls after a short pause
    of the controller; a long one lets calls wait in vain."""

    max_calls_per_s: Annotated[float, Between(1, 10_000)] = 100.0
    """New calls accepted per second, from both sides together. After a quiet time, as many may arrive at once.
    FreeSWITCH answers the excess with 503 and Retry-After, at almost no cost, so that accepted calls are carried as
    well as ever. A FreeSWITCH with two cores carries about 150 a second. Beyond what it can carry, every call takes
    twice as long, and all callers wait."""

    drain_timeout_s: Annotated[float, Between(0, 86400)] = 0.0
    """How long a stop waits for calls in progress to end, at most; new calls get 503 meanwhile. 0 by default: calls
    continue in FreeSWITCH without the controller, so a restart of the controller alone should be short. If
    FreeSWITCH is stopped after the controller, set the usual length of a call, and a longer stop timeout in systemd."""

    recover: bool = False
    """Whether calls are recovered after FreeSWITCH died and was restarted: both sides get an INVITE within the call,
    and audio comes from the new FreeSWITCH. This also needs FreeSWITCH's variable ``sipbridge_track_calls``, which
    makes FreeSWITCH write down every answered call, at a cost in time. If off, the call is lost and must be made
    again."""

    media_encryption: MediaEncryption = MediaEncryption.NONE
    """How RTP is protected if the provider has no ``mediaEncryption``. None by default, as in the reference."""

    enable_avpf: bool | None = None
    """Whether RTP feedback is offered if the provider has no ``enableAvpf``. If unset, it depends on the encryption."""

    accept_unverified_dtls: bool = False
    """Whether a FreeSWITCH that does not verify the other side's certificate (before 1.11.2) may carry calls with
    DTLS-SRTP directly. Anybody who can change RTP packets on the way can then listen. If off, such calls are declined
    as `media_not_offered`. Calls through the edge are always verified and continue to work."""

    decline: DeclineSettings = DeclineSettings()
    """The SIP status of a declined call, for each reason."""

    @property
    def status_lines(self) -> Mapping[DeclineReason, str]:
        """The status line for each reason to decline."""
        return {reason: getattr(self.decline, reason.value.replace("-", "_")) for reason in DeclineReason}

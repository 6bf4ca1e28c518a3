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
    """``[calls.decline]``: the SIP status of a declined call, by reason.

    All but the last two are 488 unless set, as in the reference. A proxy in front that tries other ways on 5xx wants
    other ones.
    """

    no_provider: _SipStatus = "488 Not Acceptable Here"
    """No provider takes the call."""

    account_not_found: _SipStatus = "488 Not Acceptable Here"
    """The provider's pool has no account for the call, and ``onAccountNotFound`` is ``decline``."""

    not_registered: _SipStatus = "488 Not Acceptable Here"
    """The account was found, but is not registered although it has to be."""

    lines_taken: _SipStatus = "488 Not Acceptable Here"
    """The account was found, but carries ``maxCallsPerLine`` calls already."""

    bad_address: _SipStatus = "488 Not Acceptable Here"
    """What a template comes to, or an address of the call, is no SIP URI."""

    media_not_offered: _SipStatus = "488 Not Acceptable Here"
    """FreeSWITCH cannot offer the media protection that is asked for."""

    draining: _SipStatus = "503 Service Unavailable"
    """The provider or the account is drained (``sipbridge drain``). 503, so that the proxy in front goes elsewhere."""

    overload: _SipStatus = "503 Service Unavailable"
    """There are more calls than `max_calls_per_s`. The few that FreeSWITCH has taken before it is told to refuse them
    itself, always with 503, get this one."""


@dataclass(frozen=True, slots=True)
class CallSettings:
    """``[calls]``: what calls get.

    How long a call waits parked for a decision is not set here but in FreeSWITCH's dialplan (``park_timeout``), because
    it matters just when there is no controller.
    """

    lease_s: Annotated[int, Between(2, 60)] = 6
    """How long FreeSWITCH goes on parking calls after the last sign of life of the controller; then it answers 503
    itself. Renewed three times in this span. Shorter refuses calls after a short pause, longer lets calls wait in
    vain."""

    max_calls_per_s: Annotated[float, Between(1, 10_000)] = 100.0
    """New calls that are let in each second, from both sides together, and as many at once after a rest. While there
    are more, FreeSWITCH answers the excess with 503 and Retry-After before it costs anything, so that those that were
    let in are carried as well as ever. A FreeSWITCH with two cores carries about 150 a second: beyond what it can carry
    it takes twice as long for every call, and all callers wait."""

    drain_timeout_s: Annotated[float, Between(0, 86400)] = 0.0
    """Longest time that stopping waits for calls to end, while new ones get 503. None by default: calls go on in
    FreeSWITCH without the controller, so a restart of the controller alone should be short. Where FreeSWITCH is
    stopped after it, set what calls usually take, and systemd's stop timeout higher."""

    recover: bool = False
    """Whether calls are taken up again after FreeSWITCH died and was started anew: both sides get an INVITE within the
    call, and sound from the new FreeSWITCH. It takes ``sipbridge_track_calls`` of FreeSWITCH's variables as well, which
    has FreeSWITCH write down every answered call, and costs it time. Off, callers and callees have to call again."""

    media_encryption: MediaEncryption = MediaEncryption.NONE
    """How RTP is protected when a provider does not say (``mediaEncryption``). None, as in the reference."""

    enable_avpf: bool | None = None
    """Whether RTP feedback is offered when a provider does not say (``enableAvpf``). Unset, it follows from the
    encryption."""

    decline: DeclineSettings = DeclineSettings()
    """The SIP status of a declined call, by reason."""

    @property
    def status_lines(self) -> Mapping[DeclineReason, str]:
        """The status line for each reason to decline."""
        return {reason: getattr(self.decline, reason.value.replace("-", "_")) for reason in DeclineReason}

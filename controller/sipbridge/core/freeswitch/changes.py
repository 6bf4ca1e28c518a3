"""What changed between versions of FreeSWITCH, as far as it matters here. Pure.

This is the only table of such differences: the bridge, the doctor, the simulator and the tests all read it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from sipbridge.core.freeswitch.version import FreeSwitchVersion

_V1_11_0, _V1_11_1, _V1_11_2 = (FreeSwitchVersion(1, 11, patch) for patch in range(3))


@dataclass(frozen=True, slots=True)
class ChangeNotes:
    """When and how FreeSWITCH changed.

    Attributes:
        since: the first version that has it.
        before: what older versions do.
        after: what this and later versions do.
        source: commits of FreeSWITCH, and the file that they change.
    """

    since: FreeSwitchVersion
    before: str
    after: str
    source: str


class Change(Enum):
    """A change of FreeSWITCH. `is_in` returns whether a version has it."""

    CHECKS_SDES_KEYS = ChangeNotes(
        _V1_11_2,
        "an a=crypto line with an empty key ends the process",
        "such a line is ignored",
        "86b10358e2, 394b48b9f5: switch_core_media.c, switch_core_media_add_crypto",
    )
    CHECKS_DTLS_SERVERS = ChangeNotes(
        _V1_11_0,
        "as DTLS client, a certificate that does not match a=fingerprint is accepted",
        "as DTLS client, it is refused",
        "8babcee3ea: switch_rtp.c, dtls_state_setup",
    )
    CHECKS_DTLS_CLIENTS = ChangeNotes(
        _V1_11_2,
        "as DTLS server, a certificate that does not match a=fingerprint is accepted",
        "as DTLS server, it is refused with rtp_dtls_client_cert_verify_mode=fingerprint",
        "ea74c0acb8: switch_rtp.c",
    )
    DROPS_STRANGERS_PACKETS = ChangeNotes(
        _V1_11_2,
        "RTP, RTCP, DTLS and STUN packets are processed whoever sends them",
        "packets of strangers are dropped first, once the far side's address is known",
        "a38cd80733: switch_rtp.c, read_rtp_packet",
    )
    DROPS_OWN_WAKE_UP = ChangeNotes(
        _V1_11_2,
        "a session without a timer is woken by a packet to itself: BYE is answered at once",
        "the packet is dropped as a stranger's: without rtp-timer-name, BYE waits 5 s on a leg without RTP",
        "a38cd80733: switch_rtp.c, rtp_common_read; upstream issue 3170",
    )
    WAITS_FOR_ADVERTISED_ADDRESS = ChangeNotes(
        _V1_11_2,
        "the first address that sends ten packets gets the voice",
        "the address in the SDP goes first for rtp_auto_adjustment_wait_for_advertised_ms",
        "a38cd80733: switch_rtp.c, rtp_common_read",
    )
    BOUNDS_RTCP_FEEDBACK = ChangeNotes(
        _V1_11_2,
        "an RTCP NACK that claims to be longer than it is has FreeSWITCH read beyond its buffer",
        "what does not fit is ignored",
        "e730a4e541: switch_rtp.c, process_rtcp_report",
    )
    ENDS_SESSIONS_SAFELY = ChangeNotes(
        _V1_11_1,
        "memory is used after it was freed when sessions end under load",
        "it is not",
        "56cc958b28: switch_core_session.c; 08c3fffa7c: mod_sofia",
    )
    OPTIONS_FOLLOW_PAUSE_BY_PARAMETER = ChangeNotes(
        _V1_11_1,
        "OPTIONS get 503 while calls are paused",
        "they get 200, unless the profile has sip-options-respond-503-on-busy=true",
        "7d35ea2986: sofia.c",
    )
    PASSES_REASON = ChangeNotes(
        _V1_11_1,
        "the caller gets FreeSWITCH's own Reason header",
        "the caller gets the provider's Reason header word for word, unless disable_q850_reason is true",
        "bcd9d82630, 9da537a19f: mod_sofia",
    )
    RELOADS_CERTIFICATES = ChangeNotes(
        _V1_11_1,
        "a new TLS certificate takes a restart of the profile, which ends its calls",
        "the API command reloadcert has it served, and calls stay",
        "b5c3c86aa0, 2bd6f0116b: mod_commands, mod_sofia",
    )
    HAS_INTERFACE_ALLOWLIST = ChangeNotes(
        _V1_11_2,
        "every command of a module that is loaded can be run",
        "only those in <interface-allowlist> of switch.conf can",
        "c1bb5c6ab3: switch_loadable_module.c",
    )

    def is_in(self, version: FreeSwitchVersion) -> bool:
        """Whether a version has it."""
        return version >= self.value.since


def verifies_dtls(version: FreeSwitchVersion) -> bool:
    """Return whether a version can verify the far side's certificate against a=fingerprint, in both DTLS roles."""
    return Change.CHECKS_DTLS_SERVERS.is_in(version) and Change.CHECKS_DTLS_CLIENTS.is_in(version)

"""Checks the values of SDP attributes that FreeSWITCH reads. Pure.

An attribute that FreeSWITCH does not read may have any value, or none. Some of the others must have a value (FreeSWITCH
would dereference a null pointer), and some are copied into buffers of limited size.

Source: switch_core_media.c, check_ice and switch_core_media_negotiate_sdp; switch_rtp.c, ice_out (1.10.12 and 1.11.2).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple


class _Rule(NamedTuple):
    """A pattern for a value, and its description."""

    pattern: re.Pattern[str]
    expected: str

    def complaint(self, value: str) -> str | None:
        """Return what is wrong with a value; None if it matches."""
        return None if self.pattern.fullmatch(value) else f"should be {self.expected}"


_FINGERPRINT_BYTES = {"md5": 16, "sha-1": 20, "sha-256": 32}
"""Hash functions that FreeSWITCH supports. It supports sha-512 too, but writes one octet too many for it."""
_FINGERPRINT = re.compile(r"([A-Za-z0-9-]{1,16}) +([0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2}){0,63})")


def _fingerprint(value: str) -> str | None:
    """RFC 8122 §5: ``sha-256 AB:CD:…``."""
    match = _FINGERPRINT.fullmatch(value)
    if match is None:
        return "should be a hash function and octets in hexadecimal"
    wanted = _FINGERPRINT_BYTES.get(match[1].lower())
    if wanted is None:
        return f"has a hash function other than {', '.join(_FINGERPRINT_BYTES)}"
    octets = (len(match[2]) + 1) // 3
    return None if octets == wanted else f"has {octets} octets, and {match[1].lower()} has {wanted}"


def _rule(pattern: str, expected: str) -> Callable[[str], str | None]:
    return _Rule(re.compile(pattern), expected).complaint


_milliseconds = _rule(r"[0-9]{1,5}(?:\.[0-9]{1,9})?", "a number of milliseconds")
_RTPMAP = r"(?:[0-9]|[1-9][0-9]|1[01][0-9]|12[0-7]) +[!#-'*+.0-9A-Z^-~-]{1,64}/[0-9]{1,9}(?:/[!-~]{0,32})?"

RULES: Mapping[str, Callable[[str], str | None]] = {
    "ptime": _milliseconds,
    "maxptime": _milliseconds,
    "setup": _rule("(?i:active|passive|actpass|holdconn)", "active, passive, actpass or holdconn"),
    # STUN messages are built in 256 octets, including both ufrags and FreeSWITCH's name and version.
    "ice-ufrag": _rule("[!-~]{1,32}", "1 to 32 characters"),
    "ice-pwd": _rule("[!-~]{1,256}", "1 to 256 characters"),
    "ice-options": _rule("[ -~]{1,256}", "1 to 256 characters"),
    "candidate": _rule("[!-~]+(?: +[!-~]+){5,63}", "a candidate of ICE"),
    "fingerprint": _fingerprint,
    "rtcp": _rule(r"[0-9]{1,5}(?: +IN +IP[46] +[!-~]{1,255})?", "a port, and an address"),
    "ssrc": _rule("[0-9]{1,10}(?: .*)?", "a number"),
}
"""Attribute in lower case → check that returns what is wrong with a value, or None."""

RTP_RULES: Mapping[str, Callable[[str], str | None]] = {
    "rtpmap": _rule(_RTPMAP, "a payload type, a name and a clock rate"),
    "fmtp": _rule("(?:[0-9]|[1-9][0-9]|1[01][0-9]|12[0-7])(?: .*)?", "a payload type and parameters"),
}
"""The same, for sections whose media is RTP."""

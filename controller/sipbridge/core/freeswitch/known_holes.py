"""Holes of old FreeSWITCH versions that a peer can reach through this bridge. Pure.

A hole belongs here when somebody outside can use it, not where only a local user can.
"""

from __future__ import annotations

from dataclasses import dataclass

from sipbridge.core.freeswitch.changes import Change
from sipbridge.core.freeswitch.version import RECOMMENDED, FreeSwitchVersion


@dataclass(frozen=True, slots=True)
class KnownHole:
    """A hole of all versions before the one that has `closed_by`; of all that we know if no version has.

    Attributes:
        name: such as ``sdes-key``; stable, even when the wording changes.
        closed_by: the change that closed it.
        what: who can do what.
        until_then: what limits it until FreeSWITCH is upgraded; empty where nothing does.
    """

    name: str
    closed_by: Change | None
    what: str
    until_then: str = ""

    @property
    def advice(self) -> str:
        """What to do about it."""
        if self.closed_by is None:
            return self.until_then
        upgrade = f"upgrade FreeSWITCH to {RECOMMENDED} (docs/operations.md)"
        return f"{upgrade}; until then, {self.until_then}" if self.until_then else upgrade


_HOLES = (
    KnownHole(
        "sdp-within-a-call",
        None,
        "a malformed SDP that comes within a call, or answers one, can end FreeSWITCH and all its calls",
        "have SDP within calls pass the Kamailio of freeswitch/front, and providers that you do not trust pass the edge"
        " (docs/security.md)",
    ),
    KnownHole(
        "sdes-key",
        Change.CHECKS_SDES_KEYS,
        "a caller or a provider can end FreeSWITCH, and all its calls, with one malformed a=crypto line",
        'keep sipbridge_caller_sdes at forbidden, and have providers with SDES go through the edge (accounts = "all" in'
        " [edge] of the settings)",
    ),
    KnownHole(
        "dtls-fingerprint",
        Change.CHECKS_DTLS_CLIENTS,
        "whoever can change RTP packets on the way can listen to calls with DTLS-SRTP: FreeSWITCH does not verify"
        " fingerprints",
        "have DTLS-SRTP go through the edge (docs/media.md)",
    ),
    KnownHole(
        "rtp-strangers",
        Change.DROPS_STRANGERS_PACKETS,
        "whoever sends packets to the RTP ports can disturb calls",
        "let only the proxy's and the providers' media addresses reach the RTP ports",
    ),
    KnownHole(
        "rtcp-nack",
        Change.BOUNDS_RTCP_FEEDBACK,
        "one RTCP packet to a call's port has FreeSWITCH read beyond its buffer",
        "let only the proxy's and the providers' media addresses reach the RTP ports",
    ),
    KnownHole(
        "session-end",
        Change.ENDS_SESSIONS_SAFELY,
        "many short calls can end FreeSWITCH, which uses memory that it has freed",
        "keep max_calls_per_s in [calls] well below what the machine carries",
    ),
)


def known_holes(version: FreeSwitchVersion | None) -> tuple[KnownHole, ...]:
    """Return the holes of a version; none if the version is unknown."""
    if version is None:
        return ()
    return tuple(hole for hole in _HOLES if hole.closed_by is None or not hole.closed_by.is_in(version))

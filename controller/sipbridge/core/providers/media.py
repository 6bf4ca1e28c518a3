"""Maps the media protection of a provider to what FreeSWITCH, or the edge beside it, offers on the B leg. Pure.

A combination that neither can offer is refused, never silently degraded. docs/media.md shows the table.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from sipbridge.core.freeswitch.changes import verifies_dtls
from sipbridge.core.freeswitch.version import RECOMMENDED, FreeSwitchVersion


class MediaEncryption(Enum):
    """The protection of RTP, in the words of the providers file."""

    NONE = "none"
    SDES = "sdes"
    DTLS_SRTP = "dtls-srtp"
    ZRTP = "zrtp"


@dataclass(frozen=True, slots=True)
class MediaOffer:
    """How a B leg offers the requested protection.

    Attributes:
        variables: channel variables of FreeSWITCH's B leg.
        edge: what the edge converts FreeSWITCH's plain RTP/AVP to; None if it does not.
        passes_through: whether caller and callee receive each other's SDP unchanged, with RTP directly between them.
    """

    variables: tuple[tuple[str, str], ...] = ()
    edge: str | None = None
    passes_through: bool = False

    @property
    def is_dtls_of_freeswitch(self) -> bool:
        """Whether FreeSWITCH itself does DTLS-SRTP with the far side, and has to verify its certificate."""
        return self.variables == _DTLS


@dataclass(frozen=True, slots=True)
class SwitchDtls:
    """What the FreeSWITCH that runs can do about DTLS-SRTP.

    Attributes:
        version: None while it is not known; then nothing is held against it.
        has_certificate: whether it has one of its own. Without it, its offer has ``a=fingerprint:sha-256`` and no
            fingerprint, and the call has no sound.
    """

    version: FreeSwitchVersion | None = None
    has_certificate: bool = True

    def fault(self, *, accept_unverified: bool) -> str:
        """Why no call with DTLS-SRTP may go out of it; ``""`` if one may."""
        if not self.has_certificate:
            return (
                "FreeSWITCH has no certificate for DTLS-SRTP: let it write dtls-srtp.pem into its folder of"
                " certificates (-certs), and restart it"
            )
        if self.version is None or accept_unverified or verifies_dtls(self.version):
            return ""
        return (
            f"FreeSWITCH {self.version} does not verify DTLS fingerprints, so anybody on the way can listen: upgrade it"
            f" to {RECOMMENDED}; or set enableAvpf to false with [edge] enabled (docs/media.md); or set"
            " accept_unverified_dtls in [calls] of the settings"
        )


_PLAIN = (("rtp_secure_media", "forbidden"),)
_DTLS = (("media_webrtc", "true"),)

# (encryption, AVPF) → offer. The SDES suite is pinned because an unpinned offer ends with one that does not
# authenticate. FreeSWITCH has no ZRTP of its own since 1.10.9, but caller and callee can do it without it.
# Source: mod_sofia and switch_core_media.c, seen on the wire; what the edge makes: rtpengine, likewise.
_OFFERS: dict[tuple[MediaEncryption, bool | None], MediaOffer] = {
    (MediaEncryption.NONE, False): MediaOffer(_PLAIN),
    (MediaEncryption.NONE, True): MediaOffer(_PLAIN, edge="avpf"),
    (MediaEncryption.SDES, False): MediaOffer((("rtp_secure_media", "mandatory:AES_CM_128_HMAC_SHA1_80"),)),
    (MediaEncryption.SDES, True): MediaOffer(_PLAIN, edge="sdes-avpf"),
    (MediaEncryption.DTLS_SRTP, False): MediaOffer(_PLAIN, edge="dtls-savp"),
    (MediaEncryption.DTLS_SRTP, True): MediaOffer(_DTLS),
    (MediaEncryption.ZRTP, False): MediaOffer(passes_through=True),
}
# If AVPF is not set, it is as FreeSWITCH alone offers it with this encryption.
_OFFERS |= {(encryption, None): offer for (encryption, _), offer in _OFFERS.items() if offer.edge is None}

_OR_EDGE = ", or enable [edge] in the settings"
_NO_AVPF = f"FreeSWITCH offers AVPF only together with DTLS-SRTP: leave enableAvpf out or set it to false{_OR_EDGE}"
_NOT_OFFERED = {
    MediaEncryption.NONE: _NO_AVPF,
    MediaEncryption.SDES: _NO_AVPF,
    MediaEncryption.DTLS_SRTP: (
        f"FreeSWITCH offers DTLS-SRTP only with AVPF: leave enableAvpf out or set it to true{_OR_EDGE}"
    ),
    MediaEncryption.ZRTP: (
        "with ZRTP, media passes unchanged between both sides, so AVPF cannot be added: leave enableAvpf out or set it"
        " to false"
    ),
}


def media_offer(encryption: MediaEncryption, enable_avpf: bool | None, *, has_edge: bool) -> MediaOffer | None:
    """Return how to offer this combination on the B leg, or None if it cannot be offered.

    Args:
        encryption: as set by the provider or the settings.
        enable_avpf: None means as FreeSWITCH offers it with `encryption`.
        has_edge: whether there is an edge beside FreeSWITCH.
    """
    offer = _OFFERS.get((encryption, enable_avpf))
    return offer if offer is not None and (has_edge or offer.edge is None) else None


def why_not_offered(encryption: MediaEncryption) -> str:
    """Return the message for a combination that `media_offer` refuses, with what works instead."""
    return _NOT_OFFERED[encryption]

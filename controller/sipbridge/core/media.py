"""Which media protection a provider asks for, and how FreeSWITCH is told to offer it on the B leg. Pure.

Only what FreeSWITCH 1.10 really offers is in the table: anything else is refused, never silently degraded.
"""

from __future__ import annotations

from enum import Enum


class MediaEncryption(Enum):
    """How RTP is protected, in the words of the providers file."""

    NONE = "none"
    SDES = "sdes"
    DTLS_SRTP = "dtls-srtp"
    ZRTP = "zrtp"


# (encryption, AVPF) → channel variables of the B leg. The SDES suite is pinned because an unpinned offer ends with one
# that does not authenticate. Source: mod_sofia and switch_core_media.c, seen on the wire.
_OFFERED: dict[tuple[MediaEncryption, bool | None], tuple[tuple[str, str], ...]] = {
    (MediaEncryption.NONE, False): (("rtp_secure_media", "forbidden"),),
    (MediaEncryption.SDES, False): (("rtp_secure_media", "mandatory:AES_CM_128_HMAC_SHA1_80"),),
    (MediaEncryption.DTLS_SRTP, True): (("media_webrtc", "true"),),
}
# Each encryption goes with one choice of AVPF only, which is then the one when nobody chooses.
_OFFERED |= {(encryption, None): variables for (encryption, _), variables in _OFFERED.items()}

_NO_AVPF = "FreeSWITCH offers AVPF only together with DTLS-SRTP: leave enableAvpf out or set it to false"
_NOT_OFFERED = {
    MediaEncryption.NONE: _NO_AVPF,
    MediaEncryption.SDES: _NO_AVPF,
    MediaEncryption.DTLS_SRTP: "FreeSWITCH offers DTLS-SRTP only with AVPF: leave enableAvpf out or set it to true",
    MediaEncryption.ZRTP: 'FreeSWITCH has no ZRTP since 1.10.9: use "sdes", "dtls-srtp" or "none"',
}


def media_variables(encryption: MediaEncryption, enable_avpf: bool | None) -> tuple[tuple[str, str], ...] | None:
    """Channel variables that make the B leg offer this, or None when FreeSWITCH cannot.

    Args:
        encryption: what the provider, or the settings, ask for.
        enable_avpf: None leaves the choice to what `encryption` needs.
    """
    return _OFFERED.get((encryption, enable_avpf))


def why_not_offered(encryption: MediaEncryption) -> str:
    """What to tell someone whose combination `media_variables` refuses, naming what works instead."""
    return _NOT_OFFERED[encryption]

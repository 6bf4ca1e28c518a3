"""Media: every combination is offered as it was seen on the wire, or refused with what works instead."""

from __future__ import annotations

import itertools

import pytest

from sipbridge.core.media import MediaEncryption, media_variables, why_not_offered

NONE, SDES, DTLS, ZRTP = MediaEncryption
PLAIN = (("rtp_secure_media", "forbidden"),)
# The suite is named: otherwise one without authentication is offered as well.
SRTP = (("rtp_secure_media", "mandatory:AES_CM_128_HMAC_SHA1_80"),)
WEBRTC = (("media_webrtc", "true"),)
OFFERED = {
    (NONE, None): PLAIN,
    (NONE, False): PLAIN,
    (SDES, None): SRTP,
    (SDES, False): SRTP,
    (DTLS, None): WEBRTC,
    (DTLS, True): WEBRTC,
}


@pytest.mark.parametrize(
    ("encryption", "enable_avpf"), list(itertools.product(MediaEncryption, [None, False, True])), ids=str
)
def test_every_combination_is_offered_or_refused(encryption: MediaEncryption, enable_avpf: bool | None) -> None:
    assert media_variables(encryption, enable_avpf) == OFFERED.get((encryption, enable_avpf))


@pytest.mark.parametrize(
    ("encryption", "instead"),
    [
        (NONE, "leave enableAvpf out or set it to false"),
        (SDES, "leave enableAvpf out or set it to false"),
        (DTLS, "leave enableAvpf out or set it to true"),
        (ZRTP, 'use "sdes", "dtls-srtp" or "none"'),
    ],
    ids=str,
)
def test_a_refusal_says_what_works(encryption: MediaEncryption, instead: str) -> None:
    assert instead in why_not_offered(encryption)

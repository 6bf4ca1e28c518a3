"""Media: every combination is offered as seen on the wire, or refused with a working alternative."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import pytest

from sipbridge.core.providers.media import MediaEncryption, MediaOffer, media_offer, why_not_offered

NONE, SDES, DTLS, ZRTP = MediaEncryption
_PLAIN = (("rtp_secure_media", "forbidden"),)
PLAIN = MediaOffer(_PLAIN)
# The suite is named: otherwise one without authentication is offered as well.
SRTP = MediaOffer((("rtp_secure_media", "mandatory:AES_CM_128_HMAC_SHA1_80"),))
WEBRTC = MediaOffer((("media_webrtc", "true"),))
UNTOUCHED = MediaOffer(passes_through=True)
DIRECT = {
    (NONE, None): PLAIN,
    (NONE, False): PLAIN,
    (SDES, None): SRTP,
    (SDES, False): SRTP,
    (DTLS, None): WEBRTC,
    (DTLS, True): WEBRTC,
    (ZRTP, None): UNTOUCHED,
    (ZRTP, False): UNTOUCHED,
}
BY_EDGE = {
    (NONE, True): MediaOffer(_PLAIN, edge="avpf"),
    (SDES, True): MediaOffer(_PLAIN, edge="sdes-avpf"),
    (DTLS, False): MediaOffer(_PLAIN, edge="dtls-savp"),
}
EVERY = list(itertools.product(MediaEncryption, [None, False, True]))
_ROW = re.compile(r"^\| `([a-z-]+)` \| (left out|`true`|`false`) \| (direct|refused|edge `([a-z-]+)`) \|", re.MULTILINE)


@pytest.mark.parametrize(("encryption", "enable_avpf"), EVERY, ids=str)
def test_every_combination_is_offered_or_refused(encryption: MediaEncryption, enable_avpf: bool | None) -> None:
    asked = (encryption, enable_avpf)

    assert media_offer(*asked, has_edge=False) == DIRECT.get(asked)
    assert media_offer(*asked, has_edge=True) == (DIRECT | BY_EDGE).get(asked)


@pytest.mark.parametrize(
    ("encryption", "instead"),
    [
        (NONE, "leave enableAvpf out or set it to false, or enable [edge]"),
        (SDES, "leave enableAvpf out or set it to false, or enable [edge]"),
        (DTLS, "leave enableAvpf out or set it to true, or enable [edge]"),
        (ZRTP, "AVPF cannot be added: leave enableAvpf out or set it to false"),
    ],
    ids=str,
)
def test_a_refusal_says_what_works(encryption: MediaEncryption, instead: str) -> None:
    assert instead in why_not_offered(encryption)


def test_the_documented_table_is_what_is_done() -> None:
    text = (Path(__file__).parents[3] / "docs/media.md").read_text("utf-8")
    avpf = {"left out": None, "`true`": True, "`false`": False}
    documented = {(MediaEncryption(row[1]), avpf[row[2]]): row[4] or row[3] for row in _ROW.finditer(text)}

    assert documented == {asked: _in_words(media_offer(*asked, has_edge=True)) for asked in EVERY}


def _in_words(offer: MediaOffer | None) -> str:
    if offer is None:
        return "refused"
    return offer.edge or "direct"

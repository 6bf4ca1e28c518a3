"""An offer is read as FreeSWITCH reads it, or refused; nothing that ends FreeSWITCH passes, however it was made."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipbridge.core.errors import SdpError
from sipbridge.core.sip.sdes import CryptoAttribute
from sipbridge.core.sip.sdp import MOST_BYTES, Attribute, Connection, MediaSection, SdpOffer, parse_sdp_offer
from support.sdp_hazards import hazards
from support.sdp_offers import AUDIO, CRYPTO, FINGERPRINT, HEAD, ICE, KEY, OFFERS, mutated


@pytest.mark.parametrize("offer", OFFERS.values(), ids=OFFERS)
def test_what_telephones_send_is_read(offer: str) -> None:
    assert parse_sdp_offer(offer).media[0].media == "audio"
    assert hazards(offer) == []


def test_an_offer_becomes_sections() -> None:
    offer = parse_sdp_offer(HEAD + "a=sendrecv\r\n" + AUDIO.replace("RTP/AVP", "rtp/savp") + CRYPTO)
    audio = MediaSection(
        media="audio",
        port=49170,
        protocol="RTP/SAVP",
        formats=("8", "0", "101"),
        connection=Connection("IP4", "192.0.2.1"),
        attributes=(
            Attribute("rtpmap", "101 telephone-event/8000"),
            Attribute("fmtp", "101 0-15"),
            Attribute("ptime", "20"),
        ),
        crypto=(CryptoAttribute(1, "AES_CM_128_HMAC_SHA1_80", 30),),
    )
    assert offer == SdpOffer((Attribute("sendrecv", None),), (audio,))


def test_a_section_has_its_own_connection_or_that_of_the_session() -> None:
    sections = parse_sdp_offer(HEAD + AUDIO + "c=IN IP6 2001:db8::9\r\n" + AUDIO).media
    assert [one.connection for one in sections] == [Connection("IP6", "2001:db8::9"), Connection("IP4", "192.0.2.1")]


@pytest.mark.parametrize(
    ("offer", "complaint"),
    [
        pytest.param("", "line 1", id="nothing"),
        pytest.param("v=1\r\n" + HEAD[5:] + AUDIO, "line 1", id="another version"),
        pytest.param(" " + HEAD + AUDIO, "line 1", id="a blank at the beginning"),
        pytest.param("v=0\r\nx\r\n", "line 2", id="a line of one character: FreeSWITCH stops there"),
        pytest.param(HEAD.replace("o=", "i=") + AUDIO, "0 lines", id="no origin"),
        pytest.param(HEAD + HEAD[5:] + AUDIO, "2 lines", id="two origins"),
        pytest.param(HEAD + " \r\n" + AUDIO, "line 6", id="a blank line: FreeSWITCH stops there"),
        pytest.param(HEAD + " a=ptime\r\n" + AUDIO, "line 6", id="a blank before a line"),
        pytest.param(HEAD + "y=1\r\n" + AUDIO, "line 6", id="an unknown line"),
        pytest.param(HEAD + AUDIO + "t=0 0\r\n", "line 10", id="a line of the session in a section"),
        pytest.param(HEAD + "a=ptime\r\n" + AUDIO, "a=ptime has no value", id="ptime: ends every version"),
        pytest.param(HEAD + "a=ptime:\r\n" + AUDIO, "a=ptime has no value", id="an empty ptime"),
        pytest.param(HEAD + "a=PTIME\r\n" + AUDIO, "a=ptime has no value", id="ptime in capitals"),
        pytest.param(HEAD + "a=ptime 20\r\n" + AUDIO, "malformed", id="ptime without its colon"),
        pytest.param(HEAD + "a=ptime: 20\r\n" + AUDIO, "a=ptime", id="ptime after a blank"),
        pytest.param(HEAD + "a=\tptime\r\n" + AUDIO, "malformed", id="a tab before ptime"),
        pytest.param(HEAD + "a=maxptime\r\n" + AUDIO, "a=maxptime has no value", id="maxptime: ends every version"),
        pytest.param(HEAD + AUDIO + "a=setup\r\n", "a=setup has no value", id="setup: ends every version"),
        pytest.param(HEAD + AUDIO + "a=ice-ufrag\r\n", "a=ice-ufrag has no value", id="ufrag"),
        pytest.param(HEAD + AUDIO + "a=ice-pwd\r\n", "a=ice-pwd has no value", id="pwd"),
        pytest.param(HEAD + AUDIO + "a=candidate\r\n", "a=candidate has no value", id="candidate"),
        pytest.param(HEAD + AUDIO + "a=ice-ufrag:" + "u" * 33, "a=ice-ufrag", id="ufrag: overruns 256 octets"),
        pytest.param(HEAD + AUDIO + "a=candidate:1 1 UDP 1 192.0.2.1", "a=candidate", id="half a candidate"),
        pytest.param(HEAD + AUDIO + "a=fingerprint:sha-256 ", "a=fingerprint", id="an empty fingerprint"),
        pytest.param(HEAD + AUDIO + "a=fingerprint:sha-256 00:11", "2 octets", id="a short fingerprint"),
        pytest.param(HEAD + AUDIO + f"a=fingerprint:{FINGERPRINT}:00", "33 octets", id="a long fingerprint"),
        pytest.param(HEAD + AUDIO + "a=fingerprint:sha-512 " + "00:" * 63 + "00", "hash function", id="sha-512"),
        pytest.param(HEAD + AUDIO + "a=fingerprint:foo 00", "hash function", id="an unknown hash function"),
        pytest.param(HEAD + AUDIO + "a=rtpmap:8 \x0b8000", "control", id="a control character: ends every version"),
        pytest.param(HEAD + AUDIO + "a=rtpmap:8 /8000", "a=rtpmap", id="a codec without a name"),
        pytest.param(HEAD + AUDIO + "a=rtpmap:8 PCMA", "a=rtpmap", id="a codec without a rate"),
        pytest.param(HEAD + AUDIO + "a=rtpmap:128 PCMA/8000", "a=rtpmap", id="a payload type beyond 127"),
        pytest.param(HEAD + AUDIO + "a=fmtp:x", "a=fmtp", id="a format that is not a payload type"),
        pytest.param(HEAD + AUDIO + "a=rtcp:x", "a=rtcp", id="a port that is not a number"),
        pytest.param(HEAD + "m=audio 65536 RTP/AVP 8", "port 65536", id="a port beyond 65535"),
        pytest.param(HEAD + "m=audio -1 RTP/AVP 8", "malformed", id="a negative port"),
        pytest.param(HEAD + "m=audio 9 RTP/AVP 128", "payload types", id="a payload type beyond 127 in m="),
        pytest.param(HEAD + "m=audio 9 RTP/AVP PCMA", "payload types", id="a name in m="),
        pytest.param(HEAD + "m=audio 9 RTP/AVP", "malformed", id="no format"),
        pytest.param(HEAD + "m=audio 9", "malformed", id="half a section"),
        pytest.param(HEAD + "m=message 9 TCP/MSRP *", "MSRP", id="MSRP: FreeSWITCH connects to anywhere"),
        pytest.param(HEAD.replace("IP4 192.0.2.1\r\nt", "IP4\r\nt") + AUDIO, "malformed", id="no address"),
        pytest.param(HEAD.replace("IP4 192.0.2.1\r\nt", "IP5 x\r\nt") + AUDIO, "malformed", id="another family"),
        pytest.param(HEAD.replace("2890844526", "x", 1) + AUDIO, "malformed", id="a session without a number"),
        pytest.param(HEAD.replace("c=", "c= ") + AUDIO, "malformed", id="a blank in c="),
        pytest.param(HEAD + AUDIO + "a=x:" + "y" * 2_100, "octets", id="a line of 2 kB"),
        pytest.param(HEAD + AUDIO + "a=x\r\n" * 600, "more than 512 lines", id="600 lines"),
        pytest.param(HEAD + "m=audio 9 RTP/AVP 8\r\n" * 17, "more than 16 media", id="17 media"),
        pytest.param(HEAD + AUDIO + CRYPTO * 33, "more than 32 a=crypto", id="33 keys"),
        pytest.param(HEAD + "m=audio 9 RTP/AVP" + " 8" * 129, "more than 128 formats", id="129 formats"),
        pytest.param("v=0\r\n" + "x" * MOST_BYTES, "more than", id="more than 32 kB"),
    ],
)
def test_what_is_malformed_is_refused(offer: str, complaint: str) -> None:
    with pytest.raises(SdpError, match=complaint):
        parse_sdp_offer(offer)


def test_an_unused_section_of_any_protocol_is_nobodys_business() -> None:
    offer = (
        HEAD + AUDIO + "m=message 0 TCP/MSRP *\r\nm=application 9 UDP/BFCP *\r\na=rtpmap:x\r\na=floorctrl:c-only\r\n"
    )
    assert [one.protocol for one in parse_sdp_offer(offer).media] == ["RTP/AVP", "TCP/MSRP", "UDP/BFCP"]


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    for offer in (text, HEAD + text, HEAD + AUDIO + text):
        assert_harmless(offer)


@given(st.sampled_from(sorted(OFFERS)), st.integers())
def test_a_spoiled_offer_is_refused_or_harmless(name: str, seed: int) -> None:
    assert_harmless(mutated(random.Random(seed), OFFERS[name]))


@given(st.text("aptimesurcdnogx =:\r\n\t|^;/0189AZ_-", max_size=200))
def test_a_line_of_what_attributes_are_made_of_is_refused_or_harmless(text: str) -> None:
    assert_harmless(HEAD + ICE + "a=" + text + "\r\n" + AUDIO)


@given(st.text("inle:|^ ;0123456789AES_CMHu=", max_size=120))
def test_a_crypto_line_is_refused_or_harmless(text: str) -> None:
    assert_harmless(HEAD + AUDIO + "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:" + text + "\r\n")


def assert_harmless(offer: str) -> None:
    """Refused, or nothing in it that a second reading of FreeSWITCH's source finds to end it."""
    try:
        parse_sdp_offer(offer)
    except SdpError:
        return
    assert hazards(offer) == []


@pytest.mark.parametrize(
    "offer",
    [
        pytest.param(HEAD + "a=ptime\r\n" + AUDIO, id="ptime"),
        pytest.param(HEAD + "a=setup:\r\n" + AUDIO, id="setup"),
        pytest.param("v=0\r\nx\r\n", id="no origin"),
        pytest.param(HEAD + AUDIO + "a=rtpmap:8 \x0b8000\r\n", id="no encoding name"),
        pytest.param(HEAD + AUDIO + f"a=ice-ufrag:{'u' * 256}\r\n", id="a long ufrag"),
        pytest.param(HEAD + AUDIO + CRYPTO.replace(KEY, ""), id="an empty key"),
        pytest.param(HEAD + AUDIO + CRYPTO.replace("|1:4", "|1:4 :|x"), id="an empty second key"),
        pytest.param(HEAD + AUDIO + CRYPTO.replace("|1:4", "|1:255"), id="a long MKI"),
        pytest.param(HEAD + AUDIO + CRYPTO.replace("AES_CM", "X_AES_CM"), id="a key of zeroes"),
        pytest.param(HEAD + AUDIO + CRYPTO.replace(KEY, "QUJD"), id="a short key"),
    ],
)
def test_the_second_reading_finds_what_ends_freeswitch(offer: str) -> None:
    assert hazards(offer) != []

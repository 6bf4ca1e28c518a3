"""An offer that cannot become a call with sound is recognized before anybody's telephone rings."""

from __future__ import annotations

import pytest

from sipbridge.core.calls.usable_offer import codecs_of, parse_codec_list, why_unusable
from sipbridge.core.sip.sdp import SdpOffer, parse_sdp_offer

G711 = ("PCMA", "PCMU")


def offer(*lines: str, connection: str = "c=IN IP4 192.0.2.7") -> SdpOffer:
    return parse_sdp_offer("\r\n".join(["v=0", "o=- 1 1 IN IP4 192.0.2.7", "s=-", connection, "t=0 0", *lines, ""]))


OPUS = "m=audio 40000 RTP/AVP 96 97", "a=rtpmap:96 opus/48000/2", "a=rtpmap:97 telephone-event/48000"


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        (("m=audio 40000 RTP/AVP 8 101", "a=rtpmap:101 telephone-event/8000"), ""),
        (("m=audio 40000 RTP/AVP 96", "a=rtpmap:96 pcma/8000"), ""),
        (("m=audio 40000 UDP/TLS/RTP/SAVPF 0",), ""),
        (("m=video 40002 RTP/AVP 96", "a=rtpmap:96 H264/90000", "m=audio 40000 RTP/AVP 8"), ""),
        (("m=audio 0 RTP/AVP 8", "m=audio 40000 RTP/AVP 8"), ""),
        (OPUS, "no codec in common: OPUS offered, PCMA, PCMU allowed here"),
        (
            ("m=audio 40000 RTP/AVP 101", "a=rtpmap:101 telephone-event/8000"),
            "no codec in common: none offered, PCMA, PCMU allowed here",
        ),
        (("m=audio 40000 RTP/AVP 99",), "no codec in common: none offered, PCMA, PCMU allowed here"),
        # The offer may give another meaning to a number of the list.
        (
            ("m=audio 40000 RTP/AVP 8", "a=rtpmap:8 G729/8000"),
            "no codec in common: G729 offered, PCMA, PCMU allowed here",
        ),
        (("m=image 40002 udptl t38",), "no audio is offered, only image"),
        (("m=audio 0 RTP/AVP 8",), "no audio is offered, only audio"),
        (("m=video 40002 RTP/AVP 96", "m=message 5060 TCP/X *"), "no audio is offered, only video, message"),
        ((), "no media"),
    ],
    ids=[
        "usual",
        "mapped",
        "dtls",
        "video too",
        "second audio",
        "opus",
        "only digits",
        "unknown number",
        "remapped",
        "fax",
        "port 0",
        "no audio",
        "empty",
    ],
)
def test_what_an_offer_leads_to(lines: tuple[str, ...], why: str) -> None:
    assert why_unusable(offer(*lines), G711, "192.0.2.1") == why


def test_codecs_that_are_not_known_are_not_judged() -> None:
    assert why_unusable(offer(*OPUS), (), "192.0.2.1") == ""


IPV6 = "c=IN IP6 2001:db8::7"
AUDIO = "m=audio 40000 RTP/AVP 8"


@pytest.mark.parametrize(
    ("connection", "lines", "host", "family"),
    [
        (IPV6, (AUDIO,), "192.0.2.1", "IPv4"),
        ("c=IN IP4 192.0.2.7", (AUDIO,), "[2001:db8::1]", "IPv6"),
        (IPV6, (AUDIO,), "[2001:db8::1]", ""),
        (IPV6, (AUDIO,), "", ""),
        (IPV6, (AUDIO, "c=IN IP4 192.0.2.8"), "192.0.2.1", ""),
        ("c=IN IP4 media.example.org", (AUDIO,), "192.0.2.1", ""),
        (IPV6, (AUDIO, "a=candidate:1 1 UDP 1 192.0.2.9 40000 typ host"), "192.0.2.1", ""),
    ],
    ids=["6 to 4", "4 to 6", "6 to 6", "unknown", "of the audio", "name", "candidates"],
)
def test_media_of_a_family_that_the_profile_has_not_is_found_out(
    connection: str, lines: tuple[str, ...], host: str, family: str
) -> None:
    why = why_unusable(offer(*lines, connection=connection), G711, host)
    assert why == (f"the caller's media has no {family} address, the only kind used here" if family else "")


def test_codecs_are_named_in_the_callers_order() -> None:
    section = offer("m=audio 40000 RTP/AVP 18 9 96 13 0", "a=rtpmap:96 iLBC/8000", "a=rtpmap:13 CN/8000").media[0]
    assert codecs_of(section) == ["G729", "G722", "ILBC", "PCMU"]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("PCMA,PCMU", ("PCMA", "PCMU")),
        ("opus@48000h@20i@2c, mod_g729.G729 ,G722~mode=1", ("OPUS", "G729", "G722")),
        ("", ()),
        (",", ()),
    ],
)
def test_a_codec_list_of_freeswitch(text: str, names: tuple[str, ...]) -> None:
    assert parse_codec_list(text) == names

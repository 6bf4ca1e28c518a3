"""The SDP of a call, on its way to FreeSWITCH. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from fuzz.target import Target, as_text
from sipbridge.core.errors import SdpError
from sipbridge.core.sip.sdp import parse_sdp_offer
from support.sdp_hazards import hazards
from support.sdp_offers import OFFERS


def check_sdp(data: bytes) -> None:
    """What is let through does not end FreeSWITCH, as a second reading of its source has it."""
    text = as_text(data)
    try:
        parse_sdp_offer(text)
    except SdpError:
        return
    assert hazards(text) == []


TARGETS: Mapping[str, Target] = {
    "sdp": Target(
        check_sdp,
        tuple(offer.encode() for offer in OFFERS.values()),
        (b"\r\n", b"a=", b"a=ptime", b"a=crypto:1 ", b"inline:", b"|", b" ", b"m=audio 9 RTP/AVP 8\r\n", b"\r", b"="),
    ),
}

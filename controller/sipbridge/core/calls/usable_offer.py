"""Whether a call can have sound, as far as its offer tells: why not, before anybody's telephone rings. Pure.

FreeSWITCH chooses the codec when the callee has answered, so it would find out then: the callee rings, answers and is
hung up on.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from sipbridge.core.sip.sdp import MediaSection, SdpOffer

_STATIC_FORMATS = {
    "0": "PCMU",
    "3": "GSM",
    "4": "G723",
    "7": "LPC",
    "8": "PCMA",
    "9": "G722",
    "10": "L16",
    "11": "L16",
    "15": "G728",
    "18": "G729",
}
"""RTP payload type to codec, where the offer need not say it. Source: RFC 3551 §6."""


def why_unusable(offer: SdpOffer, codecs: Collection[str], profile_host: str) -> str:
    """Return why FreeSWITCH could not carry sound for this offer; ``""`` if it can.

    Args:
        codecs: names of the codecs that FreeSWITCH may use, in upper case: ``PCMA``; empty if they are not known.
        profile_host: the address of the SIP profile that took the call, which its RTP has as well: ``192.0.2.1``,
            ``[2001:db8::1]``; ``""`` if it is not known.
    """
    audio = [one for one in offer.media if one.media == "audio" and one.port and "RTP/" in one.protocol]
    if not audio:
        return f"no audio is offered, only {_listed(one.media for one in offer.media)}" if offer.media else "no media"
    offered = [codec for one in audio for codec in codecs_of(one)]
    if codecs and not any(codec in codecs for codec in offered):
        return f"no codec in common: {_listed(offered)} offered, {_listed(codecs)} allowed here"
    family = ("IP6" if profile_host.startswith("[") else "IP4") if profile_host else ""
    if family and not any(_is_reachable(one, family) for one in audio):
        return f"the caller's media has no {'IPv6' if family == 'IP6' else 'IPv4'} address, the only kind used here"
    return ""


def codecs_of(section: MediaSection) -> list[str]:
    """Names of the codecs in an audio section, in upper case, in the caller's order; unknown payload types left out."""
    names: dict[str, str] = {}
    for attribute in section.attributes:
        if attribute.name == "rtpmap" and attribute.value:
            payload_type, _, codec = attribute.value.partition(" ")
            names.setdefault(payload_type, codec.strip().partition("/")[0].upper())
    found = (names.get(each) or _STATIC_FORMATS.get(each) for each in section.formats)
    return [codec for codec in found if codec and codec not in ("TELEPHONE-EVENT", "CN")]


def parse_codec_list(text: str) -> tuple[str, ...]:
    """Parse a codec list of FreeSWITCH: ``OPUS@48000h@20i,PCMA,mod_g729.G729`` → ``OPUS``, ``PCMA``, ``G729``.

    Source: switch_loadable_module.c, switch_parse_codec_buf.
    """
    entries = (entry.strip().partition("@")[0].partition("~")[0].rpartition(".")[2] for entry in text.split(","))
    return tuple(entry.upper() for entry in entries if entry)


def _is_reachable(section: MediaSection, family: str) -> bool:
    if section.connection is None or section.connection.family == family:
        return True
    # ICE (RFC 8839) may lead to an address of the other family.
    return any(one.name == "candidate" for one in section.attributes)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(names)) or "none"

"""Offers as telephones and proxies make them, and ways to spoil them."""

from __future__ import annotations

import random
import re

HEAD = "v=0\r\no=alice 2890844526 2890844526 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"
AUDIO = "m=audio 49170 RTP/AVP 8 0 101\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\n"
KEY = "d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj"
CRYPTO = f"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|2^20|1:4\r\n"
FINGERPRINT = "sha-256 " + ":".join(f"{number:02X}" for number in range(32))
ICE = (
    "a=ice-ufrag:8hhY\r\na=ice-pwd:asd88fgpdd777uzjYhagZg\r\n"
    "a=candidate:1 1 UDP 2130706431 192.0.2.1 49170 typ host\r\n"
    "a=candidate:2 1 UDP 1694498815 198.51.100.3 45664 typ srflx raddr 192.0.2.1 rport 49170\r\n"
)

OFFERS = {
    "plain": HEAD + AUDIO,
    "sdes": HEAD
    + AUDIO.replace("RTP/AVP", "RTP/SAVP")
    + CRYPTO
    + f"a=crypto:2 AES_CM_128_HMAC_SHA1_32 inline:{KEY}\r\n",
    "all suites": HEAD
    + "m=audio 49170 RTP/SAVP 8\r\n"
    + f"a=crypto:1 AEAD_AES_256_GCM inline:{'A' * 59}=\r\na=crypto:2 AEAD_AES_128_GCM inline:{'A' * 38}==\r\n"
    + f"a=crypto:3 AES_256_CM_HMAC_SHA1_80 inline:{'A' * 62}\r\n"
    + f"a=crypto:4 AES_192_CM_HMAC_SHA1_32 inline:{'A' * 51}=\r\n"
    + f"a=crypto:5 F8_128_HMAC_SHA1_80 inline:{KEY}\r\na=crypto:6 NULL_HMAC_SHA1_80 inline:{KEY}\r\n"
    + f"a=crypto:7 AES_CM_128_HMAC_SHA1_80 inline:{KEY}\r\n",
    "webrtc": HEAD
    + "a=group:BUNDLE 0\r\na=msid-semantic: WMS *\r\na=extmap-allow-mixed\r\n"
    + "m=audio 49170 UDP/TLS/RTP/SAVPF 111 8 0 110\r\na=rtcp:9 IN IP4 0.0.0.0\r\n"
    + ICE
    + f"a=ice-options:trickle\r\na=fingerprint:{FINGERPRINT}\r\na=setup:actpass\r\na=mid:0\r\na=rtcp-mux\r\n"
    + "a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level\r\na=sendrecv\r\na=rtpmap:111 opus/48000/2\r\n"
    + "a=rtcp-fb:111 transport-cc\r\na=fmtp:111 minptime=10;useinbandfec=1\r\na=rtpmap:110 telephone-event/48000\r\n"
    + "a=ssrc:3510681183 cname:loqPWNg7JMmrFUnr\r\n",
    "video": HEAD
    + AUDIO
    + "m=video 51372 RTP/AVP 99\r\nb=AS:512\r\na=rtpmap:99 H264/90000\r\na=fmtp:99 profile-level-id=42801F\r\n"
    + "a=rtcp-fb:* nack pli\r\na=inactive\r\n",
    "fax": HEAD
    + AUDIO
    + "m=image 49172 udptl t38\r\na=T38FaxVersion:0\r\na=T38MaxBitRate:14400\r\na=T38FaxUdpEC:t38UDPRedundancy\r\n",
    "text": HEAD + AUDIO + "m=text 11000 RTP/AVP 98\r\na=rtpmap:98 t140/1000\r\n",
    "ipv6": HEAD.replace("IP4 192.0.2.1", "IP6 2001:db8::1") + AUDIO,
    "held": HEAD.replace("c=IN IP4 192.0.2.1", "c=IN IP4 0.0.0.0") + AUDIO + "a=sendonly\r\n",
    "a host name": HEAD.replace("c=IN IP4 192.0.2.1", "c=IN IP4 media.example.org") + AUDIO,
    "a connection of its own": HEAD.replace("c=IN IP4 192.0.2.1\r\n", "") + AUDIO + "c=IN IP4 192.0.2.9\r\n",
    "session attributes": HEAD
    + f"a=ptime:20\r\na=fingerprint:{FINGERPRINT}\r\na=setup:active\r\na=sendrecv\r\n"
    + AUDIO,
    "every session line": HEAD.replace(
        "c=", "i=A call\r\nu=http://example.org/\r\ne=a@example.org (A)\r\np=+1 617 555-6011\r\nc="
    ).replace("t=0 0\r\n", "b=CT:128\r\nb=X-YZ:128\r\nt=2873397496 2873404696\r\nr=7d 1h 0 25h\r\nz=2882844526 -1h\r\n")
    + AUDIO,
    "line feeds alone": (HEAD + AUDIO).replace("\r\n", "\n"),
    "no line end at the end": (HEAD + AUDIO).rstrip(),
    "not ASCII": HEAD.replace("s=-", "s=Anrufübermittlung \u2713") + AUDIO,
    "blanks at the ends of lines": (HEAD + AUDIO).replace("\r\n", " \r\n"),
}
"""Offers that are carried, by what is special about them."""

_SCRAPS = (
    "a=ptime", "a=ptime:", "a=setup", "a=ice-ufrag", "a=ice-pwd", "a=candidate", "a=maxptime", "a=fingerprint:sha-256 ",
    "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:|2^20|1:4", "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline: x",
    f"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|2^20|1:255", f"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}",
    "a=rtpmap:8 \x0b8000", "a=rtpmap:8 /8000", "a=rtpmap:8 PCMA/8000", "a=fmtp:8", "a=fmtp:8 x=y", "a=rtcp:", "a=ssrc:",
    "a=rtcp-mux", "a=ice-ufrag:" + "u" * 256, "a=ice-pwd:" + "p" * 22, "a=setup:active", "a=inactive", "a=recvonly",
    "c=IN IP4 0.0.0.0", "c=IN IP6 ::1", "c=", "m=audio 0 RTP/AVP 8", "m=audio 9 RTP/SAVP 8", "m=video 9 RTP/AVP 31",
    "m=image 9 udptl t38", "m=text 9 RTP/AVP 98", "m=message 9 TCP/MSRP *", "k=prompt",
    "a=path:msrp://127.0.0.1:9/x;tcp",
    "x", " ", "b=AS:1", "t=0 0", "z=0 0", "r=1 1 1", "o=- 1 1 IN IP4 127.0.0.1", "a=T38FaxVersion", "s=${x}",
    "a=candidate:1 1 udp 1 127.0.0.1 9 typ host", "a=candidate:1 9 udp 1 127.0.0.1 9", "a=fingerprint:sha-512 00",
    "a=fingerprint:sha-1 " + "00:" * 19 + "00", "a=fingerprint:foo 00", "a=rtcp-fb:* nack", "a=charset:x",
)  # fmt: skip
_BYTES = '\x00\x01\t\n\r\x0b\x1f !"#%/09:;=AZ^az|~\x7f\x80\xff\u2028\U0001f600'
_NUMBER = re.compile("[0-9]+")
_NUMBERS = ("0", "1", "-1", "127", "128", "255", "256", "65535", "65536", "4294967296", "9" * 20, "9" * 400, "")


def mutated(source: random.Random, text: str) -> str:
    """`text` with a few things wrong with it: lines, fields, numbers, single characters."""
    for _ in range(source.choice((1, 1, 1, 2, 3, 5, 8))):
        text = source.choice(_MUTATIONS)(source, text)
    return text


def _lines(text: str) -> list[str]:
    return text.split("\r\n")


def _add_scrap(source: random.Random, text: str) -> str:
    lines = _lines(text)
    lines.insert(source.randint(1, len(lines)), source.choice(_SCRAPS))
    return "\r\n".join(lines)


def _drop_line(source: random.Random, text: str) -> str:
    lines = _lines(text)
    del lines[source.randrange(len(lines))]
    return "\r\n".join(lines)


def _repeat_line(source: random.Random, text: str) -> str:
    lines = _lines(text)
    at = source.randrange(len(lines))
    return "\r\n".join(lines[:at] + [lines[at]] * source.choice((2, 3, 40)) + lines[at + 1 :])


def _move_line(source: random.Random, text: str) -> str:
    lines = _lines(text)
    lines.insert(source.randint(0, len(lines) - 1), lines.pop(source.randrange(len(lines))))
    return "\r\n".join(lines)


def _cut_line(source: random.Random, text: str) -> str:
    lines = _lines(text)
    at = source.randrange(len(lines))
    lines[at] = lines[at][: source.randint(0, len(lines[at]))]
    return "\r\n".join(lines)


def _other_number(source: random.Random, text: str) -> str:
    found = list(_NUMBER.finditer(text))
    if not found:
        return text
    one = source.choice(found)
    return text[: one.start()] + source.choice(_NUMBERS) + text[one.end() :]


def _other_character(source: random.Random, text: str) -> str:
    at = source.randint(0, len(text))
    return text[:at] + source.choice(_BYTES) + text[at + source.choice((0, 1)) :]


def _longer(source: random.Random, text: str) -> str:
    at = source.randint(0, len(text))
    return text[:at] + source.choice("Aa0/: ") * source.choice((8, 64, 300, 1_500)) + text[at:]


def _drop_value(source: random.Random, text: str) -> str:
    lines = _lines(text)
    at = source.randrange(len(lines))
    lines[at] = lines[at].partition(source.choice((":", " ", "=")))[0]
    return "\r\n".join(lines)


_MUTATIONS = (
    _add_scrap,
    _add_scrap,
    _drop_line,
    _repeat_line,
    _move_line,
    _cut_line,
    _other_number,
    _other_number,
    _other_character,
    _longer,
    _drop_value,
)

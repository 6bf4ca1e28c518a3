"""What of an SDP ends FreeSWITCH, found by doing what its C does, step by step, and by nothing else.

Written after sdp_parse.c of sofia-sip 1.13.17, and switch_core_media.c and switch_rtp.c of 1.10.12; it shares no line
and no idea with the checker that it is held against. It is wrong on the safe side: what might be read is read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_TOKEN = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-!#$%&'*+.^_`{|}~")
_BASE64 = set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
_SUITES = {
    "AEAD_AES_256_GCM_8": 44, "AEAD_AES_256_GCM": 44, "AEAD_AES_128_GCM_8": 28, "AEAD_AES_128_GCM": 28,
    "AES_256_CM_HMAC_SHA1_80": 46, "AES_CM_256_HMAC_SHA1_80": 46, "AES_192_CM_HMAC_SHA1_80": 38,
    "AES_CM_192_HMAC_SHA1_80": 38, "AES_CM_128_HMAC_SHA1_80": 30, "AES_256_CM_HMAC_SHA1_32": 46,
    "AES_CM_256_HMAC_SHA1_32": 46, "AES_192_CM_HMAC_SHA1_32": 38, "AES_CM_192_HMAC_SHA1_32": 38,
    "AES_CM_128_HMAC_SHA1_32": 30, "AES_CM_128_NULL_AUTH": 30,
}  # fmt: skip
_MUST_HAVE_A_VALUE = ("ptime", "maxptime", "setup", "ice-ufrag", "ice-pwd", "ice-options", "candidate")
_KEY_ROOM, _MKI_ROOM, _STUN_ROOM = 64, 4, 256
# STUN header, four attributes of its own, integrity, fingerprint, and 128 octets of name and version.
_STUN_OTHERS = 20 + 4 + 8 + (4 + 128) + 12 + 4 + 24 + 8
_OWN_UFRAG = 17


def hazards(text: str) -> list[str]:
    """What ends FreeSWITCH, one entry each."""
    return list(_hazards(text.partition("\0")[0]))


def _hazards(text: str) -> Iterator[str]:
    records = _records(text)
    if next(records, None) != "v=0":
        return
    has_origin = False
    for record in records:
        if len(record.encode("utf-8", "surrogatepass")) < 2:
            if not has_origin:
                yield "no origin, and reading stopped before anybody noticed"
            return
        has_origin = has_origin or record.startswith("o=")
        if record[0] == "a":
            yield from _attribute(record[2:].lstrip(" \t"))


def _records(text: str) -> Iterator[str]:
    """sdp_parse.c, next(): blanks before a record go, and an empty one is the end."""
    while True:
        text = text.lstrip(" \t")
        record = re.match("[^\r\n]*", text)
        assert record is not None
        if not record[0]:
            return
        yield record[0]
        text = text[record.end() :].lstrip("\r\n")


def _attribute(rest: str) -> Iterator[str]:
    """sdp_parse.c, parse_media_attr(): a name of token characters, and whatever follows the next character."""
    name = _span(rest)
    value = rest[len(name) + 1 :].lstrip(":")
    name = name.lower()
    if name in _MUST_HAVE_A_VALUE and not value:
        yield f"{name} is read at address 0"
    elif (
        name == "ice-ufrag" and len(value.encode("utf-8", "surrogatepass")) + _OWN_UFRAG + _STUN_OTHERS > _STUN_ROOM + 5
    ):
        yield "ufrag overruns the STUN message"
    elif name == "rtpmap":
        yield from _rtpmap(value)
    elif name == "crypto":
        yield from _crypto(value)
    elif name == "fingerprint":
        yield from _fingerprint(value)
    elif name == "path":
        return


def _span(text: str) -> str:
    end = next((at for at, character in enumerate(text) if character not in _TOKEN), len(text))
    return text[:end]


def _rtpmap(value: str) -> Iterator[str]:
    """parse_rtpmap(): a name may be missing where strtoul() still finds a number."""
    after = value.lstrip(" \t").lstrip("0123456789").lstrip(" \t")
    if not _span(after) and re.match(r"[\x0b\x0c\t ]*[+-]?[0-9]", after):
        yield "an encoding name at address 0"


def _fingerprint(value: str) -> Iterator[str]:
    kind = value.partition(" ")[0].lower()
    if kind == "sha-512":
        yield "its own fingerprint is written one octet too far"
    if " " in value and kind not in ("md5", "sha1", "sha-1", "sha-256", "sha-512"):
        yield "a digest without a function"


def _crypto(value: str) -> Iterator[str]:
    """switch_core_media_add_crypto()."""
    name = next((one for one in _SUITES if one.lower() in value.lower()), None)
    if name is None:
        return
    _, _, rest = value.partition(" ")
    if not any(rest.lower().startswith(one.lower()) for one in _SUITES):
        yield "SRTP with a key of zeroes"
        return
    _, blank, rest = rest.partition(" ")
    if not blank:
        yield "SRTP with a key of zeroes"
    materials = 0
    while (rest := rest.lstrip(" ")) and materials < 20:
        materials += 1
        material, _, following = rest.partition(" ")
        method, colon, _ = rest.partition(":")
        if not colon or not "inline".startswith(method.lower()):
            return
        key_text = rest[len(method) + 1 :]
        if len(key_text) < 2:
            return
        end = len(material) - len(method) - 1
        bar = key_text.find("|")
        length = bar if 0 <= bar < end else end
        if length > _KEY_ROOM:
            return
        if length <= 0:
            yield "an empty key: the decoder has no bound"
            return
        decoded = sum(character in _BASE64 for character in key_text[:length].partition("=")[0]) * 6 // 8
        if decoded > _KEY_ROOM:
            yield "a key longer than its place"
        if materials == 1 and decoded < min(size for one, size in _SUITES.items() if one.lower() in value.lower()):
            yield "a key of what happens to be on the stack"
        yield from _mki(key_text[length:end], key_text[length:])
        rest = following


def _mki(own: str, all_: str) -> Iterator[str]:
    """parse_lifetime_mki(), whose field ends at the next bar, blank or end, and switch_rtp_add_crypto_key()."""
    for _ in range(2):
        if not own.startswith("|"):
            return
        field = re.split("[| ]", own[1:], maxsplit=1)[0]
        _, colon, length = field.partition(":")
        if colon and length[:1].isdigit() and length[:1].isascii():
            size = 0
            for power, character in enumerate(reversed(length)):
                size += (ord(character) - 48) * 10**power
            if size & 0xFF > _MKI_ROOM:
                yield f"an MKI of {size & 0xFF} octets in a place for {_MKI_ROOM}"
        own = own[1 + len(field) :]

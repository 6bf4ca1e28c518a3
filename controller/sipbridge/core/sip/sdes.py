"""Parses the value of an ``a=crypto`` attribute (RFC 4568) to a `CryptoAttribute`. Pure.

Keys are checked and forgotten: no value here, and no error message, ever contains one.

FreeSWITCH 1.10 writes past its stack if the key is empty, and both 1.10.12 and 1.11.2 copy as many octets of an MKI as
the line claims into room for four. FreeSWITCH also accepts more than RFC 4568: text after a space may be another key,
and a suite is found by a part of its name. So this accepts only one key, as all telephones send it, and nothing that
FreeSWITCH could misread.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from sipbridge.core.errors import SdpError

KEY_BYTES = {
    "AES_CM_128_HMAC_SHA1_80": 30,  # RFC 4568 §6.2
    "AES_CM_128_HMAC_SHA1_32": 30,
    "F8_128_HMAC_SHA1_80": 30,
    "F8_128_HMAC_SHA1_32": 30,  # as rtpengine offers it
    "AES_CM_128_NULL_AUTH": 30,  # as FreeSWITCH offers it
    "NULL_HMAC_SHA1_80": 30,  # as rtpengine offers it
    "NULL_HMAC_SHA1_32": 30,
    "AES_192_CM_HMAC_SHA1_80": 38,  # RFC 6188 §4
    "AES_192_CM_HMAC_SHA1_32": 38,
    "AES_CM_192_HMAC_SHA1_80": 38,  # what these were called in its drafts
    "AES_CM_192_HMAC_SHA1_32": 38,
    "AES_256_CM_HMAC_SHA1_80": 46,
    "AES_256_CM_HMAC_SHA1_32": 46,
    "AES_CM_256_HMAC_SHA1_80": 46,
    "AES_CM_256_HMAC_SHA1_32": 46,
    "AEAD_AES_128_GCM": 28,  # RFC 7714 §12
    "AEAD_AES_256_GCM": 44,
    "AEAD_AES_128_GCM_8": 28,
    "AEAD_AES_256_GCM_8": 44,
    "SEED_CTR_128_HMAC_SHA1_80": 30,  # RFC 5669 §5
    "SEED_128_CCM_80": 28,
    "SEED_128_GCM_96": 28,
}
"""Suite → octets of its master key and master salt together."""

_SHAPE = re.compile(r"([0-9]{1,9}) ([A-Za-z0-9_-]{1,64}) inline:([^ ]*)((?: [^ ]+)*) *")
_KEY = re.compile(r"([A-Za-z0-9+/]*)(={0,2})(?:\|([^|:]*))?(?:\|([^|:]*):([^|:]*))?")
_SESSION_PARAMETER = re.compile(r"[A-Za-z0-9_=.*+^-]{1,64}")
_NAMES = re.compile("|".join(sorted(KEY_BYTES, key=len, reverse=True)))
_MOST_SESSION_PARAMETERS = 8
_MOST_KEY_BYTES = 64
_MOST_LIFETIME_BITS = 48
_MOST_MKI_BYTES = 4
"""RFC 4568 allows 128; FreeSWITCH has room for four."""


class CryptoAttribute(NamedTuple):
    """One offered suite.

    Attributes:
        tag: the tag by which an answer refers to it.
        suite: as written: ``AES_CM_128_HMAC_SHA1_80``.
        key_bytes: the length of its master key and salt.
    """

    tag: int
    suite: str
    key_bytes: int


def parse_crypto(value: str, line: int) -> CryptoAttribute:
    """Parse the text after ``a=crypto:``.

    Args:
        value: ``1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj|2^20|1:4``.
        line: the line number, for error messages.

    Raises:
        SdpError: the text is malformed, or FreeSWITCH could misread it.

    Source: RFC 4568 §9; switch_core_media.c, switch_core_media_add_crypto.
    """
    shape = _SHAPE.fullmatch(value)
    if shape is None:
        raise SdpError(line, "a=crypto is not a tag, a suite and one inline key")
    tag, suite, key, parameters = shape.groups()
    name = suite.upper()
    if _NAMES.findall(value.upper()) != ([name] if name in KEY_BYTES else []):
        raise SdpError(line, "a=crypto names a suite where it should not")
    _check_session_parameters(parameters, line)
    return CryptoAttribute(int(tag), suite, _check_key(name, key, line))


def _check_session_parameters(text: str, line: int) -> None:
    parameters = text.split()
    if len(parameters) > _MOST_SESSION_PARAMETERS or not all(map(_SESSION_PARAMETER.fullmatch, parameters)):
        raise SdpError(line, "a=crypto has session parameters that are malformed or not supported")


def _check_key(suite: str, text: str, line: int) -> int:
    """Return the number of octets of the key; `text` is the part after ``inline:``."""
    match = _KEY.fullmatch(text)
    if match is None:
        raise SdpError(line, "a=crypto: the key is not base64, or has more than a lifetime and an MKI")
    characters, padding, lifetime, mki, mki_length = match.groups()
    key_bytes, odd = divmod(len(characters) * 6, 8)
    if odd == 6 or (padding and (len(characters) + len(padding)) % 4):
        raise SdpError(line, "a=crypto: the key is not base64")
    wanted = KEY_BYTES.get(suite)
    if wanted is None and not 0 < key_bytes <= _MOST_KEY_BYTES:
        raise SdpError(line, f"a=crypto: the key has {key_bytes} octets, and should have 1 to {_MOST_KEY_BYTES}")
    if wanted is not None and key_bytes != wanted:
        raise SdpError(line, f"a=crypto: the key has {key_bytes} octets, and {suite} has {wanted}")
    if lifetime is not None:
        _check_lifetime(lifetime, line)
    if mki_length is not None:
        _check_mki(mki, mki_length, line)
    return key_bytes


def _check_lifetime(text: str, line: int) -> None:
    """Check a lifetime: ``2^20``, or a number of packets."""
    power = text.removeprefix("2^")
    most = _MOST_LIFETIME_BITS if power is not text and text.startswith("2^") else 1 << _MOST_LIFETIME_BITS
    if not (power.isascii() and power.isdigit() and len(power) <= 15 and 1 <= int(power) <= most):
        raise SdpError(line, f"a=crypto: the lifetime is not from 1 to 2^{_MOST_LIFETIME_BITS}")


def _check_mki(mki: str, length: str, line: int) -> None:
    """Check an MKI such as ``1:4``: a number, and the number of octets in which it is sent."""
    if not (length.isascii() and length.isdigit() and len(length) == 1 and 1 <= int(length) <= _MOST_MKI_BYTES):
        raise SdpError(line, f"a=crypto: the length of the MKI is not from 1 to {_MOST_MKI_BYTES}")
    if not (mki.isascii() and mki.isdigit() and len(mki) <= 10 and int(mki) < 1 << 8 * int(length)):
        raise SdpError(line, "a=crypto: the MKI is not a number that fits its length")

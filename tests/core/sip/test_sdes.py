"""A crypto line is read as RFC 4568 has it, and refused where FreeSWITCH could read it otherwise."""

from __future__ import annotations

import base64

import pytest

from sipbridge.core.errors import SdpError
from sipbridge.core.sip.sdes import KEY_BYTES, CryptoAttribute, parse_crypto

SUITE = "AES_CM_128_HMAC_SHA1_80"
KEY = "d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj"


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(f"1 {SUITE} inline:{KEY}", id="a key alone"),
        pytest.param(f"1 {SUITE} inline:{KEY}|2^20|1:4", id="RFC 4568 section 9.1"),
        pytest.param(f"1 {SUITE} inline:{KEY}|1066:4", id="RFC 4568 section 6.1, an MKI alone"),
        pytest.param(f"1 {SUITE} inline:{KEY}|1048576|1:4", id="a lifetime in decimal"),
        pytest.param(f"1 {SUITE} inline:{KEY}|2^48", id="the longest lifetime"),
        pytest.param(f"1 {SUITE} inline:{KEY}|2^20|255:1", id="the greatest MKI of one octet"),
        pytest.param(f"1 {SUITE} inline:{KEY} UNENCRYPTED_SRTCP KDR=16", id="session parameters"),
        pytest.param(f"1 {SUITE} inline:{KEY} ", id="a blank at the end"),
        pytest.param(f"999999999 {SUITE.lower()} inline:{KEY}", id="a long tag, a suite in lower case"),
    ],
)
def test_what_telephones_send_is_read(value: str) -> None:
    attribute = parse_crypto(value, 7)
    assert (attribute.suite.upper(), attribute.key_bytes) == (SUITE, 30)


@pytest.mark.parametrize("suite", KEY_BYTES)
@pytest.mark.parametrize("is_padded", [True, False], ids=["padded", "not padded"])
def test_every_suite_has_keys_of_its_own_length_and_no_other(suite: str, is_padded: bool) -> None:
    def line(length: int) -> str:
        key = base64.b64encode(bytes(range(length))).decode()
        return f"3 {suite} inline:{key if is_padded else key.rstrip('=')}"

    wanted = KEY_BYTES[suite]
    assert parse_crypto(line(wanted), 1) == CryptoAttribute(3, suite, wanted)
    for other in (0, 1, wanted - 1, wanted + 1, 2 * wanted, 200):
        with pytest.raises(SdpError, match="octets"):
            parse_crypto(line(other), 1)


def test_a_suite_of_tomorrow_may_be_offered() -> None:
    assert parse_crypto(f"1 AEGIS_256_TOMORROW inline:{KEY}", 1).key_bytes == 30


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("", id="nothing"),
        pytest.param(f"1 {SUITE}", id="no key"),
        pytest.param(f"1 {SUITE} inline:", id="an empty key"),
        pytest.param(f"1 {SUITE} inline:|2^20|1:4", id="an empty key and a lifetime: ends 1.10"),
        pytest.param(f"1 {SUITE} inline: {KEY}", id="a blank before the key: ends 1.10"),
        pytest.param(f"1 {SUITE} inline:{KEY} i:|x", id="a second key, empty, abbreviated: ends 1.10"),
        pytest.param(f"1 {SUITE} inline:{KEY} :|x", id="a second key, empty, without a method: ends 1.10"),
        pytest.param(f"1 {SUITE} inline:{KEY} inline:{KEY}|2^20|1:4", id="a second key after a blank"),
        pytest.param(
            f"1 {SUITE} inline:{KEY}|2^20|1:4;inline:{KEY}|2^20|2:4", id="two keys: FreeSWITCH misreads the MKI"
        ),
        pytest.param(f"1 {SUITE} inline:{KEY}|2^20|1:128", id="an MKI that overruns four octets"),
        pytest.param(f"1 {SUITE} inline:{KEY}|2^20|1:5", id="an MKI of five octets"),
        pytest.param(f"1 {SUITE} inline:{KEY}|2^20|1:0", id="an MKI of no octet"),
        pytest.param(f"1 {SUITE} inline:{KEY}|2^20|:4", id="no MKI"),
        pytest.param(f"1 {SUITE} inline:{KEY}|2^20|256:1", id="an MKI longer than its length"),
        pytest.param(f"1 {SUITE} inline:{KEY}|2^20|99999999999:4", id="an MKI of eleven digits"),
        pytest.param(f"1 {SUITE} inline:{KEY}|2^0", id="a lifetime of one packet"),
        pytest.param(f"1 {SUITE} inline:{KEY}|2^49", id="a lifetime beyond 2^48"),
        pytest.param(f"1 {SUITE} inline:{KEY}|0", id="a lifetime of nothing"),
        pytest.param(f"1 {SUITE} inline:{KEY}|{'9' * 400}", id="a lifetime of hundreds of digits"),
        pytest.param(f"1 {SUITE} inline:{KEY}|2^20|1:4|2:4", id="a field too many"),
        pytest.param(f"1 {SUITE} inline:{KEY[:-1]}", id="a key cut short"),
        pytest.param(f"1 {SUITE} inline:{KEY[:-1]}!", id="a key that is not base64"),
        pytest.param(f"1 {SUITE} inline:{KEY[:-1]}\u00e9", id="a key that is not ASCII"),
        pytest.param(f"1 {SUITE} inline:{KEY}==", id="a key with padding that it has no room for"),
        pytest.param(f"1 {SUITE} INLINE:{KEY}", id="another method"),
        pytest.param(f"1 {SUITE} i:{KEY}", id="a method that FreeSWITCH takes for inline"),
        pytest.param(f"1 FOO_{SUITE} inline:{KEY}", id="a suite that FreeSWITCH takes for another: a key of zeroes"),
        pytest.param(f"1 {SUITE}_FOO inline:{KEY}", id="a suite that begins as another"),
        pytest.param(f"1 FOO inline:{KEY} {SUITE}", id="the name of a suite somewhere else"),
        pytest.param(f"1 {SUITE} inline:{KEY} X=AEAD_AES_256_GCM", id="a second suite, with a longer key"),
        pytest.param(f"1 {SUITE} inline:{KEY} FEC_KEY=inline:{KEY}", id="a key in a parameter"),
        pytest.param(f"1 {SUITE} inline:{KEY}{' A=1' * 9}", id="nine session parameters"),
        pytest.param(f" 1 {SUITE} inline:{KEY}", id="a blank before the tag"),
        pytest.param(f"1  {SUITE} inline:{KEY}", id="two blanks"),
        pytest.param(f"one {SUITE} inline:{KEY}", id="a tag that is not a number"),
        pytest.param(f"\u0661 {SUITE} inline:{KEY}", id="a tag of other digits"),
        pytest.param(f"1 FOO inline:{'A' * 88}", id="an unknown suite with a key beyond all measure"),
        pytest.param("1 FOO inline:", id="an unknown suite with an empty key"),
    ],
)
def test_what_is_malformed_is_refused_without_showing_a_key(value: str) -> None:
    with pytest.raises(SdpError) as refused:
        parse_crypto(value, 7)
    assert str(refused.value).startswith("SDP line 7: a=crypto")
    assert refused.value.line == 7
    assert KEY[:8] not in str(refused.value)

"""The number of a tel URI as a SIP address (RFC 3261 §19.1.6)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipbridge.core.errors import UriError
from sipbridge.core.sip.tel_uri import parse_tel_header
from sipbridge.core.sip.uri import parse_name_addr


@pytest.mark.parametrize(
    ("header", "address"),
    [
        ("<tel:+49170555>;tag=1", "sip:+49170555@x.example;user=phone"),
        ("tel:+49170555;tag=1", "sip:+49170555@x.example;user=phone"),
        ("  TEL:+49170555 ", "sip:+49170555@x.example;user=phone"),
        ("<tel:+358-555-1234567;postd=pp22>", "sip:+3585551234567;postd=pp22@x.example;user=phone"),
        ("<tel:+1(212)555.01-23>", "sip:+12125550123@x.example;user=phone"),
        (
            '<tel:7042;phone-context=example.com>;tag=a;x="<sip:y@z>"',
            "sip:7042;phone-context=example.com@x.example;user=phone",
        ),
        ("<tel:*31#0170;phone-context=+49>", "sip:*31%230170;phone-context=+49@x.example;user=phone"),
        ('"An\\"n" <tel:+1>', '"An\\"n" <sip:+1@x.example;user=phone>'),
        ("Zoé Müller <tel:+1;ext=7>;tag=1", '"Zoé Müller" <sip:+1;ext=7@x.example;user=phone>'),
    ],
    ids=["usual", "bare", "capitals", "parameters", "separators", "context", "star and hash", "quoted", "plain"],
)
def test_a_number_becomes_a_user(header: str, address: str) -> None:
    assert str(parse_tel_header(header, "x.example")) == address
    assert str(parse_name_addr(address)) == address


@pytest.mark.parametrize(
    "header",
    ["", "tel:", "<tel:>", "<tel:+>", "<tel:+-.>", "<tel:alice>", "<tel:+1", "<sip:a@b>", "<tel:+1 2>", "<tel:+1;=x>"],
)
def test_everything_else_is_refused(header: str) -> None:
    with pytest.raises(UriError):
        parse_tel_header(header, "x.example")


@given(st.text('+()-.0123456789AF*#;=:[]%<>"\\ \ttel', max_size=60))
def test_what_is_accepted_is_a_sip_address(text: str) -> None:
    try:
        address = parse_tel_header(f"<tel:{text}>", "x.example")
    except UriError:
        return
    assert parse_name_addr(str(address)).uri == address.uri

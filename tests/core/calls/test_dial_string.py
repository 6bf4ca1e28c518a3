"""No text from a caller, a file or a database changes the meaning of a dial string."""

from __future__ import annotations

import re

import pytest
from core_examples import account, policy
from hypothesis import example, given
from hypothesis import strategies as st

from sipbridge.core.calls.dial_string import MEDIA_HEADER, format_dial_string, sent_address, sent_name
from sipbridge.core.calls.routing import Bridge
from sipbridge.core.errors import UriError
from sipbridge.core.gateways.gateway import GatewayName
from sipbridge.core.pools.account_pool import AccountPool
from sipbridge.core.providers.media import MediaEncryption, media_offer
from sipbridge.core.providers.provider import Always, OnAccountNotFound, OutgoingInvite, Provider, RandomAccount
from sipbridge.core.providers.template import TemplateScope, parse_template
from sipbridge.core.sip.uri import NameAddr, SipUri, normalize_escapes, parse_name_addr, parse_sip_uri
from sipbridge.simulator.calls.dial_string import DialStringError, expand, read_dial_string, separate, split_scope

GATEWAY = GatewayName("sipbridge.alice.0123456789abcdef0123")
BOB = parse_name_addr("sip:bob@far.example.org;user=phone")
ALICE = parse_name_addr('"Alice" <sip:alice@far.example.org>')
HOP = parse_sip_uri("sip:proxy.example.org;transport=tcp")
_TEMPLATE = parse_template("{account.uri}", TemplateScope.INVITE)
_POOL = AccountPool(policy(registration_required=False))
LINE = _POOL.add(account("sip:alice@far.example.org"))


def bridge(to: NameAddr = BOB, from_: NameAddr = ALICE, next_hop: SipUri = HOP, *, uses_gateway: bool = True) -> Bridge:
    provider = Provider(
        "p",
        _POOL.policy.name,
        Always(),
        RandomAccount(),
        OnAccountNotFound.DECLINE,
        OutgoingInvite(_TEMPLATE, _TEMPLATE),
    )
    media = media_offer(MediaEncryption.SDES, None, has_edge=False)
    assert media is not None
    return Bridge(provider, LINE, to, from_, next_hop, uses_gateway, media, ())


def test_gateway_form() -> None:
    assert format_dial_string(bridge(), GATEWAY, "providers") == (
        f"%[sip_bridge_account={LINE.id}]"
        "{^^|sip_invite_req_uri=sip:bob@far.example.org;user=phone"
        "|sip_force_full_to=<sip:bob@far.example.org;user=phone>"
        '|sip_force_full_from="Alice" <sip:alice@far.example.org>'
        "|sip_route_uri=sip:proxy.example.org;transport=tcp"
        "|sip_cid_type=none"
        "|rtp_secure_media=mandatory:AES_CM_128_HMAC_SHA1_80}"
        f"sofia/gateway/{GATEWAY}/bob@far.example.org"
    )


@pytest.mark.parametrize(("name", "expected"), [("Alice", "Alice"), ("", "_undef_"), ("Zoé M, 2nd", "Zoé M, 2nd")])
def test_recoverable_form(name: str, expected: str) -> None:
    text = format_dial_string(bridge(from_=NameAddr(ALICE.uri, name)), GATEWAY, "providers", recoverable=True)
    assert text == (
        f"%[sip_bridge_account={LINE.id}]"
        "{^^|sip_invite_req_uri=sip:bob@far.example.org;user=phone"
        "|sip_invite_to_uri=<sip:bob@far.example.org;user=phone>"
        "|sip_invite_from_uri=<sip:alice@far.example.org>"
        f"|origination_caller_id_name={expected}"
        f"|sip_bridge_account={LINE.id}"
        "|sip_route_uri=sip:proxy.example.org;transport=tcp"
        "|sip_cid_type=none"
        "|rtp_secure_media=mandatory:AES_CM_128_HMAC_SHA1_80}"
        f"sofia/gateway/{GATEWAY}/bob@far.example.org"
    )


@pytest.mark.parametrize(
    ("to", "from_"),
    [
        ("<sip:bob@far.example.org;fs_path=sip:1>", "<sip:alice@far.example.org>"),
        ("<sips:bob@far.example.org>", "<sip:alice@far.example.org>"),
        ("<sip:bob@far.example.org>", "<sip:a%40b@far.example.org>"),
        ("<sip:bob@far.example.org>", '"100%" <sip:alice@far.example.org>'),
    ],
    ids=["parameter", "scheme", "escape", "name"],
)
def test_a_call_that_is_out_of_the_ordinary_is_made_as_ever_and_not_recoverable(to: str, from_: str) -> None:
    asked = bridge(parse_name_addr(to), parse_name_addr(from_))
    exact = format_dial_string(asked, GATEWAY, "providers")
    text = format_dial_string(asked, GATEWAY, "providers", recoverable=True)
    assert text == exact.replace("|sip_route", "|sofia_profile_name=providers|recovery_profile_name=none|sip_route")


EDGE = parse_sip_uri("sip:127.0.0.1:5090")


def test_edge_form() -> None:
    media = media_offer(MediaEncryption.DTLS_SRTP, False, has_edge=True)
    assert media is not None
    text = format_dial_string(bridge()._replace(edge=EDGE, media=media), GATEWAY, "providers")
    assert text == (
        f"%[sip_bridge_account={LINE.id}]"
        "{^^|sip_invite_req_uri=sip:bob@far.example.org;user=phone"
        "|sip_force_full_to=<sip:bob@far.example.org;user=phone>"
        '|sip_force_full_from="Alice" <sip:alice@far.example.org>'
        "|sip_route_uri=sip:127.0.0.1:5090"
        "|sip_cid_type=none"
        "|rtp_secure_media=forbidden"
        "|sip_h_X-Sipbridge-Next-Hop=sip:proxy.example.org;transport=tcp"
        "|sip_h_X-Sipbridge-Media=dtls-savp}"
        f"sofia/gateway/{GATEWAY}/bob@far.example.org"
    )


def test_past_the_gateway_the_edge_is_reached_as_it_listens() -> None:
    text = format_dial_string(bridge(uses_gateway=False)._replace(edge=EDGE), None, "providers")
    assert "|sip_h_X-Sipbridge-Next-Hop=sip:proxy.example.org;transport=tcp|sip_transport=udp}" in text
    assert MEDIA_HEADER not in text


def test_zrtp_goes_past_freeswitch_on_both_legs() -> None:
    media = media_offer(MediaEncryption.ZRTP, None, has_edge=False)
    assert media is not None
    text = format_dial_string(bridge()._replace(media=media), GATEWAY, "providers")
    assert text.startswith(f"%[sip_bridge_account={LINE.id},bypass_media=true]{{")
    assert split_scope(text)[0] == {"sip_bridge_account": LINE.id, "bypass_media": "true"}


def test_profile_form() -> None:
    text = format_dial_string(bridge(uses_gateway=False), None, "inside")
    assert "|sip_transport=tcp}" in text
    assert text.endswith("}sofia/inside/sip:bob@far.example.org")


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("sip:o'neill@h", "sip:o%27neill@h"),
        ("sip:a,b$c(d)e=f&g@h", "sip:a,b$c(d)e=f&g@h"),
        ("sip:a,system:reboot@h", "sip:a%2Csystem:reboot@h"),
        ("sip:a@h;p=:_:", "sip:a@h;p=:%5F:"),
        ("sip:a@h;p=:_:_:", "sip:a@h;p=:%5F:%5F:"),
        ("sip:a@h?subject=x", "sip:a@h"),
        ("sip:[2001:db8::1]:5070", "sip:[2001:db8::1]:5070"),
        ("sip:host.example.org", "sip:host.example.org"),
    ],
)
def test_request_uri_is_the_same_resource(uri: str, expected: str) -> None:
    text = format_dial_string(bridge(to=parse_name_addr(f"<{uri}>")), GATEWAY, "providers")
    assert f"|sip_invite_req_uri={expected}|".replace("|sip_invite", "^|sip_invite", 1) in text


_GUARD = "sip_bridge_escaped=," + "\\" * 8 + ".|"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Zoé M", '"Zoé M" '),
        ("Zoé  M", '"Zoé  M" '),
        ("${system(id)}", '"$ system(id)" '),
        ("a}{b", '"a b" '),
        ("a < b > c^^", '"a < b > c^^" '),
        ("$$ 5", '"$$ 5" '),
        ("x\r\nexecute-app-name: system", '"x execute-app-name: system" '),
        (":_:_:", '": : :" '),
        ("Doe, John: at home", '"Doe, John  at home" '),
        ("a,system:reboot,b", '"a,system reboot,b" '),
        ("half \ud800", '"half" '),
        ("{}", ""),
        ("x" * 1_100, f'"{"x" * 1_024}" '),
    ],
)
def test_what_freeswitch_cannot_carry_is_a_space_in_a_name(name: str, expected: str) -> None:
    text = format_dial_string(bridge(from_=NameAddr(ALICE.uri, name)), GATEWAY, "providers")
    assert f"|sip_force_full_from={expected}<sip:alice@far.example.org>|" in text
    assert _GUARD not in text


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ('An"n', '"An' + "\\" * 8 + '"n" '),
        ("O'Brien", '"O' + "\\" * 6 + "'Brien\" "),
        ("CORP\\nancy", '"CORP' + "\\" * 16 + 'nancy" '),
        ("a|b", r'"a\\|b" '),
        ("it's $5", '"it' + "\\" * 6 + "'s \\$5\" "),
    ],
    ids=["quote", "apostrophe", "backslash", "bar", "dollar"],
)
def test_what_can_be_escaped_is_carried_and_expanded_once_only(name: str, written: str) -> None:
    text = format_dial_string(bridge(from_=NameAddr(ALICE.uri, name)), GATEWAY, "providers")
    assert f"|sip_force_full_from={written}<sip:alice@far.example.org>|" in text
    assert text.index(_GUARD) < text.index("|sip_force_full_to")
    assert _sent(text, "sip_force_full_from") == NameAddr(ALICE.uri, name)


def test_a_name_of_the_callee_is_carried_too() -> None:
    text = format_dial_string(bridge(to=NameAddr(BOB.uri, r'Bob "the \b" O\'B')), GATEWAY, "providers")
    assert _sent(text, "sip_force_full_to") == NameAddr(BOB.uri, r'Bob "the \b" O\'B')
    assert _sent(text, "sip_force_full_from") == ALICE


def test_a_dollar_of_a_uri_is_one_still_where_a_name_needs_escapes() -> None:
    to = parse_name_addr("sip:a$$b@far.example.org")
    text = format_dial_string(bridge(to=to, from_=NameAddr(ALICE.uri, "O'B")), GATEWAY, "providers")
    assert _sent(text, "sip_force_full_to") == to
    assert read_dial_string(split_scope(expand(text, lambda _: None).text)[1]).variables["sip_invite_req_uri"] == str(
        to
    )


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        (NameAddr(ALICE.uri, 'An"n'), r'"An\"n" <sip:alice@far.example.org>'),
        (NameAddr(ALICE.uri, "{"), "sip:alice@far.example.org"),
        (NameAddr(parse_sip_uri("sip:o'neill@h?subject=x"), "A{B"), '"A B" <sip:o%27neill@h>'),
    ],
    ids=["quote", "nothing-left", "both"],
)
def test_sent_address_is_what_is_on_the_wire(address: NameAddr, expected: str) -> None:
    assert sent_address(address) == expected


def _sent(text: str, variable: str) -> NameAddr:
    return parse_name_addr(read_dial_string(split_scope(expand(text, lambda _: None).text)[1]).variables[variable])


_HOSTILE = st.text(
    st.sampled_from("ab%'\"${}[]<>|,;:=\\^_&?/ \r\n\t\x00\u2028é+#@.") | st.characters(), min_size=0, max_size=40
)


def _uri(user: str, parameter: str) -> SipUri | None:
    try:
        return parse_sip_uri(f"sip:{user}@h.example.org" + (f";p={parameter}" if parameter else ""))
    except UriError:
        return None


def _plain(uri: str) -> str:
    """With what a dial string has to write as an escape resolved."""
    return normalize_escapes(uri.replace("%5F", "_").replace("%2C", ","))


@given(_HOSTILE, _HOSTILE, _HOSTILE, _HOSTILE, st.booleans())
@example("a,system:reboot", "", "a,system:reboot&a", "a, system:touch /tmp/x,b", True)
def test_whatever_is_said_the_invite_is_the_one_that_was_meant(
    user: str, parameter: str, caller: str, name: str, uses_gateway: bool
) -> None:
    to, from_uri = _uri(user, parameter), _uri(caller, "")
    if to is None:
        to = BOB.uri
    from_ = NameAddr(from_uri or ALICE.uri, name)

    text = format_dial_string(bridge(NameAddr(to), from_, uses_gateway=uses_gateway), GATEWAY, "inside")

    assert not re.search(r"[\x00-\x1f\x7f]|\$\{|:_:", text)
    expansion = expand(text, lambda _: "expanded")
    assert expansion.injections == ()
    _is_nothing_to_the_inline_dialplan(split_scope(expansion.text)[1])
    scope, rest = split_scope(expansion.text)
    assert scope == {"sip_bridge_account": LINE.id}
    read = read_dial_string(rest)
    assert len(read.endpoints) == 1
    assert [each for each in read.variables if each != "sip_bridge_escaped"] == [
        "sip_invite_req_uri",
        "sip_force_full_to",
        "sip_force_full_from",
        "sip_route_uri",
        "sip_cid_type",
        "rtp_secure_media",
        *([] if uses_gateway else ["sip_transport"]),
    ]
    assert parse_name_addr(read.variables["sip_force_full_from"]).display_name == sent_name(name)
    request_uri = parse_sip_uri(read.variables["sip_invite_req_uri"])
    assert _plain(request_uri.text) == _plain(to.text.removesuffix(to.headers).replace("'", "%27"))
    sent_from = parse_name_addr(read.variables["sip_force_full_from"]).uri.text
    assert parse_sip_uri(_plain(sent_from)).equivalent(parse_sip_uri(_plain(from_.uri.text)))
    assert read.variables["sip_route_uri"] == HOP.text


def _is_nothing_to_the_inline_dialplan(argument: str) -> None:
    """As FreeSWITCH gives it there for an INVITE with Replaces: commas between applications, a colon in each."""
    applications = [each.partition(":") for each in separate(f"answer,bridge:{argument}", ",")]
    assert [name for name, _, _ in applications[2:] if re.fullmatch(r"\w+", name.lstrip())] == []
    assert applications[1][0] == "bridge"
    if len(applications) > 2 or "\\" in argument:
        with pytest.raises(DialStringError):
            read_dial_string(expand(applications[1][2], lambda _: "expanded").text)

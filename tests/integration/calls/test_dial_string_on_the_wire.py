"""The dial strings of core/calls/dial_string.py, executed by FreeSWITCH: what arrives is what the decision said."""

from __future__ import annotations

import re

import pytest

from sipbridge.core.accounts.account import Account
from sipbridge.core.calls.dial_string import format_dial_string
from sipbridge.core.calls.routing import Bridge
from sipbridge.core.gateways.gateway import GatewayName
from sipbridge.core.pools.account_pool import AccountPool
from sipbridge.core.providers.media import MediaEncryption, media_offer
from sipbridge.core.providers.provider import (
    Always,
    OnAccountNotFound,
    OutgoingInvite,
    PoolPolicy,
    Provider,
    RandomAccount,
)
from sipbridge.core.providers.template import TemplateScope, parse_template
from sipbridge.core.sip.uri import NameAddr, parse_sip_uri
from support.digest import DigestProvider
from support.freeswitch import FreeSwitch
from support.parked_call import ParkedCall, place_call
from support.sip_message import SipMessage, without_tag
from support.sip_peer import SipPeer
from support.sip_rule import Reply, replies

ALICE = parse_sip_uri("sip:alice@jabiru.example.org")
BUSY = replies(Reply(486, "Busy Here"))
GATEWAY = "sipbridge.wire."
NEVER_SENT = ("Route", "Remote-Party-ID", "P-Asserted-Identity", "P-Preferred-Identity", "Privacy", "X-FS-Support")


@pytest.fixture(scope="module", autouse=True)
def _gateways(freeswitch: FreeSwitch) -> None:
    """One that need not register, for each transport."""
    for transport in ("udp", "tcp"):
        answer = freeswitch.add_gateway(
            GATEWAY + transport,
            username="alice",
            realm=GATEWAY + transport,
            proxy="jabiru.example.org",
            register="false",
            register_transport=transport,
        )
        assert answer.startswith("Reload XML [Success]")


def bridge_decision(
    callee: SipPeer,
    to: str | NameAddr = "sip:bob@jabiru.example.org;user=phone",
    from_: NameAddr | None = None,
    *,
    transport: str = "udp",
    uses_gateway: bool = True,
    media: MediaEncryption = MediaEncryption.NONE,
) -> Bridge:
    proxy = parse_sip_uri(f"sip:{callee.hostport};transport={transport}")
    pool = AccountPool(PoolPolicy("Pool", proxy, registration_required=False, max_calls_per_line=1))
    template = parse_template("sip:bob@jabiru.example.org", TemplateScope.INVITE)
    provider = Provider(
        "Out", "Pool", Always(), RandomAccount(), OnAccountNotFound.DECLINE, OutgoingInvite(template, template)
    )
    protection = media_offer(media, None, has_edge=False)
    assert protection is not None
    line = pool.add(Account(ALICE))
    to_ = to if isinstance(to, NameAddr) else NameAddr(parse_sip_uri(to))
    return Bridge(provider, line, to_, from_ or NameAddr(ALICE), proxy, uses_gateway, protection, ())


def bridge(call: ParkedCall, decision: Bridge, gateway: str) -> None:
    call.bridge(format_dial_string(decision, GatewayName(gateway), "providers"))


@pytest.fixture(params=["udp", "tcp"])
def transport(request: pytest.FixtureRequest) -> str:
    value: str = request.param
    return value


@pytest.fixture(params=[True, False], ids=["gateway", "profile"])
def uses_gateway(request: pytest.FixtureRequest) -> bool:
    value: bool = request.param
    return value


def test_invite_is_the_decision(
    freeswitch: FreeSwitch, caller: SipPeer, callee: SipPeer, transport: str, uses_gateway: bool
) -> None:
    from_ = NameAddr(ALICE, "Zoé M, 2nd")
    decision = bridge_decision(callee, from_=from_, transport=transport, uses_gateway=uses_gateway)
    call = place_call(freeswitch, caller)
    bridge(call, decision, GATEWAY + transport)
    assert call.final_response().status == 200

    invite = callee.request("INVITE")
    assert invite.transport == transport
    assert invite.request_uri == "sip:bob@jabiru.example.org;user=phone"
    assert invite["To"] == "<sip:bob@jabiru.example.org;user=phone>"
    assert without_tag(invite["From"]) == '"Zoé M, 2nd" <sip:alice@jabiru.example.org>'
    assert invite["From"] != without_tag(invite["From"])
    assert invite["User-Agent"] == "sipbridge"
    assert [name for name in NEVER_SENT if name in invite] == []
    user = f"gw+{GATEWAY}{transport}" if uses_gateway else "mod_sofia"
    assert invite["Contact"].startswith(f"<sip:{user}@{freeswitch.providers}")
    assert (f";transport={transport}" in invite["Contact"]) or (transport == "udp" and not uses_gateway)
    call.send("BYE", caller.final_response(call.invite), cseq=2)
    call.ended()


def test_dialog_goes_on_over_the_same_transport(
    freeswitch: FreeSwitch, caller: SipPeer, callee: SipPeer, transport: str, uses_gateway: bool
) -> None:
    decision = bridge_decision(callee, transport=transport, uses_gateway=uses_gateway)
    call = place_call(freeswitch, caller)
    bridge(call, decision, GATEWAY + transport)
    call.final_response()
    invite = callee.request("INVITE")
    ack = callee.request("ACK")
    assert ack.transport == transport
    assert (ack["From"], ack["To"]) == (invite["From"], f"{invite['To']};tag=callee")

    bye = callee.send_as_callee("BYE", invite)
    assert callee.final_response(bye).transport == transport
    assert caller.request("BYE")["Call-ID"] == call.invite["Call-ID"]
    call.ended()


USERS = [
    "bob,1", "bo$b", "b;x", "b?x", "b&x", "b=x", "(b)", "b+1", "b/x", "~b*!", "b:pw", "bob%40home", "b%23", "u" * 300,
]  # fmt: skip
URIS = [
    *(f"sip:{user}@jabiru.example.org" for user in USERS),
    "sip:jabiru.example.org",
    "sip:bob@jabiru.example.org:5099",
    "sip:bob@[2001:db8::1]",
    "sip:bob@[2001:db8::1]:5070",
    "sips:bob@jabiru.example.org",
    "sip:bob@jabiru.example.org;a=x:y;b=[z];lr",
    "sip:bob@jabiru.example.org;transport=tcp",
    "sip:bob@jabiru.example.org;maddr=192.0.2.1",
    "sip:bob@jabiru.example.org;fs_path=sip:192.0.2.1",
    "sip:bob@jabiru.example.org;phone-context=+33",
]


@pytest.mark.parametrize("uri", URIS, ids=lambda uri: uri[:40])
def test_uri_arrives_as_it_is(freeswitch: FreeSwitch, caller: SipPeer, callee: SipPeer, uri: str) -> None:
    invite = _busy_call(freeswitch, caller, callee, uri, NameAddr(parse_sip_uri(uri)))
    assert invite.request_uri == uri
    assert invite["To"] == f"<{uri}>"
    assert without_tag(invite["From"]) == f"<{uri}>"


@pytest.mark.parametrize(
    ("uri", "arrives"),
    [
        pytest.param("sip:o'br'ien@j.example", "sip:o'br'ien@j.example", id="quotes are escaped and come back"),
        pytest.param("sip:b%27@j.example", "sip:b'@j.example", id="needless escapes are resolved"),
        pytest.param("sip:b%7c%ff@j.example", "sip:b%7C%FF@j.example", id="others are written in upper case"),
        pytest.param("sip:b%24%7bx%7d@j.example", "sip:b$%7Bx%7D@j.example", id="an escaped expansion is none"),
        pytest.param("sip:b@j.example;p=:_:", "sip:b@j.example;p=:_:", id="the enterprise separator"),
        pytest.param("sip:b@j.example?subject=x", "sip:b@j.example", id="headers are left out"),
    ],
)
def test_uri_arrives_as_an_equivalent_one(
    freeswitch: FreeSwitch, caller: SipPeer, callee: SipPeer, uri: str, arrives: str
) -> None:
    invite = _busy_call(freeswitch, caller, callee, uri, NameAddr(parse_sip_uri(uri)))
    assert invite.request_uri == arrives
    assert invite["To"] == f"<{arrives}>"


@pytest.mark.parametrize(
    ("name", "arrives"),
    [
        ("", None),
        ("A, B", "A, B"),
        ("日本 é", "日本 é"),
        ("%41 %s", "%41 %s"),
        ("[leg_timeout=3]a=b;c", "[leg_timeout=3]a=b;c"),
        ("&amp; (x) @", "&amp; (x) @"),
        ('the "boss"', r"the \"boss\""),
        ('An"n', r"An\"n"),
        ("O'Brien 'n' sons", "O'Brien 'n' sons"),
        ("\\'\\'", r"\\'\\'"),
        ("a\\b", r"a\\b"),
        ("CORP\\nancy\\tom\\sam\\rob", r"CORP\\nancy\\tom\\sam\\rob"),
        ('\\"\\\\', r"\\\"\\\\"),
        ("a|b'|", "a|b'|"),
        ("a <b> c^^,", "a <b> c^^,"),
        ("$$5 's", "$$5 's"),
        ("$$5", "$$5"),
        ("two  spaces", "two  spaces"),
        ("a :_: b", "a : : b"),
        ("${hostname}", "$ hostname"),
        ("${hostname}'s", "$ hostname 's"),
        ("x\r\nX-Forged: yes", "x X-Forged: yes"),
        ("n" * 900, "n" * 900),
    ],
    ids=lambda value: repr(value)[:25],
)
def test_display_name_arrives(
    freeswitch: FreeSwitch, caller: SipPeer, callee: SipPeer, name: str, arrives: str | None
) -> None:
    to = NameAddr(parse_sip_uri("sip:bob@jabiru.example.org"), name)
    invite = _busy_call(freeswitch, caller, callee, to, NameAddr(ALICE, name))
    quoted = "" if arrives is None else f'"{arrives}" '
    assert without_tag(invite["From"]) == f"{quoted}<{ALICE}>"
    assert invite["To"] == f"{quoted}<sip:bob@jabiru.example.org>"
    assert "X-Forged" not in invite


@pytest.mark.parametrize(
    ("media", "protocol", "attributes"),
    [
        pytest.param(MediaEncryption.NONE, "RTP/AVP", [], id="none"),
        pytest.param(MediaEncryption.SDES, "RTP/SAVP", [r"a=crypto:\d+ AES_CM_128_HMAC_SHA1_80 inline:"], id="sdes"),
        pytest.param(MediaEncryption.DTLS_SRTP, "RTP/SAVPF", ["a=fingerprint:sha-256 "], id="dtls-srtp"),
    ],
)
def test_offer_has_the_media_protection_and_no_other(
    freeswitch: FreeSwitch,
    caller: SipPeer,
    callee: SipPeer,
    media: MediaEncryption,
    protocol: str,
    attributes: list[str],
) -> None:
    callee.rule = BUSY
    call = place_call(freeswitch, caller)
    bridge(call, bridge_decision(callee, media=media), GATEWAY + "udp")
    assert call.final_response().status == 486
    call.ended()
    lines = callee.request("INVITE").body.splitlines()
    assert [line.split()[2] for line in lines if line.startswith("m=")] == [protocol]
    protection = [line for line in lines if line.startswith(("a=crypto:", "a=fingerprint:"))]
    assert len(protection) == len(attributes)
    for line, pattern in zip(protection, attributes, strict=True):
        assert re.match(pattern, line)


def test_challenged_invite_is_sent_again_with_the_gateways_credentials(
    freeswitch: FreeSwitch, caller: SipPeer, callee: SipPeer, transport: str
) -> None:
    name = f"sipbridge.challenged.{transport}"
    freeswitch.add_gateway(
        name,
        username="alice",
        auth_username="alice-auth",
        password="s3cret",
        realm=name,
        proxy="jabiru.example.org",
        outbound_proxy=f"sip:{callee.hostport}",
        register="false",
        register_transport=transport,
    )
    callee.rule = DigestProvider("jabiru", {"alice-auth": "s3cret"}).rule
    call = place_call(freeswitch, caller)
    bridge(call, bridge_decision(callee, transport=transport), name)
    assert call.final_response().status == 200
    first, second = callee.request("INVITE"), callee.request("INVITE", count=2)
    for header in ("From", "To", "Call-ID", "Contact"):
        assert second[header] == first[header]
    assert second.request_uri == first.request_uri
    assert 'username="alice-auth"' in second["Authorization"]
    call.send("BYE", caller.final_response(call.invite), cseq=2)
    call.ended()


def test_call_past_the_gateways_sends_nobodys_credentials(
    freeswitch: FreeSwitch, caller: SipPeer, callee: SipPeer
) -> None:
    """Without a gateway FreeSWITCH looks one up by the challenge's realm, whosever it is. Ours cannot be guessed."""
    freeswitch.add_gateway(
        "sipbridge.other",
        username="other",
        password="s3cret",
        realm="sipbridge.other",
        proxy="jabiru.example.org",
        outbound_proxy=f"sip:{callee.hostport}",
        register="false",
    )
    callee.rule = DigestProvider("jabiru.example.org", {"other": "s3cret"}).rule
    call = place_call(freeswitch, caller)
    bridge(call, bridge_decision(callee, uses_gateway=False), "")
    assert call.final_response().status == 480
    assert [one.start_line for one in callee.received if "Authorization" in one] == []
    call.ended()


def test_next_hop_that_is_not_there_is_503_at_once(freeswitch: FreeSwitch, caller: SipPeer, transport: str) -> None:
    with SipPeer() as gone:
        decision = bridge_decision(gone, transport=transport)
    call = place_call(freeswitch, caller)
    bridge(call, decision, GATEWAY + transport)
    assert call.final_response(timeout_s=3).status == 503
    call.ended()


def _busy_call(
    freeswitch: FreeSwitch, caller: SipPeer, callee: SipPeer, to: str | NameAddr, from_: NameAddr
) -> SipMessage:
    """Call a callee that is busy; the INVITE that it got."""
    callee.rule = BUSY
    call = place_call(freeswitch, caller)
    bridge(call, bridge_decision(callee, to, from_), GATEWAY + "udp")
    assert call.final_response().status == 486
    call.ended()
    return callee.request("INVITE")

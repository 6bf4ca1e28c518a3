"""Challenges and answers on their way through the edge: FreeSWITCH has no secret there, and knows MD5 only."""

from __future__ import annotations

from dataclasses import replace

import pytest

from support.digest import DigestProvider, answer_to, md5, sha256
from support.edge import Edge
from support.edge_gateway import EdgeGateway, GatewayMaker
from support.sip_message import sdp
from support.sip_peer import SipPeer
from support.sip_rule import Reply

USER = "alice-auth"
REALM = "another realm"
PASSWORD = "s3cret"
SECRETS = {"clear": PASSWORD, "md5": md5(USER, REALM, PASSWORD), "sha256": sha256(USER, REALM, PASSWORD)}
ALL = ("REGISTER", "INVITE", "BYE")


def asking(*algorithms: str, qop: bool = True, as_proxy: bool = True, password: str = PASSWORD) -> DigestProvider:
    return DigestProvider(REALM, {USER: password}, algorithms=algorithms, qop=qop, challenges=ALL, as_proxy=as_proxy)


def next_hop(provider: SipPeer, transport: str = "udp") -> str:
    return f"sip:{provider.hostport};transport={transport}"


@pytest.mark.parametrize("transport", ["udp", "tcp"])
@pytest.mark.parametrize("qop", [True, False], ids=["qop", "no-qop"])
@pytest.mark.parametrize(
    ("algorithm", "asked", "answered"),
    [
        pytest.param("clear", ("MD5",), "MD5", id="clear-md5"),
        pytest.param("clear", ("SHA-256",), "SHA-256", id="clear-sha256"),
        pytest.param("clear", ("SHA-256", "MD5"), "MD5", id="clear-both"),
        pytest.param("md5", ("MD5",), "MD5", id="md5-md5"),
        pytest.param("md5", ("SHA-256", "MD5"), "MD5", id="md5-both"),
        pytest.param("sha256", ("SHA-256",), "SHA-256", id="sha256-sha256"),
        pytest.param("sha256", ("SHA-256", "MD5"), "SHA-256", id="sha256-both"),
        pytest.param("sha256", ("MD5", "SHA-256"), "SHA-256", id="sha256-both-md5-first"),
    ],
)
def test_registers_and_unregisters(
    gateway: GatewayMaker,
    provider: SipPeer,
    edge: Edge,
    algorithm: str,
    asked: tuple[str, ...],
    answered: str,
    qop: bool,
    transport: str,
) -> None:
    registrar = asking(*asked, qop=qop)
    provider.rule = registrar.rule
    made = gateway(algorithm, SECRETS[algorithm], transport)
    registered = made.register()
    assert registered.final.status == 200
    assert f"algorithm={answered}," in provider.request("REGISTER", count=2)["Authorization"]
    assert provider.received[-1].request_uri == f"sip:jabiru.example.org;transport={transport}"
    binding = f"sip:gw+{made.name}@{edge.outside};transport={transport};gw={made.name}"
    assert registrar.bindings == {made.uri: binding}
    assert registered.final["Contact"] == f"{made.contact};expires=3600"
    assert made.register(expires=0).final.status == 200
    assert registrar.bindings == {}


@pytest.mark.parametrize("as_proxy", [True, False], ids=["407", "401"])
@pytest.mark.parametrize("qop", [True, False], ids=["qop", "no-qop"])
@pytest.mark.parametrize(
    ("algorithm", "asked"),
    [("clear", "MD5"), ("clear", "SHA-256"), ("md5", "MD5"), ("sha256", "SHA-256")],
)
def test_calls_and_hangs_up(
    gateway: GatewayMaker, provider: SipPeer, algorithm: str, asked: str, qop: bool, as_proxy: bool
) -> None:
    registrar = asking(asked, qop=qop, as_proxy=as_proxy)
    provider.rule = registrar.rule
    made = gateway(algorithm, SECRETS[algorithm])
    call = made.call(made.invite(next_hop(provider)))
    assert call.final.status == 200
    # An ACK has the credentials of its INVITE, and they are right again.
    header = "Proxy-Authorization" if as_proxy else "Authorization"
    ack = provider.wait_for(lambda one: one.method == "ACK" and header in one)
    assert ack[header] == provider.request("INVITE", count=2)[header]
    assert made.send_within_dialog("BYE", call, cseq=3).final.status == 200
    assert registrar.accepts(provider.request("BYE", count=2))


def test_no_wrong_credentials_while_the_table_is_empty(gateway: GatewayMaker, provider: SipPeer) -> None:
    """Kamailio has been started again in the middle of a call."""
    provider.rule = asking("MD5").rule
    made = gateway("md5", SECRETS["md5"])
    call = made.call(made.invite(next_hop(provider)))
    made.edge.delete_account(made.name)
    credentials = call.request["Proxy-Authorization"]
    made.send(made.within_dialog("BYE", call, cseq=3).with_header("Proxy-Authorization", credentials))
    assert "Proxy-Authorization" not in provider.request("BYE")


@pytest.mark.parametrize("asked", ["MD5", "SHA-256"])
def test_bye_is_challenged_under_the_name_of_the_gateway(gateway: GatewayMaker, provider: SipPeer, asked: str) -> None:
    """By which FreeSWITCH finds its gateway; it answers an older challenge at the same time."""
    registrar = asking(asked)
    provider.rule = registrar.rule
    made = gateway("clear", PASSWORD)
    call = made.call(made.invite(next_hop(provider)))
    made.send(made.within_dialog("BYE", call, cseq=3))
    challenged = made.freeswitch.wait_for(
        lambda one: one.status == 407 and one["CSeq"] == "3 BYE" and one["Call-ID"] == call.request["Call-ID"]
    )
    assert f'realm="{made.name}"' in challenged["Proxy-Authenticate"]
    bye = made.within_dialog("BYE", call, cseq=4)
    old = call.request["Proxy-Authorization"]
    new = answer_to(challenged["Proxy-Authenticate"], USER, "wrong", "BYE", bye.request_uri)
    made.send(replace(bye, headers=(*bye.headers, ("Proxy-Authorization", old), ("Proxy-Authorization", new))))
    arrived = provider.wait_for(lambda one: one["CSeq"] == "4 BYE")
    assert len(arrived.values("Proxy-Authorization")) == 1
    assert registrar.accepts(arrived)


def test_challenges_of_two_realms_are_both_answered(gateway: GatewayMaker, provider: SipPeer) -> None:
    """Each realm has a header of its own; what was asked for with SHA-256 is told apart for each."""
    made = gateway("clear", PASSWORD)
    challenges = (
        'Digest realm="one", nonce="1", algorithm=SHA-256',
        'Digest realm="two", nonce="2", algorithm="SHA-256"',
    )
    provider.rule = lambda request: [Reply(407, "Who", {"Proxy-Authenticate": challenges})]
    made.send(made.invite(next_hop(provider)))
    challenged = made.freeswitch.wait_for(lambda one: one.status == 407 and '"one"' in one["Proxy-Authenticate"])
    assert challenged.values("Proxy-Authenticate") == [
        'Digest realm="one", nonce="sha-256:1", algorithm=MD5',
        'Digest realm="two", nonce="sha-256:2", algorithm=MD5',
    ]


@pytest.mark.parametrize(
    "password",
    ["with | bars | in it", 'with "quotes" and \\', "with : colons:", "ключ", "long " * 200, "$var(secret) %u $$"],
)
@pytest.mark.parametrize("asked", ["MD5", "SHA-256"])
def test_password_is_taken_as_it_is(gateway: GatewayMaker, provider: SipPeer, password: str, asked: str) -> None:
    provider.rule = asking(asked, password=password).rule
    assert gateway("clear", password).register().final.status == 200


def test_user_name_is_taken_as_it_is(freeswitch: SipPeer, gateway: GatewayMaker, provider: SipPeer) -> None:
    name = 'al"ice, \\ nonce=x'
    provider.rule = DigestProvider(REALM, {name: PASSWORD}).rule
    made = gateway("clear", PASSWORD)
    quoted = name.replace("\\", "\\\\").replace('"', '\\"')
    assert EdgeGateway(freeswitch, made.edge, made.name, auth_username=quoted).register().final.status == 200


def test_wrong_hash_fails_with_the_reason_of_the_registrar(gateway: GatewayMaker, provider: SipPeer) -> None:
    provider.rule = asking("MD5").rule
    final = gateway("md5", md5(USER, REALM, "wrong")).register().final
    assert (final.status, final.start_line) == (403, "SIP/2.0 403 Forbidden")


@pytest.mark.parametrize(("algorithm", "asked"), [("md5", "SHA-256"), ("sha256", "MD5"), ("clear", "SHA-512-256")])
def test_secret_that_cannot_answer_is_told(
    gateway: GatewayMaker, provider: SipPeer, algorithm: str, asked: str
) -> None:
    challenge = f'Digest realm="{REALM}", nonce="1", algorithm={asked}'
    provider.rule = lambda request: [Reply(401, "Unauthorized", {"WWW-Authenticate": challenge})]
    final = gateway(algorithm, SECRETS[algorithm]).register().final
    assert final.start_line == f"SIP/2.0 403 Challenge Is Not For Secret Of Type {algorithm}"
    assert "WWW-Authenticate" not in final
    assert [one.method for one in provider.received] == ["REGISTER"]


def test_account_without_a_secret_is_left_alone(gateway: GatewayMaker, provider: SipPeer) -> None:
    challenge = f'Digest realm="{REALM}", nonce="1", algorithm=MD5'
    provider.rule = lambda request: [Reply(401, "Unauthorized", {"WWW-Authenticate": challenge})]
    made = gateway("none")
    final = made.register().final
    assert final["WWW-Authenticate"] == challenge
    first, second = provider.request("REGISTER"), provider.request("REGISTER", count=2)
    assert "Authorization" not in first
    expected = md5(md5(USER, REALM, "not the secret"), "1", md5("REGISTER", first.request_uri))
    assert f'response="{expected}"' in second["Authorization"]


def test_stranger_in_a_dialog_gets_no_digest(gateway: GatewayMaker, provider: SipPeer) -> None:
    """Where the provider's proxy stays out of the dialog, the callee's telephone may ask for a digest to guess from."""
    made = gateway("md5", SECRETS["md5"])
    with SipPeer(ip="127.9.9.9") as callee:
        provider.rule = lambda request: [Reply(200, "OK", {"Contact": f"<sip:callee@{callee.hostport}>"})]
        call = made.call(made.invite(next_hop(provider)))
        challenge = f'Digest realm="{REALM}", nonce="mine", algorithm=MD5'
        callee.rule = lambda request: [Reply(407, "Who Are You", {"Proxy-Authenticate": challenge})]
        final = made.send_within_dialog("BYE", call, cseq=2).final
        assert callee.request("BYE")
    assert final.status == 407
    assert "Proxy-Authenticate" not in final
    assert [one for one in callee.received if "Proxy-Authorization" in one] == []


@pytest.mark.parametrize("registered", [True, False], ids=["from-the-registrar", "from-a-stranger"])
def test_challenge_to_the_callee_of_a_call(
    gateway: GatewayMaker, freeswitch: SipPeer, provider: SipPeer, edge: Edge, registered: bool
) -> None:
    """FreeSWITCH hangs up a call that came in; only who has the account may ask who it is."""
    registrar = asking("MD5")
    provider.rule = registrar.rule
    made = gateway("md5", SECRETS["md5"])
    assert made.register().final.status == 200
    with SipPeer(registrar.rule, ip="127.0.0.1" if registered else "127.9.9.9") as caller:
        invite = caller.new_request(
            "INVITE", registrar.bindings[made.uri], from_="<sip:bob@far>", to=f"<{made.uri}>", body=sdp()
        )
        caller.send(invite, edge.outside)
        caller.final_response(invite)
        arrived = freeswitch.wait_for(lambda one: one.method == "INVITE" and one["Call-ID"] == invite["Call-ID"])
        made.as_callee("BYE", arrived)
        byes = [one for one in caller.received if one.method == "BYE" and "Proxy-Authorization" in one]
        assert [registrar.accepts(bye) for bye in byes] == ([True] if registered else [False])

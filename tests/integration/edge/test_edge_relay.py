"""Accounts that register and call through the edge, in a real FreeSWITCH; the table is filled by the test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from edge_account import DOMAIN, Account, add_account

from support import edge as edge_program
from support.digest import DigestProvider, md5, sha256
from support.edge import Edge
from support.freeswitch import FreeSwitch
from support.sip_message import SipMessage, sdp
from support.sip_peer import SipPeer

pytestmark = pytest.mark.skipif(edge_program.PROGRAM is None, reason="no kamailio on the PATH")

REALM = "realm of jabiru"
PASSWORD = "s3cret:with|more"
ALL = ("REGISTER", "INVITE", "BYE")


@pytest.fixture(scope="module")
def edge(freeswitch: FreeSwitch, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    with Edge(tmp_path_factory.mktemp("edge"), freeswitch.providers) as edge:
        edge.rpc("htable.sets", "account", "sipbridge.epoch", "of a test")
        yield edge


@pytest.fixture
def provider() -> Iterator[SipPeer]:
    with SipPeer() as peer:
        yield peer


@pytest.mark.parametrize(
    ("algorithm", "asked", "transport", "user"),
    [
        pytest.param("md5", ("MD5",), "udp", "alice", id="ha1"),
        pytest.param("md5", ("SHA-256", "MD5"), "tcp", "other-userid", id="ha1-both-offered"),
        pytest.param("sha256", ("SHA-256",), "tcp", "alice", id="sha256"),
        pytest.param("sha256", ("MD5", "SHA-256"), "udp", "other-userid", id="sha256-both-offered"),
        pytest.param("clear", ("MD5",), "udp", "other-userid", id="clear"),
        pytest.param("clear", ("SHA-256",), "tcp", "alice", id="clear-sha256-only"),
    ],
)
def test_registers_refreshes_calls_hangs_up_and_unregisters(
    freeswitch: FreeSwitch,
    edge: Edge,
    provider: SipPeer,
    caller: SipPeer,
    algorithm: str,
    asked: tuple[str, ...],
    transport: str,
    user: str,
) -> None:
    registrar = DigestProvider(REALM, {user: PASSWORD}, algorithms=asked, challenges=ALL, as_proxy=True, granted_s=3)
    provider.rule = registrar.rule
    secret = {"md5": md5(user, REALM, PASSWORD), "sha256": sha256(user, REALM, PASSWORD), "clear": PASSWORD}[algorithm]
    made = add_account(freeswitch, edge, provider, algorithm, secret, transport, user)
    made.state("REGED")
    contact = f"sip:gw+{made.gateway}@{edge.outside};transport={transport};gw={made.gateway}"
    assert registrar.bindings == {f"sip:alice@{DOMAIN}": contact}

    # A refresh: it lasts for three seconds only.
    refresh = provider.wait_for(
        lambda one: one.method == "REGISTER" and "Authorization" in one and one["CSeq"] != accepted(provider)["CSeq"],
        timeout_s=40,
    )
    assert registrar.accepts(refresh)

    call = made.call(caller)
    final = call.final_response(20)
    assert final.status == 200
    invite = provider.wait_for(lambda one: one.method == "INVITE" and "Proxy-Authorization" in one)
    assert registrar.accepts(invite)
    assert invite["Contact"] == f"<{contact}>"
    assert [name for name, _ in invite.headers if name.startswith("X-")] == []
    call.send("BYE", final, cseq=2)
    call.ended(20)
    bye = provider.wait_for(lambda one: one.method == "BYE" and "Proxy-Authorization" in one)
    assert registrar.accepts(bye)

    made.remove()
    assert registrar.bindings == {}


def accepted(provider: SipPeer) -> SipMessage:
    """The first REGISTER with credentials."""
    return provider.wait_for(lambda one: one.method == "REGISTER" and "Authorization" in one)


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
@pytest.mark.parametrize("challenges", [("REGISTER", "BYE"), ALL], ids=["bye-alone", "bye-once-more"])
def test_bye_is_challenged(
    freeswitch: FreeSwitch,
    edge: Edge,
    provider: SipPeer,
    caller: SipPeer,
    challenges: tuple[str, ...],
    algorithm: str,
) -> None:
    """FreeSWITCH alone would give up: the call is over for it, and it knows no gateway any more.

    It loses an answer that comes just when the thread of the call ends, three in a hundred.
    """
    registrar = DigestProvider(REALM, {"alice": PASSWORD}, algorithms=(algorithm,), challenges=challenges, once=True)
    provider.rule = registrar.rule
    made = add_account(freeswitch, edge, provider, "clear", PASSWORD, "udp", "alice")
    made.state("REGED")
    assert any(_bye_is_accepted(made, caller, provider, registrar) for _ in range(4))
    made.remove()


def _bye_is_accepted(made: Account, caller: SipPeer, provider: SipPeer, registrar: DigestProvider) -> bool:
    """Make a call and hang up; whether the provider, which has refused a BYE, gets a right one."""
    before = len(provider.received)
    call = made.call(caller)
    final = call.final_response(20)
    call.send("BYE", final, cseq=2)
    call.ended(20)
    refused = provider.request("BYE", since=before, timeout_s=20)
    try:
        bye = provider.wait_for(
            lambda one: one.method == "BYE" and one["CSeq"] != refused["CSeq"], since=before, timeout_s=10
        )
    except TimeoutError:
        return False
    return registrar.accepts(bye)


def test_wrong_hash_fails_with_the_reason_of_the_registrar(
    freeswitch: FreeSwitch, edge: Edge, provider: SipPeer
) -> None:
    provider.rule = DigestProvider(REALM, {"alice": PASSWORD}).rule
    made = add_account(freeswitch, edge, provider, "md5", md5("alice", DOMAIN, PASSWORD), "udp", "alice")
    failed = made.state("FAILED")
    assert (failed["Status"], failed["Phrase"]) == ("403", "Forbidden")
    made.remove()


def test_secret_that_cannot_answer_is_told(freeswitch: FreeSwitch, edge: Edge, provider: SipPeer) -> None:
    provider.rule = DigestProvider(REALM, {"alice": PASSWORD}, algorithms=("SHA-256",)).rule
    made = add_account(freeswitch, edge, provider, "md5", md5("alice", REALM, PASSWORD), "udp", "alice")
    failed = made.state("FAILED")
    assert (failed["Status"], failed["Phrase"]) == ("403", "Challenge Is Not For Secret Of Type md5")
    made.remove()


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_call_from_the_provider(
    freeswitch: FreeSwitch, edge: Edge, provider: SipPeer, callee: SipPeer, transport: str
) -> None:
    """To the contact that was registered."""
    registrar = DigestProvider(REALM, {"alice": PASSWORD})
    provider.rule = registrar.rule
    made = add_account(freeswitch, edge, provider, "clear", PASSWORD, transport, "alice")
    made.state("REGED")
    invite = provider.new_request(
        "INVITE",
        registrar.bindings[f"sip:alice@{DOMAIN}"],
        from_="<sip:bob@far.example.org>",
        to=f"<sip:alice@{DOMAIN}>",
        transport=transport,
        headers=[("X-Sipbridge-Next-Hop", "sip:127.0.0.1:9")],
        body=sdp(),
    )
    provider.send(invite, edge.outside, transport)
    parked = freeswitch.event_socket.event(
        lambda one: one["Event-Name"] == "CHANNEL_PARK" and one["variable_sip_call_id"] == invite["Call-ID"]
    )
    assert parked["variable_sip_gateway"] == made.gateway
    assert [name for name in parked if "sipbridge-next-hop" in name.lower()] == []
    dial_string = f"{{^^|sip_route_uri=sip:{callee.hostport}|sip_cid_type=none}}sofia/inside/sip:alice@flexisip"
    freeswitch.event_socket.execute(parked["Unique-ID"], "bridge", dial_string)
    final = provider.final_response(invite, timeout_s=20)
    assert final.status == 200
    assert final["Contact"] == f"<sip:alice@{edge.outside};transport={transport}>"
    routes = [("Route", route) for route in final.values("Record-Route")[::-1]]
    ack = provider.within_dialog("ACK", invite, final, headers=routes, transport=transport)
    provider.send(ack, edge.outside, transport)
    callee.request("ACK")
    callee.send_as_callee("BYE", callee.request("INVITE"))
    assert provider.request("BYE", timeout_s=20)["Call-ID"] == invite["Call-ID"]
    made.remove()

"""SDP that ends FreeSWITCH: from strangers, callers, calling and answering providers, directly and through the edge.

Each kind was seen to end it: `test_what_is_tried_would_end_it` shows that, without what protects it. In all other tests
FreeSWITCH lives, and another call goes on.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import jabiru
import pytest
from jabiru import Call, TwoDomains, two_domains

from sipbridge.core.freeswitch.changes import Change
from support.bridge import Bridge
from support.digest import DigestProvider
from support.edge import PROGRAM as KAMAILIO
from support.edge import Edge
from support.freeswitch import CONFIGURATION, FreeSwitch, has, parking_freeswitch
from support.malformed_sdp import CARRIED, DEADLY, MALFORMED
from support.parked_call import place_call
from support.processes import wait_until
from support.sip_message import sdp
from support.sip_peer import SipPeer
from support.sip_rule import answers

OF_1_10 = {"an empty key", "a blank before the key", "an empty second key"}
# sofia-sip leaves this line out of the offer that it keeps, and that the controller and FreeSWITCH read.
OFFERS = {name: body for name, body in MALFORMED.items() if name != "a codec without a name"}
# sofia-sip itself answers with 400.
SOUND = {name: body for name, body in CARRIED.items() if name != "blanks at the ends of lines"}
BEFORE_ANYBODY_DECIDES = {"a ptime without a value", "a codec without a name"}
SDES = {"sipbridge_caller_sdes": "optional"}


@pytest.fixture(scope="module")
def switch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FreeSwitch]:
    switch = FreeSwitch(tmp_path_factory.mktemp("malformed") / "fs", **SDES)
    yield switch
    switch.kill()


@pytest.fixture(scope="module")
def domains(switch: FreeSwitch, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwoDomains]:
    with two_domains(switch, tmp_path_factory.mktemp("bridge")) as domains:
        yield domains


@pytest.fixture
def another_call(domains: TwoDomains) -> Iterator[Call]:
    """A call that goes on; when the test is over it still does."""
    call = domains.call_out()
    assert call.answer.status == 200
    yield call
    assert domains.freeswitch.is_running
    call.hang_up()


@pytest.mark.parametrize("body", OFFERS.values(), ids=OFFERS)
@pytest.mark.parametrize("side", ["inside", "providers"])
def test_a_malformed_offer_gets_488_and_nobody_is_called(
    domains: TwoDomains, another_call: Call, side: str, body: str
) -> None:
    callee = domains.jabiru if side == "inside" else domains.proxy
    heard = len(callee.received)
    call = domains.call_out(body=body) if side == "inside" else domains.call_in(body=body)
    # 400: sofia-sip's own grammar.
    assert call.answer.status in (400, 488)
    assert [one for one in callee.received[heard:] if one.method == "INVITE"] == []


@pytest.mark.parametrize("side", ["inside", "providers"])
def test_the_reason_is_in_the_log_and_the_metrics(domains: TwoDomains, side: str) -> None:
    body = DEADLY["an empty key"]
    call = domains.call_out(body=body) if side == "inside" else domains.call_in(body=body)
    assert call.answer.status == 488
    wait_until("it is logged", lambda: "a=crypto: the key has 0 octets" in domains.bridge.log())
    assert 'reason="malformed-offer"' in domains.bridge.get("/metrics")[1]


# One for IPv6 alone is well-formed, and of no use on IPv4: tests/integration/calls/test_offers.py.
REACHABLE = {name: body for name, body in SOUND.items() if name != "ipv6"}


@pytest.mark.parametrize("body", REACHABLE.values(), ids=REACHABLE)
def test_a_sound_offer_reaches_the_callee(domains: TwoDomains, another_call: Call, body: str) -> None:
    heard = len(domains.jabiru.received)
    call = domains.call_out(body=body)
    assert [one.method for one in domains.jabiru.received[heard:]][:1] == ["INVITE"]
    if call.answer.status == 200:
        call.hang_up()


@pytest.mark.parametrize("body", DEADLY.values(), ids=DEADLY)
def test_a_stranger_gets_403(domains: TwoDomains, another_call: Call, body: str) -> None:
    with SipPeer() as stranger:
        invite = stranger.new_request("INVITE", "sip:bob@x", from_="<sip:a@x>", to="<sip:bob@x>", body=body)
        stranger.send(invite, domains.freeswitch.providers)
        assert stranger.final_response(invite).status in (400, 403)


@pytest.fixture(scope="module")
def behind_the_edge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[TwoDomains, Edge]]:
    """The same provider, with all its accounts through the edge, and SDES."""
    provider = DigestProvider(jabiru.DOMAIN, jabiru.PASSWORDS)
    with ExitStack() as stack:
        switch = FreeSwitch(tmp_path_factory.mktemp("malformed") / "fs", **SDES)
        stack.callback(switch.kill)
        far, proxy = stack.enter_context(SipPeer(provider.rule)), stack.enter_context(SipPeer())
        edge = stack.enter_context(Edge(tmp_path_factory.mktemp("edge"), switch.providers))
        file = jabiru.providers_file(far.hostport, proxy.hostport, "udp")
        file["providers"][0]["outgoingInvite"]["mediaEncryption"] = "sdes"
        at = f'address = "{edge.inside}"\nrpc_socket = "{edge.rpc_socket}"'
        settings = f'[edge]\nenabled = true\naccounts = "all"\n{at}'
        bridge = Bridge(tmp_path_factory.mktemp("bridge"), switch, file, more_settings=settings)
        stack.callback(bridge.kill)
        bridge.wait_for_status(jabiru.ALICE, "OK")
        yield TwoDomains(switch, bridge, far, provider, proxy, "udp"), edge


@pytest.mark.skipif(KAMAILIO is None, reason="no kamailio on the PATH")
@pytest.mark.parametrize("body", DEADLY.values(), ids=DEADLY)
def test_a_malformed_answer_through_the_edge_fails_its_call_alone(
    behind_the_edge: tuple[TwoDomains, Edge], body: str
) -> None:
    domains, _ = behind_the_edge
    domains.provider.callee = answers(body=body)
    heard = len(domains.jabiru.received)
    call = domains.call_out()
    domains.provider.callee = answers()
    assert call.answer.status >= 400
    domains.jabiru.request("BYE", since=heard)
    assert domains.freeswitch.is_running


@pytest.mark.skipif(KAMAILIO is None, reason="no kamailio on the PATH")
@pytest.mark.parametrize("body", DEADLY.values(), ids=DEADLY)
def test_a_malformed_offer_of_a_provider_within_a_call_is_refused_at_the_edge(
    behind_the_edge: tuple[TwoDomains, Edge], body: str
) -> None:
    domains, edge = behind_the_edge
    far, address = domains.jabiru, f"<{jabiru.ALICE}>"
    invite = far.new_request(
        "INVITE", domains.provider.bindings[jabiru.ALICE], from_="<sip:b@c>", to=address, body=sdp()
    )
    far.send(invite, edge.outside)
    call = domains.outcome(far, edge.outside, invite)
    assert call.answer.status == 200
    routes = [("Route", one) for one in call.answer.values("Record-Route")[::-1]]
    again = call.send("INVITE", cseq=2, headers=routes, body=body)
    assert far.final_response(again).status == 488
    assert domains.freeswitch.is_running
    bye = call.send("BYE", cseq=9, headers=routes)
    assert far.final_response(bye).status == 200


@pytest.mark.parametrize("body", [DEADLY[name] for name in sorted(OF_1_10)], ids=sorted(OF_1_10))
@pytest.mark.skipif(not has(Change.CHECKS_SDES_KEYS), reason="ends FreeSWITCH before 1.11.2, whatever we do")
def test_an_answer_with_a_malformed_key_ends_no_newer_freeswitch(tmp_path: Path, body: str) -> None:
    """Straight from a provider with SDES, where nothing is between it and FreeSWITCH."""
    with parking_freeswitch(tmp_path / "fs") as switch, SipPeer() as caller, SipPeer(answers(body=body)) as callee:
        call = place_call(switch, caller)
        variables = f"sip_route_uri=sip:{callee.hostport}|rtp_secure_media=mandatory:AES_CM_128_HMAC_SHA1_80"
        call.bridge(f"{{^^|{variables}}}sofia/providers/sip:bob@jabiru")
        callee.request("ACK")
        assert switch.is_running
        assert switch.event_socket.api("status").startswith("UP")


def test_what_is_tried_would_end_it(tmp_path: Path) -> None:
    """The counter-check, without the controller and with a list of codecs in the profile, as it was."""
    add = tmp_path / "add/sip_profiles"
    add.mkdir(parents=True)
    text = (CONFIGURATION / "sip_profiles/common.inc").read_text()
    (add / "common.inc").write_text(text.replace("none-until-checked", "$${sipbridge_codecs}"))
    for number, (what, body) in enumerate(DEADLY.items()):
        parking = parking_freeswitch(tmp_path / str(number), add.parent, **SDES)
        with parking as switch, SipPeer() as caller, SipPeer() as callee:
            if what in BEFORE_ANYBODY_DECIDES:
                invite = caller.new_request("INVITE", "sip:bob@x", from_="<sip:a@x>", to="<sip:b@x>", body=body)
                caller.send(invite, switch.providers)
            else:
                place_call(switch, caller, body=body).bridge_to(callee)
            ends = what not in OF_1_10 or not has(Change.CHECKS_SDES_KEYS)
            if ends:
                wait_until(f"{what} ends it", lambda switch=switch: not switch.is_running)  # type: ignore[misc]
            else:
                callee.request("INVITE")
                assert switch.is_running, what

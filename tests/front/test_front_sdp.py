"""SDP that would end FreeSWITCH does not pass the front, in neither direction."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.edge import some_ip
from support.front import NUMBER, Front, Phone, calls_to
from support.malformed_sdp import CARRIED, MALFORMED
from support.sip_message import sdp
from support.sip_peer import SipPeer
from support.sip_rule import answers


@pytest.mark.parametrize("body", MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_offer_reaches_no_bridge(
    shared_front: Front, shared_bridge: SipPeer, shared_bob: Phone, body: str
) -> None:
    calls = len(calls_to(shared_bridge))
    assert shared_bob.outcome(shared_bob.call(NUMBER, body=body)).status == 488
    assert len(calls_to(shared_bridge)) == calls


@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
def test_a_malformed_offer_within_a_call_reaches_no_bridge(
    shared_front: Front, shared_bridge: SipPeer, shared_bob: Phone, method: str
) -> None:
    invite = shared_bob.call(NUMBER)
    final = shared_bob.outcome(invite)
    arrived = len(shared_bridge.received)
    for cseq, body in enumerate(MALFORMED.values(), 10):
        assert shared_bob.send_within_dialog(method, invite, final, cseq, body).status == 488
    assert [one for one in shared_bridge.received[arrived:] if one.method == method] == []
    assert shared_bob.send_within_dialog(method, invite, final, 99, sdp()).status == 200
    assert shared_bob.hang_up(invite, final) == 200


@pytest.mark.parametrize("body", MALFORMED.values(), ids=MALFORMED)
def test_an_answer_goes_on_without_its_malformed_sdp(
    shared_front: Front, shared_bridge: SipPeer, shared_bob: Phone, body: str
) -> None:
    shared_bridge.rule = answers(body=body)
    final = shared_bob.outcome(shared_bob.call(NUMBER))
    shared_bridge.rule = answers()
    assert (final.status, final.body) == (200, "")


@pytest.mark.parametrize("body", CARRIED.values(), ids=CARRIED)
def test_a_sound_offer_and_answer_pass_unchanged(
    shared_front: Front, shared_bridge: SipPeer, shared_bob: Phone, body: str
) -> None:
    shared_bridge.rule = answers(body=body)
    final = shared_bob.outcome(shared_bob.call(NUMBER, body=body))
    shared_bridge.rule = answers()
    assert (final.status, final.body) == (200, body)
    assert [one for one in shared_bridge.received if one.method == "INVITE"][-1].body == body


def test_the_edge_and_the_front_check_alike() -> None:
    freeswitch = Path(__file__).parents[2] / "freeswitch"
    assert (freeswitch / "front/sdp.cfg").read_text() == (freeswitch / "edge/sdp.cfg").read_text()


@pytest.fixture(scope="module")
def shared_bridge() -> Iterator[SipPeer]:
    with SipPeer(ip=some_ip()) as bridge:
        yield bridge


@pytest.fixture(scope="module")
def shared_front(shared_bridge: SipPeer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    limits = {"CALLS_PER_MINUTE": "1000", "FLOOD_REQUESTS": "1000"}
    front = Front(tmp_path_factory.mktemp("front"), [shared_bridge.hostport], ["bob"], limits)
    try:
        front.wait_for_bridges(shared_bridge.hostport)
        yield front
    finally:
        front.kill()


@pytest.fixture(scope="module")
def shared_bob(shared_front: Front) -> Iterator[Phone]:
    with Phone(shared_front, "bob") as phone:
        yield phone

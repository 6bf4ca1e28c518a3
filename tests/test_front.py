"""The Kamailio in front of the bridges, without a FreeSWITCH: who may do what, and which bridge a call goes to.

Bridges are peers on addresses of their own, as in earnest.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from support import kamailio
from support.edge import some_ip
from support.front import DOMAIN, Front, Phone
from support.malformed_sdp import CARRIED, MALFORMED
from support.processes import wait_until
from support.sip_message import SipMessage, sdp
from support.sip_peer import SipPeer
from support.sip_rule import Reply, Rule, answers, replies

pytestmark = pytest.mark.skipif(kamailio.PROGRAM is None, reason="no kamailio on the PATH")

NUMBER = f"sip:+33612345678@{DOMAIN};user=phone"


@pytest.fixture
def bridges() -> Iterator[list[SipPeer]]:
    with SipPeer(ip=some_ip()) as one, SipPeer(ip=some_ip()) as two:
        yield [one, two]


@pytest.fixture
def front(bridges: list[SipPeer], tmp_path: Path) -> Iterator[Front]:
    front = Front(tmp_path / "front", [bridge.hostport for bridge in bridges], ["alice", "bob"])
    try:
        front.wait_for_bridges(*(bridge.hostport for bridge in bridges))
        yield front
    finally:
        front.kill()


@pytest.fixture
def alice(front: Front) -> Iterator[Phone]:
    with Phone(front, "alice") as phone:
        yield phone


@pytest.fixture
def bob(front: Front) -> Iterator[Phone]:
    with Phone(front, "bob") as phone:
        yield phone


def probed_only(request: SipMessage) -> Iterable[Reply]:
    """A bridge that says it takes calls, and then says nothing."""
    return [Reply(200, "OK")] if request.method == "OPTIONS" else []


def refuses_calls(request: SipMessage) -> Iterable[Reply]:
    """A bridge that has been drained since it was asked."""
    return [Reply(200, "OK") if request.method == "OPTIONS" else Reply(503, "Service Unavailable")]


def drained(_request: SipMessage) -> Iterable[Reply]:
    """A bridge that takes no calls, and says so."""
    return [Reply(503, "Maximum Calls In Progress")]


def calls_to(bridge: SipPeer) -> list[str]:
    return [one.request_uri for one in bridge.received if one.method == "INVITE"]


def test_configuration_as_it_comes_is_accepted(tmp_path: Path) -> None:
    file = Path(__file__).parents[1] / "freeswitch/front/kamailio.cfg"
    done = subprocess.run(
        [kamailio.PROGRAM or "kamailio", "-c", "-f", str(file), "-Y", str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr


def test_bridges_take_turns(front: Front, bridges: list[SipPeer], bob: Phone) -> None:
    assert [bob.outcome(bob.call(NUMBER)).status for _ in range(4)] == [200] * 4
    assert [calls_to(bridge) for bridge in bridges] == [[NUMBER] * 2] * 2


def test_bridge_is_not_asked_to_replace_a_call(front: Front, bridges: list[SipPeer], bob: Phone) -> None:
    replaces = [("Replaces", "a-call-of-others;to-tag=a;from-tag=b")]
    assert bob.outcome(bob.call(NUMBER, headers=replaces)).status == 200
    (invite,) = [one for bridge in bridges for one in bridge.received if one.method == "INVITE"]
    assert "Replaces" not in invite


def test_drained_bridge_gets_no_calls_until_it_takes_some_again(
    front: Front, bridges: list[SipPeer], bob: Phone
) -> None:
    bridges[0].rule = drained
    front.wait_for_bridges(bridges[1].hostport)
    assert [bob.outcome(bob.call(NUMBER)).status for _ in range(3)] == [200] * 3
    assert [len(calls_to(bridge)) for bridge in bridges] == [0, 3]
    bridges[0].rule = answers()
    front.wait_for_bridges(*(bridge.hostport for bridge in bridges))
    assert [bob.outcome(bob.call(NUMBER)).status for _ in range(2)] == [200] * 2
    assert [len(calls_to(bridge)) for bridge in bridges] == [1, 4]


@pytest.mark.parametrize("rule", [refuses_calls, probed_only], ids=["503", "silence"])
def test_call_goes_to_the_other_bridge(front: Front, bridges: list[SipPeer], bob: Phone, rule: Rule) -> None:
    bridges[0].rule = rule
    assert [bob.outcome(bob.call(NUMBER)).status for _ in range(2)] == [200] * 2
    assert len(calls_to(bridges[1])) == 2
    assert len(calls_to(bridges[0])) > 0


def test_what_the_provider_says_is_no_reason_to_try_another(front: Front, bridges: list[SipPeer], bob: Phone) -> None:
    for bridge in bridges:
        bridge.rule = lambda request: [Reply(200, "OK") if request.method == "OPTIONS" else Reply(486, "Busy Here")]
    assert bob.outcome(bob.call(NUMBER)).status == 486
    assert sum(len(calls_to(bridge)) for bridge in bridges) == 1


def test_no_bridge_left_is_503(front: Front, bridges: list[SipPeer], bob: Phone) -> None:
    for bridge in bridges:
        bridge.rule = drained
    front.wait_for_bridges()
    assert bob.outcome(bob.call(NUMBER)).status == 503


def test_call_from_a_bridge_reaches_the_phone_and_never_a_number(
    front: Front, bridges: list[SipPeer], alice: Phone
) -> None:
    assert alice.register(f"<sip:alice@{alice.hostport}>;q=1", f"<{NUMBER}>;q=0.1") == 200
    alice.rule = lambda _: [Reply(486, "Busy Here")]
    bridge = bridges[0]
    for to, status in ((alice.address, 480), (NUMBER, 403)):
        invite = bridge.new_request("INVITE", to, from_="<sip:+33199999999@pstn>", to=f"<{to}>", body=sdp())
        bridge.send(invite, front.hostport)
        assert bridge.final_response(invite, timeout_s=20).status == status
    assert len(calls_to(alice)) == 1
    assert [calls_to(bridge) for bridge in bridges] == [[], []]


# How many contacts somebody has


QS = {0: [], 1: [1.0], 2: [1.0, 0.5], 5: [1.0, 0.8, 0.8, 0.5, 0.1]}


@pytest.mark.parametrize("with_q", [True, False], ids=["with-q", "without-q"])
@pytest.mark.parametrize("count", QS)
def test_every_phone_of_a_user_is_called(front: Front, bob: Phone, count: int, with_q: bool) -> None:
    order: list[int] = []
    with ExitStack() as stack:
        phones = [stack.enter_context(Phone(front, "alice")) for _ in range(count)]
        for number, phone in enumerate(phones):
            phone.rule = _busy_and_noted(order, number)
        contacts = [
            f"<sip:alice@{phone.hostport}>" + (f";q={q}" if with_q else "")
            for phone, q in zip(phones, QS[count], strict=True)
        ]
        if phones:
            assert phones[0].register(*contacts) == 200
        # Each is busy: all of them are asked, and the caller hears it.
        final = bob.outcome(bob.call(f"sip:alice@{DOMAIN}"))
    assert final.status == (486 if count else 480)
    assert sorted(order) == list(range(count))
    if with_q:
        assert [QS[count][number] for number in order] == QS[count]


@pytest.mark.parametrize("count", [1, 2, 5])
def test_call_is_answered_whatever_the_number_of_contacts(front: Front, bob: Phone, count: int) -> None:
    with ExitStack() as stack:
        phones = [stack.enter_context(Phone(front, "alice")) for _ in range(count)]
        for phone in phones[1:]:
            phone.rule = replies(Reply(180, "Ringing"))
        assert phones[0].register(*(f"<sip:alice@{phone.hostport}>" for phone in phones)) == 200
        invite = bob.call(f"sip:alice@{DOMAIN}")
        final = bob.outcome(invite)
        assert final.status == 200
        assert bob.hang_up(invite, final) == 200
        assert phones[0].request("BYE")


@pytest.mark.parametrize("q", ["", ";q=0.9"], ids=["without-q", "with-q"])
def test_number_is_called_after_a_phone_that_says_no_q(
    front: Front, bridges: list[SipPeer], alice: Phone, bob: Phone, q: str
) -> None:
    assert alice.register(f"<{NUMBER}>;q=0.1", f"<sip:alice@{alice.hostport}>{q}") == 200
    assert bob.outcome(bob.call(alice.address)).status == 200
    assert len(calls_to(alice)) == 1
    assert [calls_to(bridge) for bridge in bridges] == [[], []]


def _busy_and_noted(order: list[int], number: int) -> Rule:
    def rule(request: SipMessage) -> Iterable[Reply]:
        if request.method == "INVITE":
            order.append(number)
        return [Reply(486, "Busy Here")]

    return rule


# Who may do what


def test_wrong_password_registers_nothing_and_calls_nobody(front: Front, bridges: list[SipPeer], bob: Phone) -> None:
    assert bob.register(password="another") == 401
    assert bob.final_response(bob.call(NUMBER, password="another"), timeout_s=20).status == 407
    assert [calls_to(bridge) for bridge in bridges] == [[], []]


def test_user_is_nobody_else(front: Front, bob: Phone) -> None:
    bob.address = f"sip:alice@{DOMAIN}"
    assert bob.register() == 403
    assert bob.final_response(bob.call(NUMBER), timeout_s=20).status == 403


@pytest.mark.parametrize(
    "request_uri", ["sip:carol@elsewhere.example.org", "sip:+336@elsewhere.example.org;user=phone"]
)
def test_nothing_is_relayed_to_other_domains(front: Front, bob: Phone, request_uri: str) -> None:
    assert bob.final_response(bob.call(request_uri), timeout_s=20).status == 403


def test_stranger_calls_nobody(front: Front, bridges: list[SipPeer], bob: Phone) -> None:
    bob.address = "sip:bob@elsewhere.example.org"
    assert bob.final_response(bob.call(NUMBER), timeout_s=20).status == 403
    assert [calls_to(bridge) for bridge in bridges] == [[], []]


def test_caller_gives_up_and_the_bridge_is_told(front: Front, bridges: list[SipPeer], bob: Phone) -> None:
    for bridge in bridges:
        bridge.rule = lambda request: [Reply(180, "Ringing") if request.method == "INVITE" else Reply(200, "OK")]
    invite = bob.call(NUMBER)
    ringing = bob.response(invite, 180, timeout_s=20)
    cseq = int(invite["CSeq"].partition(" ")[0])
    bob.send(bob.within_dialog("CANCEL", invite, ringing, cseq=cseq), front.hostport)
    wait_until("CANCEL", lambda: [one for bridge in bridges for one in bridge.received if one.method == "CANCEL"])


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
    freeswitch = Path(__file__).parents[1] / "freeswitch"
    assert (freeswitch / "front/sdp.cfg").read_text() == (freeswitch / "edge/sdp.cfg").read_text()


@pytest.fixture(scope="module")
def shared_bridge() -> Iterator[SipPeer]:
    with SipPeer(ip=some_ip()) as bridge:
        yield bridge


@pytest.fixture(scope="module")
def shared_front(shared_bridge: SipPeer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    front = Front(tmp_path_factory.mktemp("front"), [shared_bridge.hostport], ["bob"])
    try:
        front.wait_for_bridges(shared_bridge.hostport)
        yield front
    finally:
        front.kill()


@pytest.fixture(scope="module")
def shared_bob(shared_front: Front) -> Iterator[Phone]:
    with Phone(shared_front, "bob") as phone:
        yield phone

"""Which phones and which bridge a call goes to."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path

import pytest

from support import kamailio
from support.front import CONFIGURATION, DOMAIN, NUMBER, Front, Phone, calls_to
from support.processes import wait_until
from support.sip_message import SipMessage, sdp
from support.sip_peer import SipPeer
from support.sip_rule import Reply, Rule, answers, replies


def probed_only(request: SipMessage) -> Iterable[Reply]:
    """A bridge that says it takes calls, and then says nothing."""
    return [Reply(200, "OK")] if request.method == "OPTIONS" else []


def refuses_calls(request: SipMessage) -> Iterable[Reply]:
    """A bridge that has been drained since it was asked."""
    return [Reply(200, "OK") if request.method == "OPTIONS" else Reply(503, "Service Unavailable")]


def drained(_request: SipMessage) -> Iterable[Reply]:
    """A bridge that takes no calls, and says so."""
    return [Reply(503, "Maximum Calls In Progress")]


@pytest.mark.parametrize("key", ["0123456789abcdef", ""], ids=["with-a-key", "without-a-key"])
def test_configuration_as_it_comes_is_accepted_once_it_has_a_key(tmp_path: Path, key: str) -> None:
    """Without one, anybody could write the Record-Route that opens the proxy."""
    folder = tmp_path / "front"
    shutil.copytree(CONFIGURATION, folder)
    if key:
        (folder / "key.cfg").write_text(f'#!substdef "!FRONT_KEY!{key}!g"\n')
    done = subprocess.run(
        [kamailio.PROGRAM or "kamailio", "-c", "-f", str(folder / "kamailio.cfg"), "-Y", str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if key:
        assert done.returncode == 0, done.stderr
        assert "WARNING" not in done.stderr
    else:
        assert done.returncode != 0
        assert "cannot open included file: key.cfg" in done.stderr


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


def test_caller_gives_up_and_the_bridge_is_told(front: Front, bridges: list[SipPeer], bob: Phone) -> None:
    for bridge in bridges:
        bridge.rule = lambda request: [Reply(180, "Ringing") if request.method == "INVITE" else Reply(200, "OK")]
    invite = bob.call(NUMBER)
    ringing = bob.response(invite, 180, timeout_s=20)
    cseq = int(invite["CSeq"].partition(" ")[0])
    bob.send(bob.within_dialog("CANCEL", invite, ringing, cseq=cseq), front.hostport)
    wait_until("CANCEL", lambda: [one for bridge in bridges for one in bridge.received if one.method == "CANCEL"])

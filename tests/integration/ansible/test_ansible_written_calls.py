"""With what the Ansible roles write, FreeSWITCH and `sipbridge run` carry calls: each transport, each kind of media."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from ansible_line import Line
from ansible_world import MODULE, NEEDS_WORLD, World
from ansible_written import WAYS, Telephone, Way
from jabiru import TwoDomains

from support.rtp import RtpPeer
from support.sip_message import SipMessage, sdp_direction, sdp_profile
from support.sip_peer import SipPeer
from support.sip_rule import Reply, replies

pytestmark = NEEDS_WORLD

DTMF_RELAY = [("Content-Type", "application/dtmf-relay")]


@pytest.fixture(params=["out", "in"])
def outwards(request: pytest.FixtureRequest) -> bool:
    return bool(request.param == "out")


@pytest.fixture(params=WAYS, ids=lambda way: way.name)
def line(request: pytest.FixtureRequest, world: World, outwards: bool) -> Iterator[Line]:
    way: Way = request.param
    far, proxy = world.far[way.transport], world.proxy[way.transport]
    domains = TwoDomains(world.switch, world.bridge, far, world.provider, proxy, way.transport)
    with RtpPeer(world.family.peers) as first, RtpPeer(world.family.peers) as second:
        calling, called = (Telephone(world.rtpengine, way, rtp, world.switch.ip) for rtp in (first, second))
        yield Line(way, outwards, domains, calling, called)
    # What a test that failed has left.
    world.switch.event_socket.api("hupall")


def test_starts_without_complaint(world: World) -> None:
    assert world.switch.complaints() == []
    assert world.switch.event_socket.api(f"module_exists {MODULE}") == "true"


def test_both_sides_hear_each_other_and_the_caller_hangs_up(line: Line) -> None:
    call, arrived = line.connect()
    assert sdp_profile(arrived.body) == line.way.offered
    assert sdp_profile(call.answer.body) == line.way.offers
    assert suites(arrived.body) == line.way.suites
    # The caller offers several, of which FreeSWITCH chooses.
    assert len(suites(call.answer.body)) == len(line.way.suites)
    for body in (arrived.body, call.answer.body):
        assert ("a=fingerprint:sha-256 " in body) == (line.way.encryption == "dtls-srtp")
    line.hear_each_other()
    call.hang_up()
    line.comes("BYE", arrived)
    line.wait_until_over(call.invite, arrived)


def suites(body: str) -> list[str]:
    """What SDES offers, or has chosen."""
    return [line.split()[1] for line in body.splitlines() if line.startswith("a=crypto:")]


def test_the_callee_hangs_up(line: Line) -> None:
    call, arrived = line.connect()
    bye = line.callee.send_as_callee("BYE", arrived)
    assert line.callee.final_response(bye).status == 200
    line.comes("BYE", call.invite)
    line.wait_until_over(call.invite, arrived)


def test_digits_arrive(line: Line, world: World) -> None:
    call, arrived = line.connect()
    line.hear_each_other()
    assert ("telephone-event" in arrived.body) == (world.family.dtmf == "rfc2833")
    if world.family.dtmf == "rfc2833":
        line.calling.rtp.press(5)
        line.called.rtp.hears_digit(5)
        line.called.rtp.press(9)
        line.calling.rtp.hears_digit(9)
    info = call.send("INFO", 2, DTMF_RELAY, "Signal=7\r\nDuration=160\r\n")
    assert line.caller.final_response(info).status == 200
    digit_comes(line, world, line.called, arrived, 7)
    info = line.callee.send_as_callee("INFO", arrived, headers=DTMF_RELAY, body="Signal=3\r\nDuration=160\r\n")
    assert line.callee.final_response(info).status == 200
    digit_comes(line, world, line.calling, call.invite, 3)
    call.hang_up()
    line.wait_until_over(call.invite, arrived)


def digit_comes(line: Line, world: World, telephone: Telephone, invite: SipMessage, digit: int) -> None:
    """It does, in the way that the role was told."""
    if world.family.dtmf == "rfc2833":
        telephone.rtp.hears_digit(digit)
    else:
        line.comes("INFO", invite, within=f"Signal={digit}\r\n")


def test_redirection_reaches_the_caller_and_nobody_else(line: Line) -> None:
    with SipPeer() as elsewhere:
        line.have_callee(replies(Reply(302, "Moved", {"Contact": f"<sip:mallory@{elsewhere.hostport}>"})))
        sent, arrived = line.invite()
        assert line.outcome(sent).answer.status == 302
        line.wait_until_over(sent, arrived)
        assert elsewhere.received == []


def test_early_media_is_heard_before_the_answer(line: Line) -> None:
    def rule(request: SipMessage) -> list[Reply]:
        if request.method != "INVITE":
            return [Reply(200, "OK")]
        return [Reply(183, "Session Progress", body=line.called.answer(request.body))]

    line.have_callee(rule)
    sent, arrived = line.invite()
    line.calling.take_answer(line.caller.response(sent, 183, timeout_s=20).body)
    line.hear_each_other()
    assert line.caller.statuses(sent)[-1] == 183
    line.callee.respond(arrived, Reply(200, "OK", body=line.called.answered))
    call = line.outcome(sent)
    assert call.answer.status == 200
    line.hear_each_other()
    call.hang_up()
    line.wait_until_over(sent, arrived)


def test_hold_and_resume_pass_on(line: Line) -> None:
    call, arrived = line.connect()
    line.hear_each_other()
    for cseq, direction, mirrored in ((2, "sendonly", "recvonly"), (3, "sendrecv", "sendrecv")):
        since = len(line.callee.received)
        reinvite = call.send("INVITE", cseq, body=line.calling.offer(direction))
        answer = line.caller.final_response(reinvite, timeout_s=20)
        assert answer.status == 200
        call.send("ACK", cseq)
        passed_on = line.comes("INVITE", arrived, since)
        assert sdp_direction(passed_on.body) == direction
        assert sdp_direction(answer.body) == mirrored
        assert suites(passed_on.body) == line.way.suites
        line.comes("ACK", arrived, since)
        line.calling.take_answer(answer.body)
    line.hear_each_other()
    call.hang_up()
    line.wait_until_over(call.invite, arrived)
    assert "[moh]" not in line.domains.freeswitch.log(), "it looked for music on hold"


def test_cancel_passes_on(line: Line) -> None:
    invites: list[SipMessage] = []

    def rule(request: SipMessage) -> list[Reply]:
        if request.method == "INVITE":
            invites.append(request)
            return [Reply(180, "Ringing")]
        if request.method == "CANCEL":
            line.callee.respond(invites[-1], Reply(487, "Request Terminated"))
        return [Reply(200, "OK")]

    line.have_callee(rule)
    sent, arrived = line.invite()
    ringing = line.caller.response(sent, 180, timeout_s=20)
    cancel = line.caller.within_dialog("CANCEL", sent, ringing, transport=line.way.transport)
    line.caller.send(cancel, line.domains.inside if line.outwards else line.domains.providers, line.way.transport)
    assert line.outcome(sent).answer.status == 487
    line.comes("CANCEL", arrived)
    line.wait_until_over(sent, arrived)

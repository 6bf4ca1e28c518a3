"""What passes from one leg of a bridged call to the other: outcomes, progress, hold, DTMF, codecs."""

from __future__ import annotations

import pytest

from support.event_socket import Event
from support.freeswitch import FreeSwitch
from support.parked_call import ParkedCall, place_call
from support.rtp import RtpPeer
from support.sip_message import SipMessage, sdp, sdp_audio, sdp_direction
from support.sip_peer import SipPeer
from support.sip_rule import Reply, answers, replies

REASON = 'SIP;cause=200;text="Call completed elsewhere"'


def connect(freeswitch: FreeSwitch, caller: SipPeer, callee: SipPeer) -> tuple[ParkedCall, SipMessage, SipMessage]:
    """A call that was answered: the call, the final response on the caller's leg, the INVITE on the callee's."""
    call = place_call(freeswitch, caller)
    call.bridge_to(callee)
    final = call.final_response()
    assert final.status == 200
    callee.request("ACK")
    return call, final, callee.request("INVITE")


def hang_up(call: ParkedCall, final: SipMessage, cseq: int = 9) -> Event:
    call.send("BYE", final, cseq=cseq)
    return call.ended()


@pytest.mark.parametrize(
    "status",
    [400, 403, 404, 408, 410, 415, 480, 481, 484, 486, 487, 488, 491, 500, 501, 502, 503, 504, 600, 603, 604, 606],
)
def test_final_status_of_the_callee_reaches_the_caller(
    freeswitch: FreeSwitch, caller: SipPeer, callee: SipPeer, status: int
) -> None:
    callee.rule = replies(Reply(status, "As The Callee Says"))
    call = place_call(freeswitch, caller)
    call.bridge_to(callee)
    assert call.final_response().status == status
    assert call.ended()["variable_last_bridge_proto_specific_hangup_cause"] == f"sip:{status}"


@pytest.mark.parametrize("contact_is_freeswitch", [False, True], ids=["elsewhere", "back to FreeSWITCH"])
def test_redirection_is_an_outcome_and_goes_nowhere(
    freeswitch: FreeSwitch, caller: SipPeer, callee: SipPeer, contact_is_freeswitch: bool
) -> None:
    with SipPeer() as elsewhere:
        target = freeswitch.inside if contact_is_freeswitch else elsewhere.hostport
        callee.rule = replies(Reply(302, "Moved Temporarily", {"Contact": f"<sip:mallory@{target}>"}))
        call = place_call(freeswitch, caller)
        call.bridge_to(callee)
        assert call.final_response().status == 302
        call.ended()
        assert elsewhere.received == []


def test_ringing_and_early_media_reach_the_caller(freeswitch: FreeSwitch, caller: SipPeer, callee: SipPeer) -> None:
    callee.rule = replies()
    call = place_call(freeswitch, caller)
    call.bridge_to(callee)
    invite = callee.request("INVITE")
    for reply in (Reply(180, "Ringing"), Reply(183, "Session Progress", body=sdp()), Reply(200, "OK", body=sdp())):
        callee.respond(invite, reply)
        assert bool(caller.response(call.invite, reply.status).body) == bool(reply.body)
    assert caller.statuses(call.invite) == [100, 180, 183, 200]
    hang_up(call, call.final_response())


def test_early_media_is_heard_before_the_answer(freeswitch: FreeSwitch, caller: SipPeer, callee: SipPeer) -> None:
    with RtpPeer() as near, RtpPeer() as far:
        callee.rule = replies()
        call = place_call(freeswitch, caller, body=sdp(near.port))
        call.bridge_to(callee)
        invite = callee.request("INVITE")
        callee.respond(invite, Reply(183, "Session Progress", body=sdp(far.port)))
        caller.response(call.invite, 183)
        far.talk_to(freeswitch.ip, sdp_audio(invite.body)[0])
        near.hears(8, 25)
        assert 200 not in caller.statuses(call.invite)
        callee.respond(invite, Reply(200, "OK", body=sdp(far.port)))
        final = call.final_response()
        near.talk_to(freeswitch.ip, sdp_audio(final.body)[0])
        far.hears(8, 25)
        hang_up(call, final)


def test_digits_pass_as_rtp_events_both_ways(freeswitch: FreeSwitch, caller: SipPeer, callee: SipPeer) -> None:
    with RtpPeer() as near, RtpPeer() as far:
        callee.rule = answers(body=sdp(far.port))
        call = place_call(freeswitch, caller, body=sdp(near.port))
        call.bridge_to(callee)
        final = call.final_response()
        near.talk_to(freeswitch.ip, sdp_audio(final.body)[0])
        far.talk_to(freeswitch.ip, sdp_audio(callee.request("INVITE").body)[0])
        near.hears(8, 1)
        far.hears(8, 1)
        near.press(4)
        far.hears_digit(4)
        far.press(11)
        near.hears_digit(11)
        hang_up(call, final)


@pytest.mark.parametrize("progress", [180, 183])
def test_cancel_passes_on_with_its_reason(
    freeswitch: FreeSwitch, caller: SipPeer, callee: SipPeer, progress: int
) -> None:
    callee.rule = replies(Reply(progress, "Progress", body=sdp() if progress == 183 else ""))
    call = place_call(freeswitch, caller)
    call.bridge_to(callee)
    call.send("CANCEL", caller.response(call.invite, progress), headers=[("Reason", REASON)])
    assert callee.request("CANCEL")["Reason"] == REASON
    callee.respond(callee.request("INVITE"), Reply(487, "Request Terminated"))
    assert call.final_response().status == 487
    assert call.ended()["Hangup-Cause"] == "ORIGINATOR_CANCEL"


def test_bye_of_the_caller_passes_on_with_its_reason(freeswitch: FreeSwitch, caller: SipPeer, callee: SipPeer) -> None:
    call, final, _ = connect(freeswitch, caller, callee)
    call.send("BYE", final, cseq=2, headers=[("Reason", REASON)])
    assert callee.request("BYE")["Reason"] == REASON
    assert call.ended()["Hangup-Cause"] == "NORMAL_CLEARING"


def test_bye_of_the_callee_passes_on_without_its_reason(
    freeswitch: FreeSwitch, caller: SipPeer, callee: SipPeer
) -> None:
    call, _, invite = connect(freeswitch, caller, callee)
    callee.send_as_callee("BYE", invite, headers=[("Reason", REASON)])
    assert "Reason" not in caller.request("BYE")
    call.ended()


def test_hold_and_resume_of_the_caller_pass_on(freeswitch: FreeSwitch, caller: SipPeer, callee: SipPeer) -> None:
    call, final, _ = connect(freeswitch, caller, callee)
    for cseq, direction, mirrored in ((2, "sendonly", "recvonly"), (3, "sendrecv", "sendrecv")):
        callee.rule = answers(body=sdp(direction=mirrored))
        reinvite = call.send("INVITE", final, cseq=cseq, body=sdp(direction=direction))
        answer = caller.final_response(reinvite)
        call.send("ACK", final, cseq=cseq)
        assert sdp_direction(callee.request("INVITE", count=cseq).body) == direction
        assert sdp_direction(answer.body) == mirrored
        callee.request("ACK", count=cseq)
    hang_up(call, final)


def test_hold_of_the_callee_passes_on(freeswitch: FreeSwitch, caller: SipPeer, callee: SipPeer) -> None:
    call, final, invite = connect(freeswitch, caller, callee)
    caller.rule = answers(body=sdp(direction="recvonly"))
    reinvite = callee.send_as_callee("INVITE", invite, body=sdp(direction="sendonly"))
    assert sdp_direction(caller.request("INVITE").body) == "sendonly"
    assert sdp_direction(callee.final_response(reinvite).body) == "recvonly"
    hang_up(call, final)


def test_digit_sent_as_info_arrives_as_rtp_event(freeswitch: FreeSwitch, caller: SipPeer, callee: SipPeer) -> None:
    with RtpPeer() as near, RtpPeer() as far:
        callee.rule = answers(body=sdp(far.port))
        call = place_call(freeswitch, caller, body=sdp(near.port))
        call.bridge_to(callee)
        final = call.final_response()
        near.talk_to(freeswitch.ip, sdp_audio(final.body)[0])
        far.talk_to(freeswitch.ip, sdp_audio(callee.request("INVITE").body)[0])
        far.packet(lambda payload_type, _: payload_type == 8)
        relay = [("Content-Type", "application/dtmf-relay")]
        info = call.send("INFO", final, cseq=2, headers=relay, body="Signal=5\r\nDuration=160\r\n")
        assert caller.final_response(info).status == 200
        assert far.packet(lambda payload_type, _: payload_type == 101)[0] == 5
        hang_up(call, final)


@pytest.mark.parametrize("chosen", ["0", "8"])
def test_caller_gets_the_codec_that_the_callee_chose(
    freeswitch: FreeSwitch, caller: SipPeer, callee: SipPeer, chosen: str
) -> None:
    callee.rule = answers(body=sdp(payload_types=chosen))
    call = place_call(freeswitch, caller, body=sdp(payload_types="0 8"))
    call.bridge_to(callee)
    final = call.final_response()
    assert sdp_audio(callee.request("INVITE").body)[1] == ["0", "8", "101"]
    assert sdp_audio(final.body)[1] == [chosen, "101"]
    hang_up(call, final)


def test_call_without_an_offer_gets_one(freeswitch: FreeSwitch, caller: SipPeer, callee: SipPeer) -> None:
    call = place_call(freeswitch, caller, body="")
    call.bridge_to(callee)
    final = caller.final_response(call.invite)
    assert sdp_audio(final.body)[1] == ["8", "0", "101"]
    call.send("ACK", final, body=sdp())
    callee.request("ACK")
    hang_up(call, final)


def test_offer_without_a_common_codec_is_488(freeswitch: FreeSwitch, caller: SipPeer, callee: SipPeer) -> None:
    call = place_call(freeswitch, caller, body=sdp(payload_types="18"))
    call.bridge_to(callee)
    assert call.final_response().status == 488
    call.ended()


def test_callee_that_never_answers_is_given_up(freeswitch: FreeSwitch, caller: SipPeer, callee: SipPeer) -> None:
    def rule(request: SipMessage) -> list[Reply]:
        if request.method == "CANCEL":
            callee.respond(callee.request("INVITE"), Reply(487, "Request Terminated"))
        return [Reply(180, "Ringing")] if request.method == "INVITE" else [Reply(200, "OK")]

    callee.rule = rule
    call = place_call(freeswitch, caller)
    assert freeswitch.event_socket.api(f"uuid_getvar {call.uuid} call_timeout") == "190"
    freeswitch.event_socket.api(f"uuid_setvar {call.uuid} call_timeout 1")
    call.bridge_to(callee)
    assert call.final_response().status == 480
    assert call.ended()["Hangup-Cause"] == "NO_ANSWER"

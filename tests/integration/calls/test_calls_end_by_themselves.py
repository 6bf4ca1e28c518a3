"""What ends a call when neither side does: silence, the longest call, an end that does not answer any more."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import pytest

from support.freeswitch import FreeSwitch, parking_freeswitch
from support.parked_call import ParkedCall, place_call
from support.rtp import RtpPeer
from support.sip_message import SipMessage, sdp, sdp_audio
from support.sip_peer import SipPeer
from support.sip_rule import answers

SILENCE_S = 2
PCMA = 8


@contextmanager
def a_call(
    freeswitch: FreeSwitch,
    caller: SipPeer,
    callee: SipPeer,
    offer: str | None = None,
    headers: Iterable[tuple[str, str]] = (),
    **variables: str,
) -> Iterator[tuple[ParkedCall, SipMessage]]:
    """A call that was answered, and its final response; both legs have these variables, `{uuid}` being the A leg's."""
    call = place_call(freeswitch, caller, headers=headers, body=offer)
    dialled = {"sip_route_uri": f"sip:{callee.hostport}", "sip_cid_type": "none"}
    for name, text in variables.items():
        dialled[name] = text.format(uuid=call.uuid)
        assert freeswitch.event_socket.api(f"uuid_setvar {call.uuid} {name} {dialled[name]}") == "+OK"
    assignments = "|".join(f"{name}={value}" for name, value in dialled.items())
    call.bridge(f"{{^^|{assignments}}}sofia/providers/sip:bob@jabiru")
    final = call.final_response()
    assert final.status == 200
    yield call, final
    freeswitch.event_socket.api(f"uuid_kill {call.uuid}")


def ended_by(call: ParkedCall, callee: SipPeer) -> str:
    """The cause with which both sides got BYE."""
    assert callee.request("BYE", timeout_s=20)["Call-ID"]
    assert call.caller.request("BYE", timeout_s=20)["Call-ID"] == call.invite["Call-ID"]
    cause: str = call.ended(timeout_s=20)["Hangup-Cause"]
    return cause


def test_the_longest_call_is_that_of_the_configuration(
    freeswitch: FreeSwitch, caller: SipPeer, callee: SipPeer
) -> None:
    with a_call(freeswitch, caller, callee) as (call, _):
        limit = freeswitch.event_socket.api(f"uuid_getvar {call.uuid} api_on_answer")
        assert limit == f"sched_hangup +14400 {call.uuid} ALLOTTED_TIMEOUT"


def test_the_longest_call_ends(freeswitch: FreeSwitch, caller: SipPeer, callee: SipPeer) -> None:
    with a_call(freeswitch, caller, callee, api_on_answer="sched_hangup +1 {uuid} ALLOTTED_TIMEOUT") as (call, _):
        assert ended_by(call, callee) == "ALLOTTED_TIMEOUT"


@pytest.fixture(scope="module")
def impatient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FreeSwitch]:
    """A FreeSWITCH that ends calls after two seconds of silence."""
    folder = tmp_path_factory.mktemp("impatient")
    with parking_freeswitch(folder, sipbridge_media_timeout_s=str(SILENCE_S)) as freeswitch:
        yield freeswitch


def test_a_call_without_rtp_ends(impatient: FreeSwitch, caller: SipPeer, callee: SipPeer) -> None:
    with a_call(impatient, caller, callee) as (call, _):
        assert ended_by(call, callee) == "MEDIA_TIMEOUT"


def test_a_call_ends_when_one_side_falls_silent(impatient: FreeSwitch, caller: SipPeer, callee: SipPeer) -> None:
    with RtpPeer() as near, RtpPeer() as far:
        callee.rule = answers(body=sdp(far.port))
        with a_call(impatient, caller, callee, offer=sdp(near.port)) as (call, final):
            near.talk_to(impatient.ip, sdp_audio(final.body)[0])
            assert ended_by(call, callee) == "MEDIA_TIMEOUT"


@pytest.mark.parametrize(
    ("hold", "answer"),
    [("sendonly", "recvonly"), ("sendonly", "inactive"), ("sendonly", "sendrecv"), ("inactive", "inactive")],
)
def test_a_held_call_may_be_silent(
    impatient: FreeSwitch, caller: SipPeer, callee: SipPeer, hold: str, answer: str
) -> None:
    """And a call that was held may not."""
    with RtpPeer() as near, RtpPeer() as far:
        callee.rule = answers(body=sdp(far.port))
        with a_call(impatient, caller, callee, offer=sdp(near.port)) as (call, final):
            near.talk_to(impatient.ip, sdp_audio(final.body)[0])
            far.talk_to(impatient.ip, sdp_audio(callee.request("INVITE").body)[0])
            far.hears(PCMA, 10)
            callee.rule = answers(body=sdp(far.port, direction=answer))
            reinvite(call, final, 2, sdp(near.port, direction=hold))
            far.fall_silent()
            near.fall_silent()
            with pytest.raises(TimeoutError):
                callee.request("BYE", timeout_s=2 * SILENCE_S + 1)
            callee.rule = answers(body=sdp(far.port))
            reinvite(call, final, 3, sdp(near.port))
            assert ended_by(call, callee) == "MEDIA_TIMEOUT"


def test_a_call_that_the_callee_holds_may_be_silent(impatient: FreeSwitch, caller: SipPeer, callee: SipPeer) -> None:
    with RtpPeer() as near, RtpPeer() as far:
        callee.rule = answers(body=sdp(far.port))
        caller.rule = answers(body=sdp(near.port, direction="recvonly"))
        with a_call(impatient, caller, callee, offer=sdp(near.port)) as (_, final):
            invite = callee.request("INVITE")
            near.talk_to(impatient.ip, sdp_audio(final.body)[0])
            far.talk_to(impatient.ip, sdp_audio(invite.body)[0])
            far.hears(PCMA, 10)
            callee.send_as_callee("INVITE", invite, body=sdp(far.port, direction="sendonly"))
            assert "a=sendonly" in caller.request("INVITE").body
            far.fall_silent()
            near.fall_silent()
            with pytest.raises(TimeoutError):
                caller.request("BYE", timeout_s=2 * SILENCE_S + 1)


def reinvite(call: ParkedCall, final: SipMessage, cseq: int, body: str) -> None:
    """Send an INVITE of the caller in the dialog, and see it accepted."""
    request = call.send("INVITE", final, cseq=cseq, body=body)
    assert call.caller.final_response(request).status == 200
    call.send("ACK", final, cseq=cseq)


# Session timers


def test_a_session_is_refreshed_on_both_sides(freeswitch: FreeSwitch, caller: SipPeer, callee: SipPeer) -> None:
    """Ninety seconds are the least that RFC 4028 allows: half of it is how long this takes."""
    callee.rule = answers(headers={"Session-Expires": "90;refresher=uac", "Require": "timer"})
    timer = [("Supported", "timer"), ("Session-Expires", "90;refresher=uas")]
    with a_call(freeswitch, caller, callee, headers=timer) as (_, final):
        assert final["Session-Expires"] == "90;refresher=uas"
        assert callee.request("INVITE")["Session-Expires"].startswith("1800")
        for peer in (callee, caller):
            refresh = peer.wait_for(lambda one: one.in_dialog and one.method in ("INVITE", "UPDATE"), timeout_s=80)
            assert "Session-Expires" in refresh


def test_a_session_interval_too_small_is_refused(freeswitch: FreeSwitch, caller: SipPeer) -> None:
    invite = caller.new_request(
        "INVITE",
        "sip:bob@flexisip.example.org",
        from_="<sip:alice@flexisip.example.org>",
        to="<sip:bob@flexisip.example.org>",
        headers=[("Supported", "timer"), ("Session-Expires", "60")],
        body=sdp(),
    )
    caller.send(invite, freeswitch.inside)
    final = caller.final_response(invite)
    assert final.status == 422
    assert final["Min-SE"] == "90"

"""What FreeSWITCH answers by itself in a call, from either side, and what of it the other side gets to know."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import pytest

from support.freeswitch import FreeSwitch, parking_freeswitch
from support.parked_call import ParkedCall, place_call
from support.rtp import RtpPeer
from support.sip_message import SipMessage, sdp, sdp_audio, sdp_direction
from support.sip_peer import SipPeer
from support.sip_rule import Reply, replies

FAX = (
    "v=0\r\no=peer 1 2 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    "m=image 40002 udptl t38\r\na=T38FaxVersion:0\r\n"
)
VIDEO = "m=video 40004 RTP/AVP 96\r\na=rtpmap:96 VP8/90000\r\n"
TEXT = [("Content-Type", "text/plain")]


def hang_up(call: ParkedCall, final: SipMessage) -> None:
    call.send("BYE", final, cseq=9)
    call.ended()


@dataclass(frozen=True, slots=True)
class Answered:
    """An answered call, and who is in it."""

    call: ParkedCall
    caller: SipPeer
    callee: SipPeer
    final: SipMessage
    invite: SipMessage

    def ask(
        self, side: str, method: str, headers: list[tuple[str, str]], body: str = ""
    ) -> tuple[SipMessage, list[SipMessage]]:
        """A request of one side, which then hangs up: its final response, and what the other side was sent but BYE."""
        asks, other = (self.caller, self.callee) if side == "caller" else (self.callee, self.caller)
        heard = len(other.received)
        answer = asks.final_response(self._send(side, method, 2, headers, body))
        if method == "INVITE":
            # An offer in the answer wants an answer in the ACK.
            self._send(side, "ACK", 2, body="" if body else sdp())
        assert asks.final_response(self._send(side, "BYE", 3)).status == 200
        other.request("BYE", since=heard)
        return answer, [one for one in other.received[heard:] if one.method not in ("", "BYE")]

    def _send(
        self, side: str, method: str, cseq: int, headers: Iterable[tuple[str, str]] = (), body: str = ""
    ) -> SipMessage:
        if side == "caller":
            return self.call.send(method, self.final, cseq=cseq, headers=headers, body=body)
        return self.callee.send_as_callee(method, self.invite, cseq=cseq, headers=headers, body=body)


@pytest.fixture
def answered(freeswitch: FreeSwitch, caller: SipPeer, callee: SipPeer) -> Iterator[Answered]:
    call = place_call(freeswitch, caller)
    call.bridge_to(callee)
    final = call.final_response()
    callee.request("ACK")
    yield Answered(call, caller, callee, final, callee.request("INVITE"))
    call.ended()


SIDES = pytest.mark.parametrize("side", ["caller", "callee"])


@SIDES
@pytest.mark.parametrize(
    ("method", "headers", "body", "status"),
    [
        ("OPTIONS", [], "", 200),
        ("INFO", TEXT, "not a digit", 200),
        ("MESSAGE", TEXT, "is lost", 202),
        ("NOTIFY", [("Event", "refer"), ("Subscription-State", "active")], "", 200),
        ("UPDATE", [], "", 200),
        ("SUBSCRIBE", [("Event", "dialog")], "", 405),
        ("REFER", [("Refer-To", "<sip:mallory@elsewhere.example.org>")], "", 405),
        ("UNHEARD-OF", [], "", 501),
    ],
)
def test_request_in_a_call_is_answered_and_goes_no_further(
    answered: Answered, side: str, method: str, headers: list[tuple[str, str]], body: str, status: int
) -> None:
    answer, passed = answered.ask(side, method, headers, body)
    assert answer.status == status
    assert passed == []


@SIDES
def test_offer_of_another_codec_concerns_one_side_alone(answered: Answered, side: str) -> None:
    answer, passed = answered.ask(side, "INVITE", [], sdp(payload_types="0"))
    assert answer.status == 200
    assert sdp_audio(answer.body)[1] == ["0", "101"]
    assert passed == []


@SIDES
def test_invite_without_an_offer_gets_one(answered: Answered, side: str) -> None:
    answer, passed = answered.ask(side, "INVITE", [])
    assert answer.status == 200
    assert sdp_audio(answer.body)[1] == ["8", "101"]
    assert passed == []


@SIDES
def test_fax_is_refused_and_the_call_goes_on(answered: Answered, side: str) -> None:
    answer, passed = answered.ask(side, "INVITE", [], FAX)
    assert answer.status == 488
    assert passed == []


@SIDES
def test_hold_by_update_does_not_pass(answered: Answered, side: str) -> None:
    answer, passed = answered.ask(side, "UPDATE", [], sdp(direction="sendonly"))
    assert answer.status == 200
    assert sdp_direction(answer.body) == "recvonly"
    assert passed == []


def test_video_is_refused_and_the_call_is_made(freeswitch: FreeSwitch, caller: SipPeer, callee: SipPeer) -> None:
    call = place_call(freeswitch, caller, body=sdp() + VIDEO)
    call.bridge_to(callee)
    final = call.final_response()
    assert "m=video 0 " in final.body
    assert "m=video" not in callee.request("INVITE").body
    hang_up(call, final)


# Progress


def test_caller_that_insists_on_reliable_progress_is_refused(freeswitch: FreeSwitch, caller: SipPeer) -> None:
    invite = caller.new_request(
        "INVITE",
        "sip:bob@flexisip.example.org",
        from_="<sip:alice@flexisip.example.org>",
        to="<sip:bob@flexisip.example.org>",
        headers=[("Require", "100rel")],
        body=sdp(),
    )
    caller.send(invite, freeswitch.inside)
    final = caller.final_response(invite)
    assert (final.status, final["Unsupported"]) == (420, "100rel")


def test_reliable_progress_of_the_callee_is_acknowledged(
    freeswitch: FreeSwitch, caller: SipPeer, callee: SipPeer
) -> None:
    callee.rule = replies()
    call = place_call(freeswitch, caller)
    call.bridge_to(callee)
    invite = callee.request("INVITE")
    callee.respond(invite, Reply(183, "Session Progress", {"Require": "100rel", "RSeq": "1"}, sdp()))
    assert callee.request("PRACK")["RAck"].startswith("1 ")
    caller.response(call.invite, 183)
    callee.respond(invite, Reply(200, "OK", body=sdp()))
    hang_up(call, call.final_response())


def test_callee_that_wants_longer_sessions_gets_them(freeswitch: FreeSwitch, caller: SipPeer, callee: SipPeer) -> None:
    """RFC 4028: what 422 says is the least is what the next INVITE asks for."""
    wanted = Reply(200, "OK", body=sdp())

    def rule(request: SipMessage) -> list[Reply]:
        too_short = request.method == "INVITE" and request["Min-SE"] != "3600"
        return [Reply(422, "Session Interval Too Small", {"Min-SE": "3600"}) if too_short else wanted]

    callee.rule = rule
    call = place_call(freeswitch, caller)
    call.bridge_to(callee)
    hang_up(call, call.final_response())
    assert callee.request("INVITE", count=2)["Session-Expires"].startswith("3600")


@pytest.fixture(scope="module")
def from_any_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FreeSwitch]:
    """A FreeSWITCH that takes RTP of the providers' side from any address."""
    folder = tmp_path_factory.mktemp("any")
    with parking_freeswitch(folder, sipbridge_providers_rtp_as_advertised="false") as freeswitch:
        yield freeswitch


def test_media_follows_whoever_answers_after_another_was_heard(
    from_any_address: FreeSwitch, caller: SipPeer, callee: SipPeer
) -> None:
    """Behind the provider a call forks: one phone sends early media, another one answers, with another SDP.

    FreeSWITCH keeps the first SDP, so the media can only follow the RTP.
    """
    freeswitch = from_any_address
    with RtpPeer() as near, RtpPeer() as heard_early, RtpPeer() as answers_it:
        callee.rule = replies()
        call = place_call(freeswitch, caller, body=sdp(near.port))
        call.bridge_to(callee)
        invite = callee.request("INVITE")
        ours = sdp_audio(invite.body)[0]
        callee.respond(invite, Reply(183, "Session Progress", body=sdp(heard_early.port)))
        caller.response(call.invite, 183)
        heard_early.talk_to(freeswitch.ip, ours)
        near.hears(8, 25)
        heard_early.fall_silent()
        callee.respond(invite, Reply(200, "OK", body=sdp(answers_it.port)))
        final = call.final_response()
        near.talk_to(freeswitch.ip, sdp_audio(final.body)[0])
        answers_it.talk_to(freeswitch.ip, ours)
        answers_it.hears(8, 25)
        hang_up(call, final)

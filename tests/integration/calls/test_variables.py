"""What freeswitch/README.md says of the variables is what FreeSWITCH does: limits, codecs, ports, timers, the log."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.event_socket import Event
from support.freeswitch import FreeSwitch, parking_freeswitch
from support.parked_call import ParkedCall, place_call
from support.processes import wait_until
from support.sip_message import SipMessage, sdp, sdp_audio
from support.sip_peer import SipPeer
from support.sip_rule import Reply, answers

LOG_BYTES = 20_000
LOGS_KEPT = 2


def start(tmp_path_factory: pytest.TempPathFactory, **variables: str) -> Iterator[FreeSwitch]:
    with parking_freeswitch(tmp_path_factory.mktemp("fs"), **variables) as switch:
        yield switch


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FreeSwitch]:
    """For one call at a time, and not for long."""
    yield from start(
        tmp_path_factory,
        sipbridge_max_sessions="2",
        sipbridge_ring_timeout_s="1",
        sipbridge_max_call_s="2",
        sipbridge_codecs="PCMU,PCMA",
        sipbridge_rtp_start_port="20000",
        sipbridge_rtp_end_port="20099",
        sipbridge_session_timeout_s="300",
        sipbridge_min_session_expires_s="120",
        sipbridge_log_level="debug",
        sipbridge_log_file_levels="debug,info,notice,warning,err,crit,alert",
        sipbridge_log_file_bytes=str(LOG_BYTES),
        sipbridge_log_files_kept=str(LOGS_KEPT),
    )


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FreeSwitch]:
    """For few calls a second, in which somebody talks."""
    yield from start(tmp_path_factory, sipbridge_sessions_per_second="8", sipbridge_media_timeout_s="1")


def bridge(call: ParkedCall, callee: SipPeer) -> None:
    call.bridge(f"{{^^|sip_route_uri=sip:{callee.hostport}|sip_cid_type=none}}sofia/providers/sip:bob@jabiru")


def ended_by(call: ParkedCall, callee: SipPeer) -> str:
    """The cause with which both sides got BYE."""
    callee.request("BYE", timeout_s=20)
    call.caller.request("BYE", timeout_s=20)
    event: Event = call.ended(timeout_s=20)
    cause: str = event["Hangup-Cause"]
    return cause


def invite(caller: SipPeer, switch: FreeSwitch, *headers: tuple[str, str]) -> SipMessage:
    """An INVITE that nobody waits for yet."""
    address = "<sip:bob@flexisip.example.org>"
    request = caller.new_request(
        "INVITE", "sip:bob@flexisip.example.org", from_=address, to=address, headers=headers, body=sdp()
    )
    caller.send(request, switch.inside)
    return request


def test_call_ends_after_the_longest_time_and_sessions_are_limited(
    small: FreeSwitch, caller: SipPeer, callee: SipPeer
) -> None:
    call = place_call(small, caller)
    bridge(call, callee)
    assert call.final_response(timeout_s=20).status == 200
    # Two sessions: the limit.
    assert caller.final_response(invite(caller, small)).status == 503
    assert ended_by(call, callee) == "ALLOTTED_TIMEOUT"


def test_callee_rings_no_longer_than_that(small: FreeSwitch, caller: SipPeer, callee: SipPeer) -> None:
    def rule(request: SipMessage) -> list[Reply]:
        if request.method == "CANCEL":
            callee.respond(callee.request("INVITE"), Reply(487, "Request Terminated"))
        return [Reply(180, "Ringing")] if request.method == "INVITE" else [Reply(200, "OK")]

    callee.rule = rule
    call = place_call(small, caller)
    bridge(call, callee)
    assert call.final_response(timeout_s=20).status == 480
    assert call.ended()["Hangup-Cause"] == "NO_ANSWER"


def test_offer_has_the_codecs_ports_and_timers(small: FreeSwitch, caller: SipPeer, callee: SipPeer) -> None:
    call = place_call(small, caller, body="")
    bridge(call, callee)
    final = call.caller.final_response(call.invite)
    offer = callee.request("INVITE")
    for body in (offer.body, final.body):
        port, payload_types = sdp_audio(body)
        assert payload_types == ["0", "8", "101"]
        assert 20_000 <= port <= 20_099
    assert offer["Session-Expires"].startswith("300")
    assert offer["Min-SE"] == "120"
    call.send("ACK", final, body=sdp())
    call.send("BYE", final, cseq=2)
    call.ended()


def test_session_interval_below_the_least_is_refused(small: FreeSwitch, caller: SipPeer) -> None:
    final = caller.final_response(invite(caller, small, ("Supported", "timer"), ("Session-Expires", "100")))
    assert (final.status, final["Min-SE"]) == (422, "120")


def test_log_has_what_was_asked_for_and_old_files_go(small: FreeSwitch, caller: SipPeer) -> None:
    directory = small.directory / "log"

    def old_files() -> list[str]:
        # A refused call is some lines in the log.
        caller.final_response(invite(caller, small, ("Supported", "timer"), ("Session-Expires", "100")))
        return sorted(file.name for file in directory.glob("freeswitch.log.*"))

    wait_until("old files are as many as are kept", lambda: len(old_files()) >= LOGS_KEPT, timeout_s=60)
    for _ in range(100):
        assert len(old_files()) <= LOGS_KEPT
    assert "[DEBUG]" in "".join(file.read_text(errors="replace") for file in directory.glob("freeswitch.log*"))
    assert all(file.stat().st_size < 2 * LOG_BYTES for file in directory.glob("freeswitch.log*"))


def test_call_without_rtp_ends_after_that_time(strict: FreeSwitch, caller: SipPeer, callee: SipPeer) -> None:
    callee.rule = answers()
    call = place_call(strict, caller)
    bridge(call, callee)
    assert call.final_response(timeout_s=20).status == 200
    assert ended_by(call, callee) == "MEDIA_TIMEOUT"


def test_more_calls_in_a_second_than_that_are_refused(strict: FreeSwitch, caller: SipPeer) -> None:
    """Forty at once; one that is taken waits, parked, and gets 503 later for another reason."""
    finals = [caller.final_response(one, timeout_s=20) for one in [invite(caller, strict) for _ in range(40)]]
    assert {final.status for final in finals} == {503}
    assert any("Maximum Calls In Progress" in final.start_line for final in finals)
    assert not all("Maximum Calls In Progress" in final.start_line for final in finals)

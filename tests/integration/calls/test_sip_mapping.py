"""docs/sip-mapping.md says what the real FreeSWITCH does."""

from __future__ import annotations

import pytest

from sipbridge.core.freeswitch.changes import Change
from support.freeswitch import FreeSwitch, has
from support.parked_call import ParkedCall, place_call
from support.sip_mapping import causes, headers_that_stay
from support.sip_message import sdp
from support.sip_peer import SipPeer
from support.sip_rule import Reply, replies


@pytest.mark.parametrize(("status", "cause", "reason"), [pytest.param(*row, id=str(row[0])) for row in causes()])
def test_cause_of_a_failed_call(
    freeswitch: FreeSwitch, caller: SipPeer, callee: SipPeer, status: int, cause: str, reason: str
) -> None:
    callee.rule = replies(Reply(status, "As The Callee Says"))
    call = place_call(freeswitch, caller)
    want_reason(call)
    call.bridge_to(callee)
    final = call.final_response()

    assert final.status == status
    assert call.ended()["Hangup-Cause"] == cause
    assert final["Reason"] == f'{reason};text="{cause}"'


def want_reason(call: ParkedCall) -> None:
    """What sipbridge_drop_reason=false does, for one call."""
    assert call.freeswitch.event_socket.api(f"uuid_setvar {call.uuid} disable_q850_reason false") == "+OK"


@pytest.mark.parametrize("is_wanted", [False, True], ids=["by default", "sipbridge_drop_reason=false"])
def test_reason_of_the_callee(freeswitch: FreeSwitch, caller: SipPeer, callee: SipPeer, is_wanted: bool) -> None:
    of_callee = 'Q.850;cause=34;text="full"'
    callee.rule = replies(Reply(503, "Busy As Never", {"Reason": of_callee, "Retry-After": "30"}))
    call = place_call(freeswitch, caller)
    if is_wanted:
        want_reason(call)
    call.bridge_to(callee)
    final = call.final_response()

    of_freeswitch = 'Q.850;cause=34;text="NORMAL_CIRCUIT_CONGESTION"'
    passed_on = of_callee if has(Change.PASSES_REASON) else of_freeswitch
    assert final["Reason"] == (passed_on if is_wanted else "")
    assert call.ended()["Hangup-Cause"] == "NORMAL_CIRCUIT_CONGESTION"
    assert "Retry-After" not in final


def test_headers_of_the_caller_stay_there(freeswitch: FreeSwitch, caller: SipPeer, callee: SipPeer) -> None:
    value = "<sip:private@flexisip.example.org>"
    headers = [(name, value) for name in [*headers_that_stay(), "X-Private"]]
    callee.rule = replies(Reply(486, "Busy Here"))
    call = place_call(freeswitch, caller, headers=headers)
    call.bridge_to(callee)
    assert call.final_response().status == 486
    invite = callee.request("INVITE")
    assert [name for name, _ in headers if name in invite] == []
    assert value not in invite.encode().decode()


def test_body_beside_the_sdp_stays_there(freeswitch: FreeSwitch, caller: SipPeer, callee: SipPeer) -> None:
    """As an emergency call has it (RFC 6442): the provider is not told where the caller is."""
    parts = (("application/sdp", sdp()), ("application/pidf+xml", "<presence>private</presence>"))
    body = "".join(f"--part\r\nContent-Type: {kind}\r\n\r\n{text}\r\n" for kind, text in parts) + "--part--\r\n"
    callee.rule = replies(Reply(486, "Busy Here"))
    call = place_call(freeswitch, caller, headers=[("Content-Type", "multipart/mixed;boundary=part")], body=body)
    call.bridge_to(callee)
    assert call.final_response().status == 486
    invite = callee.request("INVITE")
    assert invite["Content-Type"] == "application/sdp"
    assert "private" not in invite.body


def test_headers_of_the_callee_stay_there(freeswitch: FreeSwitch, caller: SipPeer, callee: SipPeer) -> None:
    """A proxy may trust X- headers, whichever side they come from."""
    private = {"X-Private": "callee", "P-Asserted-Identity": "<sip:private@jabiru>"}
    callee.rule = replies(Reply(183, "Progress", private, body=sdp()), Reply(200, "OK", private, body=sdp()))
    call = place_call(freeswitch, caller)
    call.bridge_to(callee)
    final = call.final_response()

    assert final.status == 200
    callee.send_as_callee("BYE", callee.request("INVITE"), headers=list(private.items()))
    caller.request("BYE")
    assert [name for one in caller.received for name in private if name in one] == []

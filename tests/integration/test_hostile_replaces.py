"""An INVITE with Replaces (RFC 3891) takes no call over: FreeSWITCH carries it out without asking the dialplan."""

from __future__ import annotations

import pytest

from support.freeswitch import FreeSwitch
from support.parked_call import place_call
from support.sip_message import SipMessage, sdp
from support.sip_peer import SipPeer


def tag_of(address: str) -> str:
    return address.partition(";tag=")[2]


def replacing(
    intruder: SipPeer, replaced: SipMessage, answer: SipMessage | None, *, parameters: str = ""
) -> SipMessage:
    """An INVITE of somebody else that wants to have the place of a party to a call."""
    to_tag = tag_of(answer["To"]) if answer else "any"
    return intruder.new_request(
        "INVITE",
        "sip:anybody@flexisip.example.org",
        from_="<sip:mallory@flexisip.example.org>",
        to="<sip:anybody@flexisip.example.org>",
        headers=[
            ("Replaces", f"{replaced['Call-ID']};to-tag={to_tag};from-tag={tag_of(replaced['From'])}{parameters}")
        ],
        body=sdp(),
    )


@pytest.mark.parametrize("port", ["inside", "providers"])
@pytest.mark.parametrize("parameters", ["", ";a-leg=true", ";a-leg=false"])
def test_call_in_progress_is_not_taken_over(
    freeswitch: FreeSwitch, caller: SipPeer, callee: SipPeer, port: str, parameters: str
) -> None:
    call = place_call(freeswitch, caller)
    freeswitch.event_socket.execute(call.uuid, "bridge", f"sofia/providers/sip:bob@{callee.hostport}")
    answer = caller.response(call.invite, 200)
    caller.send(caller.within_dialog("ACK", call.invite, answer), freeswitch.inside)
    callee.request("ACK")
    with SipPeer() as mallory:
        invite = replacing(mallory, call.invite, answer, parameters=parameters)
        mallory.send(invite, getattr(freeswitch, port))
        final = mallory.final_response(invite)
        mallory.send(mallory.within_dialog("ACK", invite, final), getattr(freeswitch, port))
        if final.status == 200:
            # FreeSWITCH answers before it tries, and then hangs up.
            mallory.request("BYE")
    assert [one.method for one in (*caller.received, *callee.received) if one.method == "BYE"] == []
    caller.send(caller.within_dialog("BYE", call.invite, answer, cseq=2), freeswitch.inside)
    callee.request("BYE")

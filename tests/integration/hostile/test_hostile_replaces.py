"""An INVITE with Replaces (RFC 3891) takes no call over: FreeSWITCH carries it out without asking the dialplan."""

from __future__ import annotations

from pathlib import Path

import jabiru
import pytest
from jabiru import ALICE, TwoDomains

from sipbridge.core.freeswitch.changes import Change
from support.bridge import Bridge
from support.digest import DigestProvider
from support.freeswitch import FreeSwitch, has
from support.parked_call import place_call
from support.processes import wait_until
from support.sip_message import SipMessage, sdp
from support.sip_peer import SipPeer
from support.sip_rule import Reply, replies


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


@pytest.mark.parametrize("port", ["inside", "providers"])
def test_call_that_rings_can_be_ended_and_no_more(bridged_freeswitch: FreeSwitch, tmp_path: Path, port: str) -> None:
    """What is left, as docs/security.md says: it takes nobody's place, calls nobody, and no line is lost."""
    provider = DigestProvider(jabiru.DOMAIN, jabiru.PASSWORDS)
    provider.callee = replies(Reply(180, "Ringing"))
    with SipPeer(provider.rule) as far, SipPeer() as proxy, SipPeer() as mallory:
        file = jabiru.providers_file(far.hostport, proxy.hostport, "udp", max_calls_per_line=3)
        bridge = Bridge(tmp_path / "bridge", bridged_freeswitch, file)
        try:
            bridge.wait_for_status(ALICE, "OK", timeout_s=60)
            wait_until("calls are taken", lambda: bridge.status()["switch"]["hasLease"])
            invite = TwoDomains(bridged_freeswitch, bridge, far, provider, proxy, "udp").invite_out()
            ringing = proxy.response(invite, 180)
            calls = [one for one in far.received if one.method == "INVITE"]

            intrusion = replacing(mallory, invite, ringing)
            mallory.send(intrusion, getattr(bridged_freeswitch, port))

            if has(Change.HAS_INTERFACE_ALLOWLIST):
                # There is no application `intercept`, nor `answer`. The call rings on, until its caller gives up.
                assert mallory.final_response(intrusion).status >= 400
                assert [one for one in far.received if one.method == "CANCEL"] == []
                proxy.send(proxy.within_dialog("CANCEL", invite, ringing), bridged_freeswitch.inside)
                assert proxy.final_response(invite).status == 487
            else:
                assert proxy.final_response(invite).status == 480
                mallory.request("BYE")
                wait_until("its end is logged", lambda: "cause=PICKED_OFF" in bridge.log())
            far.request("CANCEL")
            bridge.wait_for_free_slots(ALICE, 3)
            wait_until("no channel is left", lambda: bridged_freeswitch.channels() == [])
            assert [one for one in far.received if one.method == "INVITE"] == calls
        finally:
            bridge.kill()

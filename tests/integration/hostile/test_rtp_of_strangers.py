"""Who gets the voice of a call when a stranger sends RTP to its port before the far side does."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sipbridge.core.freeswitch.changes import Change
from support.freeswitch import FreeSwitch, has, parking_freeswitch
from support.parked_call import place_call
from support.rtp import RtpPeer
from support.sip_message import sdp, sdp_audio
from support.sip_peer import SipPeer
from support.sip_rule import answers

PCMA = 8
SAME_HOST, ANOTHER_HOST = "127.0.0.1", "127.77.0.9"


@pytest.fixture(scope="module")
def by_default(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FreeSwitch]:
    with parking_freeswitch(tmp_path_factory.mktemp("fs")) as freeswitch:
        yield freeswitch


@pytest.fixture(scope="module")
def the_other_way_round(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FreeSwitch]:
    variables = {"sipbridge_inside_rtp_as_advertised": "true", "sipbridge_providers_rtp_as_advertised": "false"}
    with parking_freeswitch(tmp_path_factory.mktemp("fs"), **variables) as freeswitch:
        yield freeswitch


def stranger_gets_voice(freeswitch: FreeSwitch, caller: SipPeer, callee: SipPeer, side: str, stranger_ip: str) -> bool:
    """Let a stranger send to the port of one side first, then both sides; who hears the other one?"""
    with RtpPeer() as near, RtpPeer() as far, RtpPeer(stranger_ip) as stranger:
        callee.rule = answers(body=sdp(far.port))
        call = place_call(freeswitch, caller, body=sdp(near.port))
        call.bridge_to(callee)
        final = call.final_response()
        ports = {"inside": sdp_audio(final.body)[0], "providers": sdp_audio(callee.request("INVITE").body)[0]}
        victim, talks = (near, far) if side == "inside" else (far, near)
        stranger.talk_to(freeswitch.ip, ports[side])
        talks.talk_to(freeswitch.ip, ports["providers" if side == "inside" else "inside"])
        # More than the ten packets that it takes, before the rightful one sends any.
        stranger.has_sent(25)
        victim.talk_to(freeswitch.ip, ports[side])
        winner = hears_in_the_end(stranger, victim)
        call.send("BYE", final, cseq=2)
        call.ended()
        return winner is stranger


def hears_in_the_end(stranger: RtpPeer, victim: RtpPeer) -> RtpPeer:
    """Who hears the other side once the rightful address has sent for a while."""
    for peer in (victim, stranger):
        try:
            peer.drain()
            peer.hears(PCMA, 25, timeout_s=3)
        except TimeoutError:
            continue
        peer.drain()
        peer.hears(PCMA, 25, timeout_s=3)
        return peer
    raise AssertionError("nobody hears anything")


@pytest.mark.parametrize("stranger", [SAME_HOST, ANOTHER_HOST], ids=["same host", "another host"])
def test_a_provider_is_heard_and_hears_at_the_address_that_it_advertised(
    by_default: FreeSwitch, caller: SipPeer, callee: SipPeer, stranger: str
) -> None:
    assert not stranger_gets_voice(by_default, caller, callee, "providers", stranger)


def test_a_provider_behind_nat_can_be_robbed(the_other_way_round: FreeSwitch, caller: SipPeer, callee: SipPeer) -> None:
    assert stranger_gets_voice(the_other_way_round, caller, callee, "providers", SAME_HOST)


def test_the_advertised_address_takes_the_voice_back_where_freeswitch_can(
    by_default: FreeSwitch, caller: SipPeer, callee: SipPeer
) -> None:
    robbed = stranger_gets_voice(by_default, caller, callee, "inside", ANOTHER_HOST)
    assert robbed != has(Change.WAITS_FOR_ADVERTISED_ADDRESS)


def test_the_inside_can_be_tied_to_its_addresses_as_well(
    the_other_way_round: FreeSwitch, caller: SipPeer, callee: SipPeer
) -> None:
    assert not stranger_gets_voice(the_other_way_round, caller, callee, "inside", ANOTHER_HOST)

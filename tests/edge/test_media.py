"""Calls whose media rtpengine changes: plain RTP towards FreeSWITCH, what was asked for towards the provider.

The provider has an rtpengine of its own, behind which is a plain telephone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from support import linphone
from support import rtpengine as rtpengine_program
from support.digest import DigestProvider
from support.edge import Edge
from support.edge_gateway import EdgeGateway, Exchange
from support.linphone import Linphone
from support.media_provider import MEDIA, ProviderWithMedia
from support.processes import wait_until
from support.rtp import RtpPeer
from support.rtpengine import Rtpengine
from support.sip_message import sdp, sdp_audio, sdp_direction, sdp_profile
from support.sip_peer import SipPeer
from support.sip_rule import Reply, answers, replies

pytestmark = pytest.mark.skipif(rtpengine_program.PROGRAM is None, reason="no rtpengine on the PATH")

SUITE = "AES_CM_128_HMAC_SHA1_80"


def attributes(body: str, name: str) -> list[str]:
    return re.findall(rf"(?m)^a={name}:?(.*?)\r?$", body)


@pytest.fixture(scope="module")
def rtpengine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rtpengine]:
    with Rtpengine(tmp_path_factory.mktemp("rtpengine")) as rtpengine:
        yield rtpengine


@pytest.fixture(scope="module")
def far_rtpengine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rtpengine]:
    with Rtpengine(tmp_path_factory.mktemp("far-rtpengine")) as rtpengine:
        yield rtpengine


@pytest.fixture(scope="module")
def edge(freeswitch: SipPeer, rtpengine: Rtpengine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    with Edge(tmp_path_factory.mktemp("edge"), freeswitch.hostport, rtpengine=rtpengine.control) as edge:
        yield edge


@pytest.fixture
def nobody(freeswitch: SipPeer, edge: Edge) -> EdgeGateway:
    """A call without an account: what becomes of its media is the same."""
    return EdgeGateway(freeswitch, edge, "")


@pytest.fixture
def caller(freeswitch: SipPeer) -> Iterator[RtpPeer]:
    """What FreeSWITCH sends and gets, at the address of its SIP, whatever its SDP says."""
    with RtpPeer(freeswitch.hostport.partition(":")[0]) as peer:
        yield peer


@pytest.fixture
def far_end(far_rtpengine: Rtpengine, provider: SipPeer) -> Iterator[ProviderWithMedia]:
    with RtpPeer() as telephone:
        far_end = ProviderWithMedia(far_rtpengine, telephone)
        provider.rule = far_end.rule
        yield far_end


def talk(
    caller: RtpPeer, rtpengine: Rtpengine, call: Exchange, far_end: ProviderWithMedia, seconds: float = 20
) -> None:
    """Have both sides hear each other."""
    caller.talk_to(rtpengine.ip, sdp_audio(call.final.body)[0])
    hear(caller, far_end, seconds)


def hear(caller: RtpPeer, far_end: ProviderWithMedia, seconds: float = 20) -> None:
    for peer in (caller, far_end.telephone):
        for _ in range(10):
            peer.packet(is_audio, timeout_s=seconds)


def is_audio(payload_type: int, payload: bytes) -> bool:
    return payload_type == 8 and payload == b"\xd5" * 160


@pytest.mark.parametrize("media", MEDIA)
def test_audio_both_ways(
    nobody: EdgeGateway,
    rtpengine: Rtpengine,
    provider: SipPeer,
    far_end: ProviderWithMedia,
    caller: RtpPeer,
    media: str,
) -> None:
    call = nobody.call(nobody.invite(f"sip:{provider.hostport}", media, body=sdp(caller.port)))
    assert call.final.status == 200
    offered = provider.request("INVITE").body
    assert sdp_profile(offered) == MEDIA[media]
    crypto = [line.split()[1] for line in attributes(offered, "crypto")]
    assert crypto == ([SUITE] if media == "sdes-avpf" else [])
    assert [line.split()[0] for line in attributes(offered, "fingerprint")] == ["sha-256"] * (media == "dtls-savp")
    assert attributes(offered, "ice-ufrag") == attributes(offered, "candidate") == []
    assert attributes(offered, "rtcp-mux") == []
    assert sdp_profile(call.final.body) == "RTP/AVP"
    assert attributes(call.final.body, "crypto") == attributes(call.final.body, "fingerprint") == []

    talk(caller, rtpengine, call, far_end)
    assert call.request["Call-ID"] in rtpengine.calls()
    assert nobody.send_within_dialog("BYE", call, cseq=2).final.status == 200
    assert call.request["Call-ID"] not in rtpengine.calls()


@pytest.mark.skipif(linphone.PROGRAM is None, reason="no linphonec (Debian: linphone-cli) on the PATH")
@pytest.mark.parametrize("media", MEDIA)
def test_audio_of_a_telephone_that_is_not_rtpengine(
    nobody: EdgeGateway, rtpengine: Rtpengine, caller: RtpPeer, tmp_path: Path, media: str
) -> None:
    """A client of the field understands the offer, and what it sends can be heard."""
    with Linphone(tmp_path / "bob", "bob", answers=True) as bob:
        call = nobody.call(nobody.invite(f"sip:{bob.hostport}", media, body=sdp(caller.port)))
        assert (call.final.status, sdp_profile(call.final.body)) == (200, "RTP/AVP")
        caller.talk_to(rtpengine.ip, sdp_audio(call.final.body)[0])
        bob.play(b"\x00\x10" * 8000 * 30)
        # 0x1000 in A-law.
        for _ in range(20):
            caller.packet(lambda payload_type, payload: payload_type == 8 and payload == b"\x85" * 160, timeout_s=20)
        assert nobody.send_within_dialog("BYE", call, cseq=2).final.status == 200


@pytest.mark.parametrize("media", MEDIA)
def test_caller_holds(
    nobody: EdgeGateway,
    rtpengine: Rtpengine,
    provider: SipPeer,
    far_end: ProviderWithMedia,
    caller: RtpPeer,
    media: str,
) -> None:
    call = nobody.call(nobody.invite(f"sip:{provider.hostport}", media, body=sdp(caller.port)))
    talk(caller, rtpengine, call, far_end)
    for cseq, direction in ((2, "sendonly"), (3, "sendrecv")):
        changed = nobody.send_within_dialog("INVITE", call, cseq=cseq, body=sdp(caller.port, direction=direction))
        assert (changed.final.status, sdp_profile(changed.final.body)) == (200, "RTP/AVP")
        arrived = provider.request("INVITE", count=cseq)
        assert (sdp_profile(arrived.body), sdp_direction(arrived.body)) == (MEDIA[media], direction)
    caller.drain()
    far_end.telephone.drain()
    talk(caller, rtpengine, changed, far_end)


@pytest.mark.parametrize("media", MEDIA)
def test_callee_sends_its_session_again(
    nobody: EdgeGateway,
    rtpengine: Rtpengine,
    provider: SipPeer,
    far_end: ProviderWithMedia,
    caller: RtpPeer,
    media: str,
) -> None:
    """As a session timer has it do. Keys and roles stay as they are."""
    call = nobody.call(nobody.invite(f"sip:{provider.hostport}", media, body=sdp(caller.port)))
    talk(caller, rtpengine, call, far_end)
    first = provider.request("INVITE")
    nobody.freeswitch.rule = answers(body=sdp(caller.port))
    routes = [("Route", route) for route in first.values("Record-Route")]
    offer = far_end.answers[-1].replace("a=setup:active", "a=setup:actpass")
    again = provider.send_as_callee("INVITE", first, headers=routes, body=offer)
    final = provider.final_response(again, timeout_s=20)
    assert (final.status, sdp_profile(final.body)) == (200, MEDIA[media])
    received = nobody.freeswitch.wait_for(lambda one: one.method == "INVITE" and one["Call-ID"] == first["Call-ID"])
    assert sdp_profile(received.body) == "RTP/AVP"
    assert sdp_audio(final.body)[0] == sdp_audio(first.body)[0]
    caller.drain()
    far_end.telephone.drain()
    talk(caller, rtpengine, call, far_end)


@pytest.mark.parametrize("media", MEDIA)
def test_offer_of_the_callee(
    nobody: EdgeGateway,
    rtpengine: Rtpengine,
    provider: SipPeer,
    far_end: ProviderWithMedia,
    caller: RtpPeer,
    media: str,
) -> None:
    """FreeSWITCH has no offer when its caller had none: the callee's is answered in the ACK."""
    invite = nobody.invite(f"sip:{provider.hostport}", media, body="")
    provider.rule = lambda request: [Reply(200, "OK", body=far_end.offer(request, MEDIA[media]))]
    call = nobody.call(invite, answer=sdp(caller.port))
    assert sdp_profile(call.final.body) == "RTP/AVP"
    ack = provider.request("ACK")
    assert sdp_profile(ack.body) == MEDIA[media]
    far_end.take_answer(provider.request("INVITE"), ack)
    talk(caller, rtpengine, call, far_end)


@pytest.mark.parametrize("media", MEDIA)
def test_plain_rtp_is_not_taken_instead(
    nobody: EdgeGateway, rtpengine: Rtpengine, provider: SipPeer, media: str
) -> None:
    """The answer arrives without SDP; FreeSWITCH then gives the call up."""
    provider.rule = answers(body=sdp())
    call = nobody.call(nobody.invite(f"sip:{provider.hostport}", media))
    assert (call.final.status, call.final.body) == (200, "")
    first = provider.request("INVITE")
    routes = [("Route", route) for route in first.values("Record-Route")]
    again = provider.send_as_callee("INVITE", first, headers=routes, body=sdp())
    assert provider.final_response(again).start_line == "SIP/2.0 488 Media Not As Agreed"
    assert nobody.send_within_dialog("BYE", call, cseq=2).final.status == 200
    assert call.request["Call-ID"] not in rtpengine.calls()


def test_media_that_nobody_knows_is_refused(nobody: EdgeGateway, provider: SipPeer) -> None:
    call = nobody.call(nobody.invite(f"sip:{provider.hostport}", "zrtp"))
    assert call.final.start_line == "SIP/2.0 503 No Media Relay"
    assert provider.received == []


def test_call_that_fails_leaves_nothing(nobody: EdgeGateway, rtpengine: Rtpengine, provider: SipPeer) -> None:
    provider.rule = replies(Reply(486, "Busy Here"))
    call = nobody.call(nobody.invite(f"sip:{provider.hostport}", "dtls-savp"))
    assert call.final.status == 486
    wait_until("it is forgotten", lambda: call.request["Call-ID"] not in rtpengine.calls())


def test_call_that_is_cancelled_leaves_nothing(nobody: EdgeGateway, rtpengine: Rtpengine, provider: SipPeer) -> None:
    provider.rule = replies(Reply(180, "Ringing"))
    invite = nobody.invite(f"sip:{provider.hostport}", "dtls-savp")
    nobody.send(invite)
    ringing = nobody.freeswitch.response(invite, 180)
    assert invite["Call-ID"] in rtpengine.calls()
    nobody.send(nobody.freeswitch.within_dialog("CANCEL", invite, ringing, cseq=1))
    provider.request("CANCEL")
    provider.respond(provider.request("INVITE"), Reply(487, "Request Terminated"))
    assert nobody.freeswitch.final_response(invite).status == 487
    wait_until("it is forgotten", lambda: invite["Call-ID"] not in rtpengine.calls())


def test_call_that_is_challenged_comes_again(
    edge: Edge,
    freeswitch: SipPeer,
    rtpengine: Rtpengine,
    provider: SipPeer,
    far_end: ProviderWithMedia,
    caller: RtpPeer,
) -> None:
    registrar = DigestProvider("realm", {"alice-auth": "s3cret"}, far_end.rule)
    provider.rule = registrar.rule
    edge.set_account("sipbridge.alice.1", "clear", f"sip:{provider.hostport}", "s3cret")
    alice = EdgeGateway(freeswitch, edge, "sipbridge.alice.1")
    call = alice.call(alice.invite(f"sip:{provider.hostport}", "dtls-savp", body=sdp(caller.port)))
    assert call.final.status == 200
    talk(caller, rtpengine, call, far_end)
    assert alice.send_within_dialog("BYE", call, cseq=3).final.status == 200


def test_rtpengine_dies_in_a_call_and_comes_back(
    nobody: EdgeGateway, rtpengine: Rtpengine, provider: SipPeer, far_end: ProviderWithMedia, caller: RtpPeer
) -> None:
    """Silence until one side sends a re-INVITE; new calls are refused while it is away, and go through afterwards."""
    call = nobody.call(nobody.invite(f"sip:{provider.hostport}", "avpf", body=sdp(caller.port)))
    talk(caller, rtpengine, call, far_end)
    rtpengine.kill()
    try:
        refused = nobody.call(nobody.invite(f"sip:{provider.hostport}", "avpf"))
        assert refused.final.start_line == "SIP/2.0 503 No Media Relay"
    finally:
        rtpengine.start()

    def answered() -> Exchange | None:
        call = nobody.call(nobody.invite(f"sip:{provider.hostport}", "avpf", body=sdp(caller.port)))
        return call if call.final.status == 200 else None

    assert sdp_profile(wait_until("calls go through again", answered, timeout_s=30).final.body) == "RTP/AVP"
    mended = nobody.send_within_dialog("INVITE", call, cseq=2, body=sdp(caller.port))
    assert mended.final.status == 200
    caller.drain()
    far_end.telephone.drain()
    talk(caller, rtpengine, mended, far_end)

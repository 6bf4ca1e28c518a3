"""Calls of a real FreeSWITCH whose media the edge changes, with RTP both ways; and what breaks when the edge does."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from edge_account import Account, add_account

from support import edge as edge_program
from support import rtpengine as rtpengine_program
from support.digest import DigestProvider, md5
from support.edge import Edge
from support.freeswitch import FreeSwitch
from support.media_provider import MEDIA, ProviderWithMedia
from support.parked_call import ParkedCall
from support.processes import wait_until
from support.rtp import RtpPeer
from support.rtpengine import Rtpengine
from support.sip_message import SipMessage, sdp, sdp_audio, sdp_profile
from support.sip_peer import SipPeer
from support.sip_rule import answers

pytestmark = [
    pytest.mark.skipif(edge_program.PROGRAM is None, reason="no kamailio on the PATH"),
    pytest.mark.skipif(rtpengine_program.PROGRAM is None, reason="no rtpengine on the PATH"),
]

REALM = "jabiru"
HA1 = md5("alice", REALM, "s3cret")


@pytest.fixture(scope="module")
def rtpengine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rtpengine]:
    with Rtpengine(tmp_path_factory.mktemp("rtpengine")) as rtpengine:
        yield rtpengine


@pytest.fixture(scope="module")
def far_rtpengine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rtpengine]:
    with Rtpengine(tmp_path_factory.mktemp("far-rtpengine")) as rtpengine:
        yield rtpengine


@pytest.fixture(scope="module")
def edge(freeswitch: FreeSwitch, rtpengine: Rtpengine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    directory = tmp_path_factory.mktemp("edge")
    with Edge(directory, freeswitch.providers, rtpengine=rtpengine.control) as edge:
        yield edge


@pytest.fixture
def registrar() -> DigestProvider:
    return DigestProvider(REALM, {"alice": "s3cret"}, challenges=("REGISTER", "INVITE", "BYE"))


@pytest.fixture
def provider(registrar: DigestProvider) -> Iterator[SipPeer]:
    with SipPeer(registrar.rule) as peer:
        yield peer


@pytest.fixture
def far_end(far_rtpengine: Rtpengine, registrar: DigestProvider) -> Iterator[ProviderWithMedia]:
    with RtpPeer() as telephone:
        far_end = ProviderWithMedia(far_rtpengine, telephone)
        registrar.callee = far_end.rule
        yield far_end


@pytest.fixture
def alice(freeswitch: FreeSwitch, edge: Edge, provider: SipPeer) -> Iterator[Account]:
    account = add_account(freeswitch, edge, provider, "md5", HA1, "udp", "alice")
    account.state("REGED")
    yield account
    account.remove()


@pytest.fixture
def telephone() -> Iterator[RtpPeer]:
    """The caller's."""
    with RtpPeer() as peer:
        yield peer


def is_audio(payload_type: int, payload: bytes) -> bool:
    return payload_type == 8 and payload == b"\xd5" * 160


def talk(call: ParkedCall, final: SipMessage, telephone: RtpPeer, far_end: ProviderWithMedia) -> None:
    """Have both sides hear each other."""
    telephone.talk_to(call.freeswitch.ip, sdp_audio(final.body)[0])
    hear(telephone, far_end)


def hear(telephone: RtpPeer, far_end: ProviderWithMedia) -> None:
    for peer in (telephone, far_end.telephone):
        for _ in range(50):
            peer.packet(is_audio, timeout_s=20)


@pytest.mark.parametrize("media", MEDIA)
def test_call_with_rtp_both_ways(
    alice: Account,
    caller: SipPeer,
    provider: SipPeer,
    far_end: ProviderWithMedia,
    rtpengine: Rtpengine,
    telephone: RtpPeer,
    media: str,
) -> None:
    call = alice.call(caller, media, body=sdp(telephone.port))
    final = call.final_response(20)
    assert final.status == 200
    invite = provider.wait_for(lambda one: one.method == "INVITE" and "Authorization" in one)
    assert sdp_profile(invite.body) == MEDIA[media]
    talk(call, final, telephone, far_end)
    assert invite["Call-ID"] in rtpengine.calls()
    call.send("BYE", final, cseq=2)
    call.ended(20)
    provider.wait_for(lambda one: one.method == "BYE" and "Authorization" in one, timeout_s=20)
    wait_until("it is forgotten", lambda: rtpengine.calls() == [])


def test_freeswitch_gives_a_call_up_whose_media_is_not_as_agreed(
    alice: Account, caller: SipPeer, registrar: DigestProvider, provider: SipPeer, rtpengine: Rtpengine
) -> None:
    registrar.callee = answers(body=sdp())
    call = alice.call(caller, "dtls-savp")
    final = call.final_response(20)
    assert final.status >= 400
    assert provider.request("BYE", timeout_s=20)
    wait_until("it is forgotten", lambda: rtpengine.calls() == [])


def test_rtpengine_dies_in_a_call(
    alice: Account,
    caller: SipPeer,
    far_end: ProviderWithMedia,
    rtpengine: Rtpengine,
    telephone: RtpPeer,
) -> None:
    """Both sides hear silence; the next re-INVITE, of a hold or of a session timer, brings the audio back."""
    call = alice.call(caller, "avpf", body=sdp(telephone.port))
    final = call.final_response(20)
    talk(call, final, telephone, far_end)
    rtpengine.kill()
    rtpengine.start()
    assert rtpengine.calls() == []
    for cseq, direction in ((2, "sendonly"), (3, "sendrecv")):
        changed = call.send("INVITE", final, cseq=cseq, body=sdp(telephone.port, direction=direction))
        answer = caller.final_response(changed, timeout_s=20)
        assert answer.status == 200
        call.send("ACK", answer, cseq=cseq)
    telephone.drain()
    far_end.telephone.drain()
    hear(telephone, far_end)
    call.send("BYE", final, cseq=4)
    call.ended(20)


def test_kamailio_dies_and_comes_back_without_its_table(
    freeswitch: FreeSwitch, alice: Account, edge: Edge, caller: SipPeer, provider: SipPeer
) -> None:
    """A call goes on. FreeSWITCH takes the account for registered; its calls go through when the table is there."""
    going_on = alice.call(caller)
    answered = going_on.final_response(20)
    edge.kill()
    edge.start()

    refused = alice.call(caller)
    assert refused.final_response(20).status == 503
    assert alice.gateway in freeswitch.gateways_up()
    going_on.send("BYE", answered, cseq=2)
    going_on.ended(20)
    assert provider.request("BYE", timeout_s=20)

    edge.set_account(alice.gateway, "md5", alice.next_hop, HA1)
    call = alice.call(caller)
    final = call.final_response(20)
    assert final.status == 200
    call.send("BYE", final, cseq=2)
    call.ended(20)

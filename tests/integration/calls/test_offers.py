"""What becomes of a call by its SDP: one that cannot have sound rings nobody, and one without an SDP works."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator

import jabiru
import pytest
from jabiru import TwoDomains, two_domains

from support.freeswitch import FreeSwitch
from support.processes import wait_until
from support.rtp import RtpPeer
from support.sip_message import SipMessage, sdp, sdp_audio
from support.sip_peer import SipPeer
from support.sip_rule import Reply, Rule, answers

LINES = 5
SESSION = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\n"
ON_LOOPBACK = SESSION + "c=IN IP4 127.0.0.1\r\nt=0 0\r\n"
WITHOUT_SOUND = {
    "no common codec": (
        ON_LOOPBACK
        + "m=audio 40000 RTP/AVP 96 97\r\na=rtpmap:96 opus/48000/2\r\na=rtpmap:97 telephone-event/48000\r\n",
        "OPUS offered, PCMA, PCMU allowed here",
    ),
    "fax": (ON_LOOPBACK + "m=image 40002 udptl t38\r\na=T38FaxVersion:0\r\n", "no audio is offered, only image"),
    "video": (ON_LOOPBACK + "m=video 40002 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n", "no audio is offered"),
    "audio refused": (ON_LOOPBACK + "m=audio 0 RTP/AVP 8\r\n", "no audio is offered"),
    "nothing": (ON_LOOPBACK, "no media"),
    "other IP version": (
        SESSION + "c=IN IP6 2001:db8::1\r\nt=0 0\r\nm=audio 40000 RTP/AVP 8\r\n",
        "has no IPv4 address",
    ),
}
WAYS = ["out", "in"]


@pytest.fixture(scope="module", params=["udp", "tcp"])
def domains(
    request: pytest.FixtureRequest, bridged_freeswitch: FreeSwitch, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[TwoDomains]:
    folder = tmp_path_factory.mktemp("bridge")
    with two_domains(bridged_freeswitch, folder, request.param, lines=LINES) as domains:
        yield domains


@pytest.fixture(autouse=True)
def _answering(domains: TwoDomains) -> Iterator[None]:
    yield
    domains.provider.callee = answers()
    domains.proxy.rule = answers()
    domains.freeswitch.event_socket.api("hupall")


def ends(domains: TwoDomains, way: str) -> tuple[SipPeer, SipPeer, str]:
    """The caller, the callee, and where the caller sends its requests."""
    if way == "out":
        return domains.proxy, domains.jabiru, domains.inside
    return domains.jabiru, domains.proxy, domains.providers


def answer_with(domains: TwoDomains, way: str, rule: Rule) -> None:
    if way == "out":
        domains.provider.callee = rule
    else:
        domains.proxy.rule = rule


def invite(domains: TwoDomains, way: str, body: str) -> SipMessage:
    return domains.invite_out(body=body) if way == "out" else domains.invite_in(body=body)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", WITHOUT_SOUND)
def test_an_offer_that_cannot_become_sound_gets_488_and_rings_nobody(domains: TwoDomains, way: str, kind: str) -> None:
    caller, callee, called = ends(domains, way)
    offer, why = WITHOUT_SOUND[kind]
    heard = len(callee.received)
    call = domains.outcome(caller, called, invite(domains, way, offer))
    assert call.answer.status == 488
    assert [one for one in callee.received[heard:] if one.method == "INVITE"] == []
    wait_until("the reason is logged", lambda: why in domains.bridge.log())
    assert domains.bridge.accounts()[jabiru.ALICE]["freeSlots"] == LINES


@pytest.mark.parametrize("way", WAYS)
def test_a_host_name_as_the_address_of_media_works(domains: TwoDomains, way: str) -> None:
    caller, _, called = ends(domains, way)
    offer = SESSION + "c=IN IP4 localhost\r\nt=0 0\r\nm=audio 40000 RTP/AVP 8\r\n"
    call = domains.outcome(caller, called, invite(domains, way, offer))
    assert call.answer.status == 200
    call.hang_up()
    domains.bridge.wait_for_free_slots(jabiru.ALICE, LINES)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("progress", [180, 183])
def test_a_call_without_an_offer_rings_and_gets_the_offer_in_the_200(
    domains: TwoDomains, way: str, progress: int
) -> None:
    caller, callee, called = ends(domains, way)
    rings = threading.Event()
    with RtpPeer() as near, RtpPeer() as far:
        heard = len(callee.received)
        answer_with(domains, way, _answers_once_it_rang(progress, far.port, rings))
        provisional: list[SipMessage] = []

        def on_response(response: SipMessage) -> None:
            if 180 <= response.status < 200:
                provisional.append(response)
                rings.set()

        caller.on_response = on_response
        request = invite(domains, way, "")
        answer = caller.final_response(request, timeout_s=20)
        caller.on_response = lambda _: None
        call = jabiru.Call(caller, called, domains.transport, request, answer)
        assert answer.status == 200
        assert [(one.status, one.body) for one in provisional] == [(180, "")]
        call.send("ACK", cseq=1, body=sdp(near.port))

        arrived = callee.request("INVITE", count=2 if way == "out" else 1, since=heard)
        near.talk_to(domains.freeswitch.ip, sdp_audio(answer.body)[0])
        far.talk_to(domains.freeswitch.ip, sdp_audio(arrived.body)[0])
        near.hears(8, 25)
        far.hears(8, 25)
        call.hang_up()
        domains.bridge.wait_for_free_slots(jabiru.ALICE, LINES)


def _answers_once_it_rang(progress: int, port: int, rang: threading.Event) -> Rule:
    """Progress, and 200 when the caller has heard that it rings, or has not for some seconds."""

    def rule(request: SipMessage) -> Iterable[Reply]:
        if request.method != "INVITE" or request.in_dialog:
            yield Reply(200, "OK")
            return
        yield Reply(180, "Ringing") if progress == 180 else Reply(183, "Session Progress", body=sdp(port))
        rang.wait(5)
        yield Reply(200, "OK", body=sdp(port))

    return rule

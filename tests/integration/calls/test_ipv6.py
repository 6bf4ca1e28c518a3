"""A proxy on IPv4 and a provider on IPv6, which wants its digits as INFO: registration, calls and RTP both ways."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from jabiru import TwoDomains, two_domains

from support.freeswitch import FreeSwitch
from support.processes import free_tcp_port
from support.rtp import RtpPeer
from support.sip_message import sdp, sdp_audio
from support.sip_rule import answers

LOOPBACK = "::1"


@pytest.fixture(scope="module")
def switch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FreeSwitch]:
    port = free_tcp_port(LOOPBACK)
    switch = FreeSwitch(
        tmp_path_factory.mktemp("fs6"),
        sipbridge_providers_ip=LOOPBACK,
        sipbridge_providers_port=str(port),
        sipbridge_providers_dtmf="info",
    )
    switch.providers = f"[{LOOPBACK}]:{port}"
    yield switch
    switch.kill()


@pytest.fixture(scope="module", params=["udp", "tcp"])
def domains(
    request: pytest.FixtureRequest, switch: FreeSwitch, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[TwoDomains]:
    with two_domains(switch, tmp_path_factory.mktemp("bridge"), request.param, far_ip=LOOPBACK) as domains:
        yield domains


def test_starts_without_complaint(switch: FreeSwitch) -> None:
    assert switch.complaints() == []


def test_call_out_with_media_both_ways(domains: TwoDomains) -> None:
    heard = len(domains.jabiru.received)
    with RtpPeer() as near, RtpPeer(LOOPBACK) as far:
        domains.provider.callee = answers(body=sdp(far.port, ip=LOOPBACK))
        call = domains.call_out(body=sdp(near.port))
        assert call.answer.status == 200
        # The first is asked for a digest.
        invite = domains.jabiru.request("INVITE", count=2, since=heard)
        assert f"c=IN IP6 {LOOPBACK}\r\n" in invite.body
        assert f"@[{LOOPBACK}]:" in invite["Contact"]
        near.talk_to(domains.freeswitch.ip, sdp_audio(call.answer.body)[0])
        far.talk_to(LOOPBACK, sdp_audio(invite.body)[0])
        near.hears(8, 25)
        far.hears(8, 25)
        near.press(7)
        info = domains.jabiru.request("INFO", since=heard, timeout_s=20)
        assert "Signal=7" in info.body
        call.hang_up()


def test_call_in_with_media_both_ways(domains: TwoDomains) -> None:
    heard = len(domains.proxy.received)
    with RtpPeer() as near, RtpPeer(LOOPBACK) as far:
        domains.proxy.rule = answers(body=sdp(near.port))
        call = domains.call_in(body=sdp(far.port, ip=LOOPBACK))
        assert call.answer.status == 200
        invite = domains.proxy.request("INVITE", since=heard)
        far.talk_to(LOOPBACK, sdp_audio(call.answer.body)[0])
        near.talk_to(domains.freeswitch.ip, sdp_audio(invite.body)[0])
        near.hears(8, 25)
        far.hears(8, 25)
        far.press(3)
        near.hears_digit(3)
        call.hang_up()

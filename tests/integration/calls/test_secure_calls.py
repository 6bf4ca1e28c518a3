"""A provider over TLS, its certificate verified, with SDES and with DTLS-SRTP: what is offered, and RTP both ways."""

from __future__ import annotations

import shutil
import socket
import ssl
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import jabiru
import pytest
from jabiru import TwoDomains

from support import rtpengine as rtpengine_program
from support import tls_relay
from support.bridge import Bridge
from support.digest import DigestProvider
from support.freeswitch import FreeSwitch
from support.media_provider import ProviderWithMedia
from support.rtp import RtpPeer
from support.rtpengine import Rtpengine
from support.sip_message import parse_message, sdp, sdp_audio, sdp_profile
from support.sip_peer import SipPeer
from support.sip_rule import answers
from support.tls_relay import TlsRelay, make_certificate

pytestmark = pytest.mark.skipif(tls_relay.PROGRAM is None, reason="no openssl on the PATH")

NAME = "127.0.0.1"
MEDIA = {"sdes": "RTP/SAVP", "dtls-srtp": "RTP/SAVPF"}


def start(directory: Path, trusted: Path, verify: str) -> FreeSwitch:
    """A FreeSWITCH that speaks TLS to providers, and trusts one certificate."""
    mine = make_certificate(directory / "mine", "bridge.example.org")
    tls = directory / "tls"
    tls.mkdir()
    (tls / "agent.pem").write_text((mine / "cert.pem").read_text() + (mine / "key.pem").read_text())
    shutil.copy(trusted / "cert.pem", tls / "cafile.pem")
    return FreeSwitch(
        directory / "fs",
        sipbridge_providers_tls="true",
        sipbridge_providers_tls_directory=str(tls),
        sipbridge_providers_tls_verify=verify,
    )


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_certificate(tmp_path_factory.mktemp("certificate"), NAME)


@pytest.fixture(scope="module")
def switch(tmp_path_factory: pytest.TempPathFactory, certificate: Path) -> Iterator[FreeSwitch]:
    switch = start(tmp_path_factory.mktemp("tls"), certificate, "subjects_out")
    yield switch
    switch.kill()


@pytest.fixture(scope="module", params=MEDIA)
def domains(
    request: pytest.FixtureRequest, switch: FreeSwitch, certificate: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[TwoDomains]:
    provider = DigestProvider(jabiru.DOMAIN, jabiru.PASSWORDS)
    with ExitStack() as stack:
        far, proxy = stack.enter_context(SipPeer(provider.rule)), stack.enter_context(SipPeer())
        relay = stack.enter_context(TlsRelay(far.hostport, certificate))
        file = jabiru.providers_file(far.hostport, proxy.hostport, "tcp")
        pool = file["accountPools"]["JabiruAccountPool"]
        pool["outboundProxy"] = f"<sip:{NAME}:{relay.hostport.rpartition(':')[2]};transport=tls>"
        file["providers"][0]["outgoingInvite"]["mediaEncryption"] = request.param
        # 1.10 would not verify the provider's certificate: test_dtls_fingerprints.
        settings = "[calls]\naccept_unverified_dtls = true"
        bridge = Bridge(tmp_path_factory.mktemp("bridge"), switch, file, more_settings=settings)
        stack.callback(bridge.kill)
        bridge.wait_for_status(jabiru.ALICE, "OK", timeout_s=30)
        yield TwoDomains(switch, bridge, far, provider, proxy, "tcp")


def test_starts_without_complaint(switch: FreeSwitch) -> None:
    assert switch.complaints() == []


@pytest.mark.skipif(rtpengine_program.PROGRAM is None, reason="no rtpengine on the PATH")
def test_media_is_protected_as_asked_and_heard_on_both_sides(domains: TwoDomains, tmp_path: Path) -> None:
    heard = len(domains.jabiru.received)
    with Rtpengine(tmp_path / "rtpengine") as rtpengine, RtpPeer() as near, RtpPeer() as telephone:
        far_end = ProviderWithMedia(rtpengine, telephone, ice="default")
        domains.provider.callee = far_end.rule
        call = domains.call_out(body=sdp(near.port))
        assert call.answer.status == 200
        offer = domains.jabiru.request("INVITE", count=2, since=heard).body
        profile = sdp_profile(offer)
        assert profile in MEDIA.values()
        if profile == MEDIA["sdes"]:
            lines = [line for line in offer.splitlines() if line.startswith("a=crypto:")]
            assert [line.split()[1] for line in lines] == ["AES_CM_128_HMAC_SHA1_80"]
        else:
            assert "a=fingerprint:sha-256 " in offer
            assert "a=crypto" not in offer
        assert sdp_profile(far_end.answers[-1]) == profile
        near.talk_to(domains.freeswitch.ip, sdp_audio(call.answer.body)[0])
        telephone.hears(8, 25)
        near.hears(8, 25)
        near.press(5)
        telephone.hears_digit(5)
        telephone.press(9)
        near.hears_digit(9)
        call.hang_up()


@pytest.mark.skipif(rtpengine_program.PROGRAM is None, reason="no rtpengine on the PATH")
@pytest.mark.parametrize(("profile", "ice"), [("RTP/SAVP", "remove"), ("UDP/TLS/RTP/SAVPF", "force")])
def test_protected_media_that_a_provider_offers_is_taken(
    bridged_freeswitch: FreeSwitch, tmp_path: Path, profile: str, ice: str
) -> None:
    provider = DigestProvider(jabiru.DOMAIN, jabiru.PASSWORDS)
    with ExitStack() as stack:
        far, proxy = stack.enter_context(SipPeer(provider.rule)), stack.enter_context(SipPeer())
        rtpengine = stack.enter_context(Rtpengine(tmp_path / "rtpengine"))
        near, telephone = stack.enter_context(RtpPeer()), stack.enter_context(RtpPeer())
        bridge = Bridge(
            tmp_path / "bridge", bridged_freeswitch, jabiru.providers_file(far.hostport, proxy.hostport, "udp")
        )
        stack.callback(bridge.kill)
        bridge.wait_for_status(jabiru.ALICE, "OK")
        domains = TwoDomains(bridged_freeswitch, bridge, far, provider, proxy, "udp")
        proxy.rule = answers(body=sdp(near.port))
        of_call = {"call_id": "in", "from_tag": "far", "rtcp_mux": ["offer"]}
        offer = rtpengine.ask("offer", **of_call, sdp=sdp(telephone.port), transport_protocol=profile, ICE=ice)["sdp"]
        call = domains.call_in(body=offer)
        assert call.answer.status == 200
        assert sdp_profile(call.answer.body) == profile
        plain = rtpengine.ask(
            "answer", **of_call, to_tag="near", sdp=call.answer.body, transport_protocol="RTP/AVP", ICE="remove"
        )["sdp"]
        telephone.talk_to(rtpengine.ip, sdp_audio(plain)[0])
        near.talk_to(bridged_freeswitch.ip, sdp_audio(proxy.request("INVITE").body)[0])
        assert sdp_profile(proxy.request("INVITE").body) == "RTP/AVP"
        near.hears(8, 25)
        telephone.hears(8, 25)
        call.hang_up()


@pytest.mark.parametrize(
    ("name", "verify", "status"),
    [
        (NAME, "subjects_out", "OK"),
        ("elsewhere.example.org", "out", "OK"),
        ("elsewhere.example.org", "subjects_out", "Registration failed"),
        ("untrusted", "out", "Registration failed"),
        ("untrusted", "none", "OK"),
    ],
)
def test_certificate_of_the_provider_is_verified(
    tmp_path_factory: pytest.TempPathFactory, certificate: Path, name: str, verify: str, status: str
) -> None:
    directory = tmp_path_factory.mktemp("verify")
    shown = make_certificate(directory / "shown", NAME if name == "untrusted" else name)
    provider = DigestProvider(jabiru.DOMAIN, jabiru.PASSWORDS)
    switch = start(directory, certificate if name == "untrusted" else shown, verify)
    with ExitStack() as stack:
        stack.callback(switch.kill)
        far, proxy = stack.enter_context(SipPeer(provider.rule)), stack.enter_context(SipPeer())
        relay = stack.enter_context(TlsRelay(far.hostport, shown))
        file = jabiru.providers_file(far.hostport, proxy.hostport, "tcp")
        pool = file["accountPools"]["JabiruAccountPool"]
        pool["outboundProxy"] = f"<sip:{NAME}:{relay.hostport.rpartition(':')[2]};transport=tls>"
        bridge = Bridge(directory / "bridge", switch, file)
        stack.callback(bridge.kill)
        bridge.wait_for_status(jabiru.ALICE, status, timeout_s=40)
        if status != "OK":
            assert far.received == [], "nothing was sent to somebody who is not who we wanted"


def test_tls_port_answers_with_our_certificate(switch: FreeSwitch, domains: TwoDomains) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(switch.directory.parent / "mine/cert.pem")
    with (
        socket.create_connection((switch.ip, 5081), 10) as plain,
        context.wrap_socket(plain, server_hostname="bridge.example.org") as secure,
    ):
        assert secure.version() in ("TLSv1.2", "TLSv1.3")
        options = domains.proxy.new_request(
            "OPTIONS", f"sip:{switch.ip}:5081;transport=tls", from_="<sip:a@b>", to="<sip:c@d>", transport="tls"
        )
        secure.sendall(options.encode())
        assert parse_message(secure.recv(65_536)).status == 200

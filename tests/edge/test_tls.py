"""Providers that want TLS."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support import edge as edge_program
from support import tls_relay
from support.digest import DigestProvider, md5
from support.edge import Edge
from support.edge_gateway import EdgeGateway
from support.sip_message import sdp
from support.sip_peer import SipPeer
from support.tls_relay import TlsRelay, make_certificate

pytestmark = [
    pytest.mark.skipif(tls_relay.PROGRAM is None, reason="no openssl on the PATH"),
    pytest.mark.skipif(not edge_program.has_tls(), reason="no TLS module for kamailio"),
]

NAME = "sip.jabiru.example.org"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_certificate(tmp_path_factory.mktemp("certificate"), NAME)


@pytest.fixture(scope="module")
def edge(freeswitch: SipPeer, certificate: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    directory = tmp_path_factory.mktemp("edge")
    with Edge(directory, freeswitch.hostport, tls=certificate, definitions={"SILENCE_MS": "1500"}) as edge:
        edge.rpc("htable.sets", "account", "sipbridge.epoch", "of a test")
        yield edge


@pytest.fixture
def alice(freeswitch: SipPeer, edge: Edge) -> EdgeGateway:
    return EdgeGateway(freeswitch, edge, "sipbridge.alice.1")


def test_registers_calls_and_is_called(
    alice: EdgeGateway, edge: Edge, freeswitch: SipPeer, provider: SipPeer, certificate: Path
) -> None:
    registrar = DigestProvider("realm", {"alice-auth": "s3cret"}, challenges=("REGISTER", "INVITE", "BYE"))
    provider.rule = registrar.rule
    with TlsRelay(provider.hostport, certificate) as relay:
        next_hop = f"sip:{relay.hostport};transport=tls"
        edge.set_account(alice.name, "md5", next_hop, md5("alice-auth", "realm", "s3cret"))
        assert alice.register().final.status == 200
        contact = f"sip:gw+{alice.name}@{edge.outside_tls};transport=tls;gw={alice.name}"
        assert registrar.bindings == {alice.uri: contact}
        register = provider.request("REGISTER")
        assert register.request_uri == "sip:jabiru.example.org;transport=tls"
        assert register["Via"].startswith(f"SIP/2.0/TLS {edge.outside_tls};")

        call = alice.call(alice.invite(next_hop))
        assert call.final.status == 200
        invite = provider.request("INVITE")
        assert invite["Contact"] == f"<{contact}>"
        assert invite["Record-Route"].startswith(f"<sip:{edge.outside_tls};transport=tls;")

        connection = next(iter(provider.connections))
        incoming = provider.new_request(
            "INVITE", contact, from_="<sip:bob@far>", to=f"<{alice.uri}>", transport="tls", body=sdp()
        )
        provider.send(incoming, connection, "tls")
        final = provider.final_response(incoming)
        assert final.status == 200
        assert final["Contact"].endswith(f"@{edge.outside_tls};transport=tls>")
        assert freeswitch.wait_for(lambda one: one.method == "INVITE" and one["Call-ID"] == incoming["Call-ID"])


def test_host_is_asked_for_by_its_name(alice: EdgeGateway, edge: Edge, provider: SipPeer, certificate: Path) -> None:
    with TlsRelay(provider.hostport, certificate) as relay:
        ip, _, port = relay.hostport.rpartition(":")
        edge.rpc("dns.add_a", NAME, 60, ip, 0)
        edge.set_account(alice.name, "none", f"sip:{NAME}:{port};transport=tls")
        assert alice.register().final.status == 200
        assert relay.names == [NAME]


def test_certificate_that_nobody_vouches_for(alice: EdgeGateway, edge: Edge, provider: SipPeer, tmp_path: Path) -> None:
    unknown = make_certificate(tmp_path / "unknown", NAME)
    with TlsRelay(provider.hostport, unknown) as relay:
        call = alice.call(alice.invite(f"sip:{relay.hostport};transport=tls"))
    assert call.final.status == 408
    assert provider.received == []


@pytest.mark.parametrize(
    ("names", "accepted"),
    [
        (f"DNS:{NAME}", True),
        (f"DNS:first.example.org,DNS:second.example.org,IP:192.0.2.1,DNS:{NAME}", True),
        ("DNS:*.jabiru.example.org", True),
        (f"URI:sip:{NAME}", True),
        ("DNS:another.example.org", False),
        (f"DNS:x{NAME}", False),
        (f"DNS:{NAME}.example.com", False),
        ("DNS:*.example.org", False),
        (f"email:x@{NAME}", False),
        ("IP:127.0.0.1", False),
    ],
)
def test_certificate_is_for_the_host(
    freeswitch: SipPeer, provider: SipPeer, tmp_path: Path, names: str, accepted: bool
) -> None:
    """Of a name that somebody vouches for: whoever has any certificate gets no digest, and no call."""
    theirs = make_certificate(tmp_path / "theirs", NAME, names)
    provider.rule = DigestProvider("realm", {"alice-auth": "s3cret"}, challenges=("REGISTER", "INVITE")).rule
    with (
        Edge(tmp_path / "edge", freeswitch.hostport, tls=theirs, definitions={"SILENCE_MS": "1500"}) as edge,
        TlsRelay(provider.hostport, theirs) as relay,
    ):
        ip, _, port = relay.hostport.rpartition(":")
        edge.rpc("dns.add_a", NAME, 60, ip, 0)
        made = EdgeGateway(freeswitch, edge, "sipbridge.alice.1")
        edge.set_account(made.name, "clear", f"sip:{NAME}:{port};transport=tls", "s3cret")
        call = made.call(made.invite(f"sip:{NAME}:{port};transport=tls"))
        assert call.final.status == (200 if accepted else 408)
        answered = [one for one in provider.received if "Proxy-Authorization" in one or "Authorization" in one]
        assert bool(answered) is accepted
        assert ("certificate is not for the host" in edge.log()) is not accepted


def test_bytes_that_look_like_a_name_are_none(freeswitch: SipPeer, provider: SipPeer, tmp_path: Path) -> None:
    """Whoever makes a key chooses its bytes, a whole extension among them; here another extension stands for it."""
    length = len(NAME)
    extension = bytes.fromhex("0603551d11") + bytes([4, length + 4, 0x30, length + 2, 0x82, length]) + NAME.encode()
    before = f"1.2.3.4=DER:{extension.hex()}"
    theirs = make_certificate(tmp_path / "theirs", NAME, "DNS:another.example.org", before)
    with (
        Edge(tmp_path / "edge", freeswitch.hostport, tls=theirs, definitions={"SILENCE_MS": "1500"}) as edge,
        TlsRelay(provider.hostport, theirs) as relay,
    ):
        ip, _, port = relay.hostport.rpartition(":")
        edge.rpc("dns.add_a", NAME, 60, ip, 0)
        made = EdgeGateway(freeswitch, edge, "sipbridge.alice.1")
        edge.set_account(made.name, "none", f"sip:{NAME}:{port};transport=tls")
        assert made.call(made.invite(f"sip:{NAME}:{port};transport=tls")).final.status == 408


@pytest.mark.parametrize(("names", "status"), [("IP:127.0.0.1", 200), ("IP:127.0.0.2", 408), (f"DNS:{NAME}", 408)])
def test_certificate_is_for_the_address(
    freeswitch: SipPeer, provider: SipPeer, tmp_path: Path, names: str, status: int
) -> None:
    theirs = make_certificate(tmp_path / "theirs", NAME, names)
    with (
        Edge(tmp_path / "edge", freeswitch.hostport, tls=theirs, definitions={"SILENCE_MS": "1500"}) as edge,
        TlsRelay(provider.hostport, theirs) as relay,
    ):
        made = EdgeGateway(freeswitch, edge, "sipbridge.alice.1")
        edge.set_account(made.name, "none", f"sip:{relay.hostport};transport=tls")
        assert made.call(made.invite(f"sip:{relay.hostport};transport=tls")).final.status == status

"""With what the Ansible roles write, sipp calls sipp over every transport; and who may connect over TLS."""

from __future__ import annotations

import socket
import ssl
from contextlib import ExitStack
from pathlib import Path

import jabiru
import pytest
from ansible_world import NEEDS_WORLD, World
from ansible_written import trunk

from support import sipp
from support.sip_peer import SipPeer
from support.sipp import Sipp
from support.tls_relay import TlsClientRelay, client_context

pytestmark = NEEDS_WORLD

CALLS = 10
RATE = 5
SCENARIOS = Path(__file__).parents[1] / "scenarios"


@pytest.mark.skipif(sipp.PROGRAM is None, reason="no sipp on the PATH")
@pytest.mark.parametrize("outwards", [True, False], ids=["out", "in"])
@pytest.mark.parametrize("transport", ["udp", "tcp", "tls"])
def test_sipp_calls_sipp(world: World, tmp_path: Path, transport: str, outwards: bool) -> None:
    account = f"{trunk(transport).name}@"
    if outwards:
        called = world.switch.inside_tls if transport == "tls" else world.switch.inside
        keys = {"from": f"sip:{account}{jabiru.PROXY_DOMAIN}", "to": f"sip:bob@{jabiru.PROXY_DOMAIN}"}
    else:
        called = world.switch.providers_tls if transport == "tls" else world.switch.providers
        keys = {"from": f"sip:bob@{jabiru.DOMAIN}", "to": f"sip:{account}{jabiru.DOMAIN}"}
    common = {"transport": transport, "ip": world.family.peers}
    with ExitStack() as stack:
        if transport == "tls":
            relay = stack.enter_context(TlsClientRelay(called, world.certificate, world.trusted))
            called = relay.hostport
        contact = f"sip:callee@{world.trunks[transport]};transport={transport}"
        callee = Sipp(SCENARIOS / "callee.xml", tmp_path, **common, port=world.trunk_port, contact=contact)
        stack.callback(callee.kill)
        keys |= {"request_uri": keys["to"]}
        caller = Sipp(SCENARIOS / "caller.xml", tmp_path, **common, remote=called, calls=CALLS, rate=RATE, keys=keys)
        stack.callback(caller.kill)
        caller.wait()
    world.bridge.wait_for_free_slots(f"sip:{account}{jabiru.DOMAIN}", jabiru.LINES)


def probe(hostport: str, context: ssl.SSLContext) -> bytes:
    """What OPTIONS over TLS is answered with; nothing where the connection is refused."""
    host, _, port = hostport.rpartition(":")
    with SipPeer() as peer:
        options = peer.new_request("OPTIONS", f"sip:{hostport}", from_="<sip:a@b>", to="<sip:c@d>", transport="tls")
    try:
        with (
            socket.create_connection((host.strip("[]"), int(port)), 20) as plain,
            context.wrap_socket(plain) as secure,
        ):
            secure.sendall(options.encode())
            return secure.recv(65_536)
    except (ssl.SSLError, ConnectionError):
        return b""


def test_only_who_shows_a_certificate_may_connect_where_that_is_asked_for(world: World) -> None:
    known, unknown = client_context(world.certificate, world.trusted), client_context(None, world.trusted)
    assert probe(world.switch.inside_tls, known).startswith(b"SIP/2.0 ")
    assert probe(world.switch.inside_tls, unknown) == b""
    assert probe(world.switch.providers_tls, unknown).startswith(b"SIP/2.0 ")


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
def test_only_the_versions_of_tls_that_are_named_are_spoken(world: World, version: ssl.TLSVersion) -> None:
    context = client_context(world.certificate, world.trusted)
    context.minimum_version = context.maximum_version = version
    is_spoken = version.name.lower().replace("_", ".") in world.family.tls_versions
    assert (probe(world.switch.providers_tls, context) != b"") == is_spoken

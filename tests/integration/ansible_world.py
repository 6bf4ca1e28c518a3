"""A bridge that the roles have written, on each address family, and who is around it. I/O: processes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jabiru
import pytest
from ansible_written import PASSWORD, WAYS, providers_file

from support import rtpengine, tls_relay
from support.digest import DigestProvider
from support.edge import some_ip
from support.role_server import INVENTORY, NEEDS_ROLES, BootedServer, RoleBridge, RoleServer, RoleSwitch
from support.rtpengine import Rtpengine
from support.sip_peer import SipPeer
from support.tls_peer import TlsPeer
from support.tls_relay import TlsRelay, make_certificate

NEEDS_WORLD = [
    # The roles take half a minute, of a machine that has nothing else to do.
    pytest.mark.timeout(600),
    *NEEDS_ROLES,
    pytest.mark.skipif(tls_relay.PROGRAM is None, reason="no openssl on the PATH"),
    pytest.mark.skipif(rtpengine.PROGRAM is None, reason="no rtpengine on the PATH"),
]
"""Marks of a test with such a bridge."""

MODULE = "mod_loopback"
"""One that no call needs, and that the role is told to load."""


@dataclass(frozen=True, slots=True)
class Family:
    """A server's addresses, and what of the role's variables differs with them.

    Attributes:
        peers: where the other sides are.
        dtmf: how digits leave, on both sides.
        tls_versions: those that are spoken.
    """

    switch: str
    peers: str
    dtmf: str
    tls_versions: str


FAMILIES = {
    "IPv4": Family(some_ip(), "127.0.0.1", "rfc2833", "tlsv1.2,tlsv1.3"),
    "IPv6": Family("::1", "::1", "info", "tlsv1.3"),
}


@dataclass(frozen=True, slots=True)
class World:
    """A bridge that the roles have written, and who is around it.

    Attributes:
        far: the far side, by transport; it asks for a digest.
        proxy: our side, likewise.
        trunks: ``host:port`` that calls of trunks go to, both ways, by transport; nobody is there by itself.
        trunk_port: the port behind them.
        certificate: what all of them show.
        trusted: what the bridge shows.
    """

    family: Family
    switch: RoleSwitch
    bridge: RoleBridge
    provider: DigestProvider
    far: dict[str, SipPeer]
    proxy: dict[str, SipPeer]
    rtpengine: Rtpengine
    trunks: dict[str, str]
    trunk_port: int
    certificate: Path
    trusted: Path


def write_server(directory: Path, family: Family, ours: Path, theirs: Path, providers: dict[str, Any]) -> RoleServer:
    """Apply the roles; `ours` and `theirs` are folders of `make_certificate`."""
    (ours / "agent.pem").write_text((ours / "cert.pem").read_text() + (ours / "key.pem").read_text())
    side = {"agent": str(ours / "agent.pem"), "cafile": str(theirs / "cert.pem")}
    variables = {
        "sipbridge_inside_dtmf": family.dtmf,
        "sipbridge_providers_dtmf": family.dtmf,
        "sipbridge_providers_networks": f"{family.peers}/{128 if ':' in family.peers else 32}",
        # Whoever connects has to show a certificate.
        "sipbridge_inside_tls_verify": "in|subjects_out",
        "sipbridge_tls_versions": family.tls_versions,
    }
    of_roles = {
        "freeswitch_tls": {"inside": side, "providers": side},
        "freeswitch_modules": [MODULE],
        "sipbridge_providers": providers,
    }
    kind = BootedServer if INVENTORY else RoleServer
    return kind(directory, family.switch, variables, of_roles)


@pytest.fixture(scope="session", params=FAMILIES)
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    directory = tmp_path_factory.mktemp("role")
    family = FAMILIES[request.param]
    theirs = make_certificate(directory / "theirs", family.peers)
    ours = make_certificate(directory / "ours", "bridge.example.org")
    provider = DigestProvider(jabiru.DOMAIN, {way.name: PASSWORD for way in WAYS})
    with ExitStack() as stack:

        def side() -> dict[str, SipPeer]:
            plain = stack.enter_context(SipPeer(provider.rule, ip=family.peers))
            secure = stack.enter_context(TlsPeer(theirs, ours, provider.rule, ip=family.peers))
            return {"udp": plain, "tcp": plain, "tls": secure}

        far, proxy = side(), side()
        media_ip = family.peers if ":" in family.peers else ""
        engine = stack.enter_context(Rtpengine(directory / "rtpengine", media_ip))
        trunk = stack.enter_context(SipPeer(ip=family.peers))
        trunk.close()  # its port is what counts
        relay = stack.enter_context(TlsRelay(trunk.hostport, theirs))
        trunks = {"udp": trunk.hostport, "tcp": trunk.hostport, "tls": relay.hostport}
        where = ({transport: peer.hostport for transport, peer in peers.items()} for peers in (far, proxy))
        server = write_server(directory / "server", family, ours, theirs, providers_file(*where, trunks))
        switch = RoleSwitch(server)
        stack.callback(switch.kill)
        bridge = RoleBridge(server)
        stack.callback(bridge.kill)
        for way in WAYS:
            bridge.wait_for_status(f"sip:{way.name}@{jabiru.DOMAIN}", "OK", timeout_s=40)
        yield World(family, switch, bridge, provider, far, proxy, engine, trunks, trunk.port, theirs, ours)

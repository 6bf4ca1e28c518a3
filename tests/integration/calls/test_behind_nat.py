"""Behind NAT, the other side is told the external address, and the proxy's side the one that it has always used."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import jabiru
import pytest
from jabiru import TwoDomains

from support.bridge import Bridge
from support.digest import DigestProvider
from support.freeswitch import FreeSwitch
from support.network import Link, needs_namespaces
from support.sip_peer import SipPeer

EXTERNAL = "192.0.2.9"
ELSEWHERE = "198.51.100.7"


@pytest.fixture
def domains(tmp_path: Path) -> Iterator[TwoDomains]:
    switch = FreeSwitch(tmp_path / "fs", sipbridge_providers_external_ip=EXTERNAL)
    provider = DigestProvider(jabiru.DOMAIN, jabiru.PASSWORDS)
    try:
        with SipPeer(provider.rule) as far, SipPeer() as proxy:
            bridge = Bridge(tmp_path / "bridge", switch, jabiru.providers_file(far.hostport, proxy.hostport, "udp"))
            try:
                bridge.wait_for_status(jabiru.ALICE, "OK")
                yield TwoDomains(switch, bridge, far, provider, proxy, "udp")
            finally:
                bridge.kill()
    finally:
        switch.kill()


def test_external_address_is_in_contact_via_and_sdp(domains: TwoDomains) -> None:
    call = domains.call_out()
    assert call.answer.status == 200
    invite = domains.jabiru.request("INVITE", count=2)
    for request in (domains.jabiru.request("REGISTER"), invite):
        assert request["Via"].startswith(f"SIP/2.0/UDP {EXTERNAL}:5080;")
        assert f"@{EXTERNAL}:5080;" in request["Contact"]
    assert f"c=IN IP4 {EXTERNAL}\r\n" in invite.body
    assert domains.freeswitch.ip not in invite.encode().decode()
    assert f"@{domains.freeswitch.ip}:5060" in call.answer["Contact"]
    assert f"c=IN IP4 {domains.freeswitch.ip}\r\n" in call.answer.body
    assert EXTERNAL not in call.answer.encode().decode()
    call.hang_up()


@needs_namespaces
@pytest.mark.parametrize("is_elsewhere", [True, False], ids=["elsewhere", "in the host's own network"])
def test_provider_that_calls_is_told_the_external_address_for_media_unless_it_is_in_our_network(
    tmp_path: Path, is_elsewhere: bool
) -> None:
    provider = DigestProvider(jabiru.DOMAIN, jabiru.PASSWORDS)
    with ExitStack() as stack:
        link = stack.enter_context(Link())
        link.world.ip("address", "add", f"{ELSEWHERE}/32", "dev", "lo")
        with link.world.inside():
            far = stack.enter_context(SipPeer(provider.rule, ip=ELSEWHERE if is_elsewhere else link.far_address))
        with link.server.inside():
            proxy = stack.enter_context(SipPeer())
            addresses = {"sipbridge_providers_ip": link.address, "sipbridge_providers_external_ip": EXTERNAL}
            switch = FreeSwitch(tmp_path / "fs", **addresses)
            stack.callback(switch.kill)
            switch.providers = f"{link.address}:5080"
            bridge = Bridge(tmp_path / "bridge", switch, jabiru.providers_file(far.hostport, proxy.hostport, "udp"))
            stack.callback(bridge.kill)
        bridge.wait_for_status(jabiru.ALICE, "OK")
        call = TwoDomains(switch, bridge, far, provider, proxy, "udp").call_in()
        assert call.answer.status == 200
        assert f"@{EXTERNAL}:5080" in call.answer["Contact"]
        assert f"c=IN IP4 {EXTERNAL if is_elsewhere else link.address}\r\n" in call.answer.body
        call.hang_up()

"""The host's network changes under a real FreeSWITCH: accounts register again at their pace, and calls go on."""

from __future__ import annotations

import json
import logging
import time
import urllib.request
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Protocol

import jabiru
import pytest
from jabiru import TwoDomains

from support.bridge import Bridge, Providers
from support.digest import DigestProvider
from support.freeswitch import FreeSwitch
from support.network import Link, needs_namespaces
from support.processes import wait_until
from support.sip_message import SipMessage
from support.sip_peer import SipPeer
from support.sip_rule import Reply

_log = logging.getLogger(__name__)

pytestmark = needs_namespaces

ACCOUNTS = [f"sip:{user}@{jabiru.DOMAIN}" for user in ("alice", "bob", "carol")]
PACE_MS = 1_000
NEW_ADDRESS = "10.9.0.2"
DEADLINE_S = 40.0
"""For what takes four seconds on a machine that has nothing else to do."""


class Start(Protocol):
    """Starts FreeSWITCH with this address for the provider profile, and the bridge; all accounts are registered."""

    def __call__(self, address: str, transport: str = "udp") -> TwoDomains: ...


@pytest.fixture
def link() -> Iterator[Link]:
    with Link() as link:
        yield link


@pytest.fixture
def provider() -> DigestProvider:
    return DigestProvider(jabiru.DOMAIN, {"alice": "1", "bob": "2", "carol": "3"})


@pytest.fixture
def far(link: Link, provider: DigestProvider) -> Iterator[SipPeer]:
    """Jabiru, at the other end of the cable."""
    with link.world.inside():
        peer = SipPeer(provider.rule, ip=link.far_address, port=5060)
    with peer:
        yield peer


@pytest.fixture
def start(link: Link, far: SipPeer, provider: DigestProvider, tmp_path: Path) -> Iterator[Start]:
    running: list[FreeSwitch | Bridge | SipPeer] = []

    def start_with(address: str, transport: str = "udp") -> TwoDomains:
        with link.server.inside():
            running.append(proxy := SipPeer())
            running.append(freeswitch := FreeSwitch(tmp_path / "fs", sipbridge_providers_ip=address))
            providers = _providers(far.hostport, proxy.hostport, transport)
            running.append(bridge := Bridge(tmp_path / "bridge", freeswitch, providers))
        for account in ACCOUNTS:
            bridge.wait_for_status(account, "OK")
        return TwoDomains(freeswitch, bridge, far, provider, proxy, "udp")

    yield start_with
    for one in reversed(running):
        one.close() if isinstance(one, SipPeer) else one.kill()


def _providers(far: str, proxy: str, transport: str) -> Providers:
    providers = jabiru.providers_file(far, proxy, transport)
    pool = providers["accountPools"]["JabiruAccountPool"]
    pool["registrationThrottlingRateMs"] = PACE_MS
    pool["loader"] = [
        {
            "uri": account,
            "secretType": "clrtxt",
            "secret": str(number),
            "alias": account.replace(jabiru.DOMAIN, jabiru.PROXY_DOMAIN),
        }
        for number, account in enumerate(ACCOUNTS, 1)
    ]
    return providers


def _wait_until_registered(domains: TwoDomains, contact: str) -> None:
    """Wait until every account is bound anew; `domains.provider.bindings` were emptied before."""
    bindings = domains.provider.bindings
    wait_until(
        f"all are bound to {contact}",
        lambda: set(bindings) == set(ACCOUNTS) and all(f"@{contact}:" in one for one in bindings.values()),
        timeout_s=DEADLINE_S,
    )
    for account in ACCOUNTS:
        domains.bridge.wait_for_status(account, "OK", timeout_s=DEADLINE_S)


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_cable_is_pulled_and_plugged_in(link: Link, start: Start, transport: str) -> None:
    domains = start(link.address, transport)
    call = domains.call_out()
    assert call.answer.status == 200
    link.down()
    wait_until("it is noticed", lambda: "this host no longer has" in domains.bridge.log(), timeout_s=DEADLINE_S)
    domains.provider.bindings.clear()
    link.up()
    began = time.monotonic()
    _wait_until_registered(domains, link.address)
    _log.info("registered again %.1f s after the cable was plugged in", time.monotonic() - began)
    assert f"{link.address} is back: registering 3 gateways of sofia profile providers again" in domains.bridge.log()
    assert domains.call_out("bob").answer.status == 200
    call.hang_up()
    domains.bridge.wait_for_free_slots(ACCOUNTS[0], 20)


def test_accounts_keep_to_their_pace(link: Link, start: Start, far: SipPeer) -> None:
    domains = start(link.address)
    at: list[float] = []
    answer = domains.provider.rule

    def note_when(request: SipMessage) -> Iterable[Reply]:
        if request.method == "REGISTER" and "Authorization" in request:
            at.append(time.monotonic())
        return answer(request)

    far.rule = note_when
    link.down()
    wait_until("it is noticed", lambda: "this host no longer has" in domains.bridge.log(), timeout_s=DEADLINE_S)
    link.up()
    wait_until("all have registered", lambda: len(at) == len(ACCOUNTS), timeout_s=DEADLINE_S)
    # FreeSWITCH sends what is due once a second, so two that are asked for 2 s apart are sent 1 s apart at least.
    assert at[2] - at[0] > PACE_MS / 1000 * 0.9


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_the_address_changes(link: Link, start: Start, transport: str) -> None:
    domains = start("$${local_ip_v4}", transport)
    # FreeSWITCH restarts no profile that has just started.
    wait_until("FreeSWITCH is up for a while", lambda: _uptime_s(domains.freeswitch) > 11, timeout_s=DEADLINE_S)
    domains.provider.bindings.clear()
    link.change_address(NEW_ADDRESS)
    began = time.monotonic()
    wait_until("one is registered", lambda: domains.provider.bindings, timeout_s=DEADLINE_S)
    first_s = time.monotonic() - began
    _wait_until_registered(domains, NEW_ADDRESS)
    _log.info("registered %.1f s to %.1f s after the address changed", first_s, time.monotonic() - began)
    assert f"restarting sofia profile providers: this host no longer has {link.address}" in domains.bridge.log()
    call = domains.call_out()
    assert call.answer.status == 200
    call.hang_up()


def test_an_address_goes_and_comes_back(link: Link, start: Start) -> None:
    domains = start(link.address)
    link.change_address(NEW_ADDRESS)
    wait_until("it is noticed", lambda: "this host no longer has" in domains.bridge.log(), timeout_s=DEADLINE_S)
    assert f"bound to {link.address}, which this host no longer has" in _network_problem(domains.bridge)
    assert _metric(link, domains.bridge) == "0.0"
    assert _failed(link, domains.bridge) == ["profile-address.providers"]
    domains.provider.bindings.clear()
    link.change_address(link.address)
    _wait_until_registered(domains, link.address)
    assert domains.call_out("carol").answer.status == 200
    assert _network_problem(domains.bridge) == ""
    assert _metric(link, domains.bridge) == "1.0"
    assert _failed(link, domains.bridge) == []


def _uptime_s(freeswitch: FreeSwitch) -> float:
    """Seconds since FreeSWITCH has started."""
    return float(freeswitch.event_socket.api("uptime"))


def _network_problem(bridge: Bridge) -> str:
    """What `sipbridge status` says of the network."""
    problem: str = json.loads(bridge.command("status", "--json").stdout)["network"]
    return problem


def _metric(link: Link, bridge: Bridge) -> str:
    """What Prometheus is told of the network."""
    with link.server.inside():
        told = urllib.request.urlopen(f"http://127.0.0.1:{bridge.http_port}/metrics", timeout=10).read().decode()
    return next(line.split()[1] for line in told.splitlines() if line.startswith("sipbridge_network_up "))


def _failed(link: Link, bridge: Bridge) -> list[str]:
    """What `sipbridge doctor` finds in the server's network; permissions are those of a test."""
    with link.server.inside():
        findings = json.loads(bridge.command("doctor", "--json").stdout)
    return [one["id"] for one in findings if one["verdict"] == "fail" and one["id"] != "file-modes"]

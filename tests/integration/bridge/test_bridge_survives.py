"""The controller, or FreeSWITCH, is killed in the middle of calls; everything is as it should be soon after."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import jabiru
import pytest
from jabiru import Call, TwoDomains

from support.bridge import Bridge
from support.digest import DigestProvider
from support.freeswitch import FreeSwitch
from support.processes import wait_until
from support.relay import Relay
from support.sip_peer import SipPeer

LINES = 60
CALLS = 50


@pytest.fixture
def freeswitch_of_its_own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FreeSwitch]:
    freeswitch = FreeSwitch(tmp_path_factory.mktemp("fs"))
    yield freeswitch
    freeswitch.kill()


@pytest.fixture
def relay(freeswitch_of_its_own: FreeSwitch) -> Iterator[Relay]:
    """The controller's way to FreeSWITCH."""
    with Relay(freeswitch_of_its_own.event_socket_port) as relay:
        yield relay


@pytest.fixture
def domains(freeswitch_of_its_own: FreeSwitch, relay: Relay, tmp_path: Path) -> Iterator[TwoDomains]:
    provider = DigestProvider(jabiru.DOMAIN, jabiru.PASSWORDS)
    with SipPeer(provider.rule) as far, SipPeer() as proxy:
        file = jabiru.providers_file(far.hostport, proxy.hostport, "udp", max_calls_per_line=LINES)
        bridge = Bridge(tmp_path, freeswitch_of_its_own, file, relay.port)
        try:
            bridge.wait_for_status(jabiru.ALICE, "OK")
            yield TwoDomains(freeswitch_of_its_own, bridge, far, provider, proxy, "udp")
        finally:
            bridge.kill()


def place_calls(domains: TwoDomains, count: int) -> list[Call]:
    invites = [domains.invite_out() for _ in range(count)]
    calls = [domains.outcome(domains.proxy, domains.freeswitch.inside, invite) for invite in invites]
    assert [call.answer.status for call in calls] == [200] * count
    return calls


def probe(domains: TwoDomains) -> int:
    """What a proxy that asks by OPTIONS is told."""
    inside = domains.freeswitch.inside
    options = domains.proxy.new_request("OPTIONS", f"sip:{inside}", from_="<sip:a@b>", to=f"<sip:{inside}>")
    domains.proxy.send(options, inside)
    return domains.proxy.final_response(options).status


def test_controller_is_killed_and_comes_back(domains: TwoDomains) -> None:
    calls = place_calls(domains, CALLS)
    assert probe(domains) == 200
    domains.bridge.wait_for_free_slots(jabiru.ALICE, LINES - CALLS)
    legs = 2 * CALLS

    domains.bridge.kill()
    started = time.monotonic()
    assert domains.call_out().answer.status == 503
    assert time.monotonic() - started < 3.5
    wait_until("the lease has ended", lambda: domains.freeswitch.lease() != "true")
    # Another timer of the same second.
    wait_until("probes are refused", lambda: probe(domains) == 503)
    started = time.monotonic()
    assert domains.call_out().answer.status == 503
    assert time.monotonic() - started < 1

    # Calls go on, and can be hung up, without a controller.
    assert len(domains.freeswitch.channels()) == legs
    for call in calls[:10]:
        call.hang_up()
    del calls[:10]

    domains.bridge.start()
    domains.bridge.wait_for_free_slots(jabiru.ALICE, LINES - len(calls))
    wait_until("probes are answered", lambda: probe(domains) == 200)
    calls += place_calls(domains, LINES - len(calls))
    assert domains.call_out().answer.status == 488
    for call in calls:
        call.hang_up()
    domains.bridge.wait_for_free_slots(jabiru.ALICE, LINES)
    wait_until("no call is left", lambda: not domains.freeswitch.channels())


def test_gateways_outlive_the_controller(domains: TwoDomains) -> None:
    registered = domains.freeswitch.gateways_up()
    domains.bridge.kill()
    domains.bridge.start()
    domains.bridge.wait_for_status(jabiru.ALICE, "OK")
    assert domains.freeswitch.gateways_up() == registered
    assert domains.call_out().answer.status == 200
    registers = [one for one in domains.jabiru.received if one.method == "REGISTER" and jabiru.ALICE in one["To"]]
    assert len(registers) == 2, "registered again"


def test_freeswitch_is_killed_and_comes_back(domains: TwoDomains) -> None:
    place_calls(domains, 5)
    domains.freeswitch.kill()
    domains.provider.bindings.clear()
    domains.freeswitch.start()
    wait_until("alice is registered again", lambda: jabiru.ALICE in domains.provider.bindings, timeout_s=30)
    domains.bridge.wait_for_free_slots(jabiru.ALICE, LINES)
    for call in (domains.call_out(), domains.call_in()):
        assert call.answer.status == 200
        call.hang_up()
    domains.bridge.wait_for_free_slots(jabiru.ALICE, LINES)


def test_connection_is_lost_and_comes_back(domains: TwoDomains, relay: Relay) -> None:
    calls = place_calls(domains, 5)
    relay.cut()
    # Nobody learns of these while they end.
    for call in calls[:2]:
        call.hang_up()
    del calls[:2]
    started = time.monotonic()
    assert domains.call_out().answer.status == 503
    assert time.monotonic() - started < 3.5

    relay.mend()
    domains.bridge.wait_for_free_slots(jabiru.ALICE, LINES - len(calls))
    wait_until("calls are taken", lambda: domains.freeswitch.lease() == "true")
    calls.append(domains.call_out())
    assert calls[-1].answer.status == 200
    for call in calls:
        call.hang_up()
    domains.bridge.wait_for_free_slots(jabiru.ALICE, LINES)

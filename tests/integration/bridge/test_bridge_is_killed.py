"""The controller is killed while it reloads, fills the spool and registers accounts; the next one leaves no trace.

And while calls with sound are in progress, which go on and end as if nothing had happened.
"""

from __future__ import annotations

import json
import signal
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random

import jabiru
import pytest
from jabiru import Call, TwoDomains

from support.bridge import Bridge, Providers
from support.digest import DigestProvider
from support.freeswitch import FreeSwitch
from support.processes import wait_until
from support.rtp import RtpPeer
from support.sip_message import sdp, sdp_audio
from support.sip_peer import SipPeer
from support.sip_rule import answers

USERS = [f"user{number}" for number in range(150)]
LINES = 3
KILLS = 8
MEDIA_TIMEOUT_S = 2
PCMA = 8
PATIENCE_S = 60.0


@pytest.fixture
def freeswitch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FreeSwitch]:
    """One that ends calls without sound soon."""
    freeswitch = FreeSwitch(tmp_path_factory.mktemp("fs"), sipbridge_media_timeout_s=str(MEDIA_TIMEOUT_S))
    yield freeswitch
    freeswitch.kill()


@pytest.fixture
def silent_freeswitch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FreeSwitch]:
    freeswitch = FreeSwitch(tmp_path_factory.mktemp("fs"))
    yield freeswitch
    freeswitch.kill()


# Calls with sound


def test_calls_go_on_and_end_by_either_side(freeswitch: FreeSwitch, tmp_path: Path) -> None:
    provider = DigestProvider(jabiru.DOMAIN, jabiru.PASSWORDS)
    with (
        RtpPeer() as caller,
        RtpPeer() as callee,
        SipPeer(provider.rule) as far,
        SipPeer() as proxy,
    ):
        provider.callee = answers(body=sdp(callee.port))
        file = jabiru.providers_file(far.hostport, proxy.hostport, "udp", max_calls_per_line=LINES)
        bridge = Bridge(tmp_path, freeswitch, file)
        try:
            bridge.wait_for_status(jabiru.ALICE, "OK")
            domains = TwoDomains(freeswitch, bridge, far, provider, proxy, "udp")
            call = talk(domains, caller, callee)
            bridge.kill()
            wait_until("the lease has ended", lambda: freeswitch.lease() != "true")
            hear_each_other(caller, callee)

            bridge.start()
            bridge.wait_for_free_slots(jabiru.ALICE, LINES - 1)
            wait_until("calls are taken", lambda: freeswitch.lease() == "true")
            far.send_as_callee("BYE", far.request("INVITE", count=2))
            proxy.wait_for(lambda one: one.method == "BYE" and one["Call-ID"] == call.invite["Call-ID"])
            bridge.wait_for_free_slots(jabiru.ALICE, LINES)
            wait_until("no call is left", lambda: not freeswitch.channels())
        finally:
            bridge.kill()


def talk(domains: TwoDomains, caller: RtpPeer, callee: RtpPeer) -> Call:
    """A call in which both sides send."""
    call = domains.call_out(body=sdp(caller.port))
    assert call.answer.status == 200
    ip = domains.freeswitch.ip
    caller.talk_to(ip, sdp_audio(call.answer.body)[0])
    callee.talk_to(ip, sdp_audio(domains.jabiru.request("INVITE", count=2).body)[0])
    hear_each_other(caller, callee)
    return call


def hear_each_other(caller: RtpPeer, callee: RtpPeer) -> None:
    """For longer than a call without sound would last."""
    for peer in (caller, callee):
        peer.drain()
        peer.hears(PCMA, 2 * MEDIA_TIMEOUT_S * 1000 // 20)


# Whenever it is killed


@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", [1, 2])
def test_nothing_is_left_of_a_reload_that_was_cut_off(silent_freeswitch: FreeSwitch, tmp_path: Path, seed: int) -> None:
    random = Random(seed)
    provider = DigestProvider(jabiru.DOMAIN, {}, challenges=("REGISTER",))
    with SipPeer(provider.rule) as far, SipPeer() as proxy:
        bridge = Bridge(tmp_path, silent_freeswitch, providers_file(far, provider, 0))
        domains = TwoDomains(silent_freeswitch, bridge, far, provider, proxy, "udp")
        try:
            wait_until_right(domains, {})
            calls = [domains.call_out(user) for user in ("user0", "user0", "user1")]
            assert [call.answer.status for call in calls] == [200] * 3
            for kill in range(1, KILLS + 1):
                bridge.write_providers(providers_file(far, provider, kill))
                bridge.signal(signal.SIGHUP)
                # At any moment of what it does now; nobody waits for anything by it.
                time.sleep(random.uniform(0.0, 1.5))
                bridge.kill()
                bridge.start()
                if kill % 2:
                    time.sleep(random.uniform(0.0, 1.0))
                    bridge.kill()
                    bridge.start()
                wait_until_right(domains, {"user0": 2, "user1": 1})
            assert domains.call_out("user0").answer.status == 200
            assert domains.call_out("user0").answer.status == 488
        finally:
            bridge.kill()


def providers_file(far: SipPeer, provider: DigestProvider, version: int) -> Providers:
    """Every third account has another password in each version, which the far side knows."""
    for number, user in enumerate(USERS):
        provider.passwords[user] = f"secret-of-{user}-{version if number % 3 == 0 else 0}"
    file = jabiru.providers_file(far.hostport, far.hostport, "udp", max_calls_per_line=LINES)
    file["accountPools"]["JabiruAccountPool"]["loader"] = [
        {
            "uri": uri_of(user),
            "alias": f"sip:{user}@{jabiru.PROXY_DOMAIN}",
            "secretType": "clrtxt",
            "secret": provider.passwords[user],
        }
        for user in USERS
    ]
    return file


def uri_of(user: str) -> str:
    return f"sip:{user}@{jabiru.DOMAIN}"


def wait_until_right(domains: TwoDomains, calls: dict[str, int]) -> None:
    """Wait until every account is registered, by one gateway, and has so many calls; nothing is in the spool."""
    expected = {uri_of(user): ("OK", LINES - calls.get(user, 0)) for user in USERS}

    def wrong() -> dict[str, tuple[str, int | None]]:
        there = {uri: (one["status"], one.get("freeSlots")) for uri, one in domains.bridge.accounts().items()}
        return {uri: what for uri, what in there.items() if expected.get(uri) != what}

    try:
        wait_until("all accounts are right", lambda: not wrong(), timeout_s=PATIENCE_S, poll_s=0.2)
    except TimeoutError as error:
        raise AssertionError(json.dumps(wrong())) from error
    wait_until("the others are gone", lambda: gateways(domains) == dict.fromkeys(USERS, 1), timeout_s=PATIENCE_S)
    assert set(domains.provider.bindings) == expected.keys()
    spool = domains.freeswitch.spool
    wait_until("the spool is empty", lambda: "<gateway" not in spool.read_text())
    assert [file.name for file in spool.parent.iterdir()] == [spool.name]


def gateways(domains: TwoDomains) -> Counter[str]:
    """How many each account has, registered or not."""
    api = domains.freeswitch.event_socket.api
    names = f"{api('sofia profile providers gwlist up')} {api('sofia profile providers gwlist down')}".split()
    return Counter(name.split(".")[1] for name in names if name.startswith("sipbridge."))

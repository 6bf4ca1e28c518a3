"""What ``status`` and ``calls`` tell beside a real FreeSWITCH: what is there, what is decided, and that it is gone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jabiru
import pytest
from jabiru import TwoDomains

from sipbridge.core.freeswitch.known_holes import known_holes
from support.bridge import Bridge
from support.digest import DigestProvider
from support.freeswitch import VERSION, FreeSwitch
from support.processes import wait_until
from support.sip_peer import SipPeer
from support.sip_rule import answers

OUTBOUND = "Flexisip -> Jabiru (Outbound)"


@pytest.fixture(scope="module")
def domains(bridged_freeswitch: FreeSwitch, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwoDomains]:
    provider = DigestProvider(jabiru.DOMAIN, jabiru.PASSWORDS)
    provider.callee = answers()
    with SipPeer(provider.rule) as far, SipPeer(answers()) as proxy:
        file = jabiru.providers_file(far.hostport, proxy.hostport, "udp", max_calls_per_line=1)
        bridge = Bridge(tmp_path_factory.mktemp("bridge"), bridged_freeswitch, file)
        try:
            bridge.wait_for_status(jabiru.ALICE, "OK")
            bridge.wait_for_status(jabiru.CAROL, "Registration failed: 403")
            yield TwoDomains(bridged_freeswitch, bridge, far, provider, proxy, "udp")
        finally:
            bridge.kill()


def told(bridge: Bridge, *arguments: str) -> Any:
    done = bridge.command(*arguments, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


def test_status_tells_what_is_there(domains: TwoDomains) -> None:
    status = told(domains.bridge, "status")
    switch = status["switch"]
    assert (switch["isConnected"], switch["hasLease"], switch["problem"]) == (True, True, "")
    assert switch["version"] == str(VERSION)
    assert 0 < switch["uptimeS"] < 600
    assert switch["maxSessions"] > 0
    (pool,) = status["pools"]
    assert pool["registrations"] == {"OK": 1, "Registration failed": 1}
    assert pool["failures"] == {"403 Forbidden": 1}
    problem, *of_version = status["problems"]
    assert len(of_version) == any(hole.closed_by for hole in known_holes(VERSION))
    assert (problem["severity"], problem["side"]) == ("warning", "accounts")
    carol = status["accounts"]["rows"][0]
    assert (carol["uri"], carol["reason"]) == (jabiru.CAROL, "403 Forbidden")
    assert 0 < carol["failingS"] < 60
    assert 0 < carol["nextTryS"] <= 60


def test_a_call_is_seen_from_its_decision_to_its_end(domains: TwoDomains, tmp_path: Path) -> None:
    bridge = domains.bridge
    following = bridge.start_command(tmp_path / "out", "calls", "--follow", "--json")
    call = domains.call_out()
    assert call.answer.status == 200
    assert domains.call_out().answer.status == 488
    page = wait_until(
        "FreeSWITCH tells that they talk",
        lambda: [one for one in told(bridge, "calls")["calls"] if one["state"] == "talking"],
    )
    (row,) = page
    assert (row["from"], row["account"], row["provider"]) == ("sip:alice@flexisip.example.org", jabiru.ALICE, OUTBOUND)
    assert row["callId"] == call.invite["Call-ID"]
    assert told(bridge, "status")["traffic"]["inProgress"] == 1
    call.hang_up()
    bridge.wait_for_free_slots(jabiru.ALICE, 1)
    assert told(bridge, "calls")["calls"] == []
    try:
        wait_until("the end is told", lambda: '"over"' in following.text(), timeout_s=30)
    finally:
        following.kill()
    bridged, declined, over = (json.loads(line) for line in following.text().splitlines())
    assert (bridged["kind"], bridged["goesTo"]) == ("bridged", f"sip:bob@{jabiru.DOMAIN};user=phone")
    assert (declined["kind"], declined["reason"]) == ("declined", "lines-taken")
    assert declined["explanations"][-1]["verdict"] == "declines the call: 1 of 1 calls in progress"
    assert (over["kind"], over["reason"], over["sipStatus"]) == ("over", "answered", 200)
    assert 0 < over["talkS"] < 60


def test_a_freeswitch_that_is_gone_is_a_problem_of_its_side(domains: TwoDomains) -> None:
    domains.freeswitch.kill()

    def without_switch() -> Any:
        status = told(domains.bridge, "status")
        return None if status["switch"]["isConnected"] else status

    status = wait_until("it is noticed", without_switch)
    worst = status["problems"][0]
    assert (worst["severity"], worst["side"]) == ("down", "FreeSWITCH")
    done = domains.bridge.command("status")
    assert "DOWN  FreeSWITCH  not connected: " in done.stdout
    assert "no lease: callers get 503" in done.stdout
    page = told(domains.bridge, "calls")
    assert "FreeSWITCH is not connected" in page["problem"]

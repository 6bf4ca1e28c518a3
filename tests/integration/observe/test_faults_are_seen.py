"""Each fault is seen where one looks: status, metrics, log, ``/readyz`` where it should, and an alert."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jabiru
import pytest
from jabiru import TwoDomains
from prometheus_client.parser import text_string_to_metric_families

from support.bridge import Bridge
from support.digest import DigestProvider
from support.freeswitch import FreeSwitch
from support.processes import wait_until
from support.promtool import PROGRAM as PROMTOOL
from support.promtool import check_alerts
from support.redis_server import PROGRAM as REDIS
from support.redis_server import RedisServer
from support.relay import Relay
from support.sip_peer import SipPeer

pytestmark = [
    pytest.mark.skipif(PROMTOOL is None, reason="no promtool on the PATH"),
    pytest.mark.skipif(REDIS is None, reason="no redis-server on the PATH"),
]
# A transaction over UDP ends after 32 s without an answer.
NO_ANSWER_S = 90
SETTINGS = """
[redis]
url = "redis://127.0.0.1:{redis_port}"
backoff_max_s = 0.5
[cdr]
file = "cdr.jsonl"
"""


@dataclass
class Observed:
    """The bridge, the servers that a test takes away from it, and what is seen from outside."""

    domains: TwoDomains
    relay: Relay
    redis: RedisServer
    folder: Path

    @property
    def bridge(self) -> Bridge:
        return self.domains.bridge

    def metric(self, name: str, **labels: str) -> float:
        """The sum of the samples with these labels."""
        families = text_string_to_metric_families(self.scrape())
        samples = [sample for family in families for sample in family.samples if sample.name == name]
        assert samples, f"no {name}"
        return sum(sample.value for sample in samples if labels.items() <= sample.labels.items())

    def scrape(self) -> str:
        status, text = self.bridge.get("/metrics")
        assert status == 200
        return text

    def conditions(self) -> tuple[int, dict[str, bool]]:
        """What ``/readyz`` answers, and which conditions hold."""
        status, text = self.bridge.get("/readyz")
        return status, {name: told["holds"] for name, told in json.loads(text)["conditions"].items()}

    def pool(self, name: str) -> dict[str, Any]:
        """A pool, as the status shows it."""
        return next(pool for pool in self.bridge.status()["pools"] if pool["name"] == name)

    def records(self) -> list[dict[str, Any]]:
        """The call detail records so far."""
        file = self.folder / "cdr.jsonl"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    def wait_for_log(self, text: str) -> None:
        wait_until(f"the log has {text!r}", lambda: text in self.bridge.log())

    def check_alerts(self, **fires: bool) -> None:
        usual = {"SipbridgeSwitchLost": False, "SipbridgeRedisDown": False, "SipbridgeNotReady": False}
        check_alerts(self.folder, self.scrape(), usual | fires)


def providers_file(far: SipPeer, silent: SipPeer, proxy: SipPeer) -> Mapping[str, Any]:
    """Alice, with one line; Carol with the wrong password, and Dave whose registrar says nothing, each in a pool."""
    made = jabiru.providers_file(far.hostport, proxy.hostport, "udp", max_calls_per_line=1)
    outbound, usual = made["providers"][0], made["accountPools"]["JabiruAccountPool"]
    made["providers"], made["accountPools"] = [], {}
    alice, carol = usual["loader"]
    dave = {"uri": f"sip:dave@{jabiru.DOMAIN}", "secretType": "clrtxt", "secret": "x-secret"}
    pools = {"Good": (alice, far), "Refused": (carol, far), "Silent": (dave, silent)}
    for name, (account, registrar) in pools.items():
        made["providers"].append(outbound | {"name": f"through {name}", "accountPool": name})
        proxy_uri = f"<sip:{registrar.hostport};transport=udp>"
        made["accountPools"][name] = usual | {"loader": [account], "outboundProxy": proxy_uri}
    return made


@pytest.fixture(scope="module")
def observed(bridged_freeswitch: FreeSwitch, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Observed]:
    provider = DigestProvider(jabiru.DOMAIN, jabiru.PASSWORDS)
    folder = tmp_path_factory.mktemp("bridge")
    redis = RedisServer(tmp_path_factory.mktemp("redis"))
    with (
        SipPeer(provider.rule) as far,
        SipPeer(lambda _: []) as silent,
        SipPeer() as proxy,
        Relay(bridged_freeswitch.event_socket_port) as relay,
    ):
        bridge = Bridge(
            folder,
            bridged_freeswitch,
            dict(providers_file(far, silent, proxy)),
            relay.port,
            SETTINGS.format(redis_port=redis.port),
        )
        try:
            bridge.wait_for_status(jabiru.ALICE, "OK")
            domains = TwoDomains(bridged_freeswitch, bridge, far, provider, proxy, "udp")
            yield Observed(domains, relay, redis, folder)
        finally:
            bridge.kill()
            redis.kill()


def test_an_account_that_is_refused(observed: Observed) -> None:
    observed.bridge.wait_for_status(jabiru.CAROL, "Registration failed: 403")
    assert observed.pool("Refused")["failures"] == {"403 Forbidden": 1}
    assert observed.metric("sipbridge_accounts", pool="Refused", state="failed") == 1
    assert observed.metric("sipbridge_registrations_total", result="refused") >= 1
    observed.wait_for_log(f"account {jabiru.CAROL} cannot register: 403 Forbidden")
    # One of three is less than half of them.
    status, conditions = observed.conditions()
    assert (status, conditions) == (
        503,
        {"event_socket": True, "accounts_loaded": True, "lease": True, "sip": True, "registered": False},
    )
    observed.check_alerts(SipbridgeAccountsFailed=True, SipbridgePoolFailed=True, SipbridgeNotReady=True)


def test_a_pool_without_a_free_line(observed: Observed) -> None:
    call = observed.domains.call_out()
    assert call.answer.status == 200
    assert observed.domains.call_out().answer.status == 488
    wait_until(
        "the declined call is counted",
        lambda: observed.metric("sipbridge_calls_total", outcome="declined", reason="lines-taken") == 1,
    )
    pool = observed.pool("Good")
    assert (pool["linesUsed"], pool["available"]) == (1, 0)
    assert observed.metric("sipbridge_lines_used", pool="Good") == observed.metric("sipbridge_lines", pool="Good") == 1
    observed.wait_for_log("call declined: lines-taken")
    assert observed.conditions()[1]["lease"]
    observed.check_alerts(SipbridgePoolFull=True, SipbridgeLinesTaken=True, SipbridgeNotReady=True)
    call.hang_up()
    wait_until("the line is free", lambda: observed.metric("sipbridge_lines_used", pool="Good") == 0)
    observed.check_alerts(SipbridgePoolFull=False, SipbridgeNotReady=True)
    declined, answered = wait_until("both are recorded", lambda: len(observed.records()) == 2 and observed.records())
    assert (declined["outcome"], declined["reason"], declined["sip_status"]) == ("declined", "lines-taken", 488)
    assert (answered["outcome"], answered["sip_status"], answered["account"]) == ("answered", 200, jabiru.ALICE)
    assert answered["call_id"] == call.invite["Call-ID"]
    assert answered["received"] <= answered["progress"] <= answered["answered"] <= answered["ended"]
    assert answered["duration_s"] > 0


def test_a_redis_that_is_lost(observed: Observed) -> None:
    wait_until("Redis is connected", lambda: observed.metric("sipbridge_redis_up") == 1)
    observed.redis.kill()
    wait_until("the loss is seen", lambda: observed.metric("sipbridge_redis_up") == 0)
    assert observed.bridge.status()["redis"] not in ("OK", "not used")
    observed.wait_for_log("Redis: ")
    # Calls go on with the accounts that are known.
    _, conditions = observed.conditions()
    assert conditions["event_socket"]
    assert conditions["accounts_loaded"]
    observed.check_alerts(SipbridgeRedisDown=True, SipbridgeNotReady=True)
    observed.redis.start()
    wait_until("Redis is back", lambda: observed.metric("sipbridge_redis_up") == 1)
    assert observed.bridge.status()["redis"] == "OK"
    observed.check_alerts(SipbridgeRedisDown=False, SipbridgeNotReady=True)


def test_a_freeswitch_that_is_lost(observed: Observed) -> None:
    observed.relay.cut()
    try:
        wait_until("the loss is seen", lambda: observed.metric("sipbridge_switch_up") == 0)
        switch = observed.bridge.status()["switch"]
        assert not switch["isConnected"]
        assert switch["problem"]
        assert observed.metric("sipbridge_switch_connection_losses_total") >= 1
        assert (
            observed.metric("sipbridge_ready") == observed.metric("sipbridge_ready_condition", condition="lease") == 0
        )
        observed.wait_for_log("FreeSWITCH: ")
        status, conditions = observed.conditions()
        assert status == 503
        assert not conditions["event_socket"]
        assert not conditions["lease"]
        assert observed.bridge.get("/healthz") == (200, "OK\n")
        observed.check_alerts(SipbridgeSwitchLost=True, SipbridgeNotReady=True)
    finally:
        observed.relay.mend()
    wait_until("FreeSWITCH is back", lambda: observed.conditions()[1]["lease"])
    assert observed.metric("sipbridge_switch_up") == 1
    observed.check_alerts(SipbridgeSwitchLost=False, SipbridgeNotReady=True)


def test_an_account_that_gets_no_answer(observed: Observed) -> None:
    dave = f"sip:dave@{jabiru.DOMAIN}"
    observed.bridge.wait_for_status(dave, "Registration failed", timeout_s=NO_ANSWER_S)
    (reason,) = observed.pool("Silent")["failures"]
    assert reason.startswith(("408", "908", "no answer"))
    assert observed.metric("sipbridge_accounts", pool="Silent", state="failed") == 1
    assert observed.metric("sipbridge_registrations_total", result="no_answer") >= 1
    observed.wait_for_log(f"account {dave} cannot register: {reason}")
    assert not observed.conditions()[1]["registered"]
    observed.check_alerts(SipbridgeAccountsFailed=True, SipbridgePoolFailed=True, SipbridgeNotReady=True)

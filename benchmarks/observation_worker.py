"""One measurement of `benchmarks.observation`, as JSON: ``scrape ACCOUNTS SCRAPES`` or ``call CALLS``."""

from __future__ import annotations

from gevent import monkey

monkey.patch_all()

import json  # noqa: E402
import random  # noqa: E402
import statistics  # noqa: E402
import sys  # noqa: E402
import tempfile  # noqa: E402
import time  # noqa: E402
import urllib.request  # noqa: E402
from collections.abc import Callable  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

import gevent  # noqa: E402
from gevent.threadpool import ThreadPool  # noqa: E402

from sipbridge.adapters.observe.call_records import CallRecords  # noqa: E402
from sipbridge.adapters.observe.line_writer import FileTarget, LineWriter  # noqa: E402
from sipbridge.adapters.observe.log_output import LogOutput  # noqa: E402
from sipbridge.config.load import parse_providers  # noqa: E402
from sipbridge.core.calls.events import CallEnded, CallParked, CallTimes  # noqa: E402
from sipbridge.core.calls.routing import RoutingTable, route  # noqa: E402
from sipbridge.core.calls.routing_table import routing_table  # noqa: E402
from sipbridge.core.gateways.registration import Registration, RegistrationStatus  # noqa: E402
from sipbridge.core.providers.media_defaults import MediaDefaults  # noqa: E402
from sipbridge.core.sip.call import CallRequest, ChannelUuid  # noqa: E402
from sipbridge.daemon.app import App, SystemClock  # noqa: E402
from sipbridge.ports import CallObserver  # noqa: E402
from sipbridge.services.calls.call_journal import CallJournal  # noqa: E402
from sipbridge.services.observe.call_log import CallLog  # noqa: E402
from sipbridge.services.observe.call_tally import CallTally  # noqa: E402
from sipbridge.settings import load_settings  # noqa: E402
from support.processes import free_tcp_port  # noqa: E402

_ROUNDS = 5
_TICK_S = 0.001
_IDLE_S = 2.0


def providers(accounts: int) -> str:
    """One provider, which finds callers by their alias among so many accounts that need not register."""
    loader = [
        {"uri": f"sip:line{number}@far.example.org", "alias": f"sip:user{number}@home.example.org"}
        for number in range(accounts)
    ]
    pool = {"outboundProxy": "sip:far.example.org", "registrationRequired": False, "maxCallsPerLine": 10}
    provider = {
        "name": "PSTN",
        "triggerCondition": {"strategy": "Always"},
        "accountToUse": {"strategy": "FindInPool", "source": "{from}", "by": "alias"},
        "onAccountNotFound": "decline",
        "outgoingInvite": {"to": "sip:{incoming.to.user}@{account.uri.hostport}", "from": "{account.uri}"},
        "accountPool": "accounts",
    }
    return json.dumps(
        {"schemaVersion": 2, "providers": [provider], "accountPools": {"accounts": pool | {"loader": loader}}}
    )


def scrape(accounts: int, scrapes: int) -> dict[str, float]:
    """Scrape a daemon that finds no switch, while a timer sees how long nobody else gets a turn."""
    with tempfile.TemporaryDirectory() as folder:
        port = free_tcp_port()
        settings = load_settings(
            None,
            {
                "SIPBRIDGE_EVENT_SOCKET__PORT": "1",
                "SIPBRIDGE_EVENT_SOCKET__PASSWORD": "nobody listens",
                "SIPBRIDGE_GATEWAYS__SPOOL_FILE": f"{folder}/gateways.xml",
                "SIPBRIDGE_CONTROL__SOCKET": f"{folder}/control.sock",
                "SIPBRIDGE_HTTP__PORT": str(port),
            },
        )
        config = parse_providers(providers(accounts), "providers.json").config
        assert config is not None
        app = App(settings, config)
        app.start()
        pauses: list[float] = []
        watch = gevent.spawn(_watch, pauses)
        gevent.sleep(_IDLE_S)
        idle, pauses[:] = max(pauses), []
        took = ThreadPool(1).apply(_scrape, (f"http://127.0.0.1:{port}/metrics", scrapes))
        watch.kill()
        app.stop()
    return {"scrape_ms": 1000 * statistics.median(took), "idle_ms": 1000 * idle, "pause_ms": 1000 * max(pauses)}


def _watch(pauses: list[float]) -> None:
    while True:
        due = time.monotonic() + _TICK_S
        gevent.sleep(_TICK_S)
        pauses.append(time.monotonic() - due)


def _scrape(url: str, scrapes: int) -> list[float]:
    took = []
    for _ in range(scrapes):
        begin = time.perf_counter()
        with urllib.request.urlopen(url, timeout=60) as answer:
            answer.read()
        took.append(time.perf_counter() - begin)
    return took


def call(calls: int) -> dict[str, float]:
    """Microseconds that a call takes to be told to each observer, beside those of telling nobody."""
    config = parse_providers(providers(1_000), "providers.json").config
    assert config is not None
    table = routing_table(config, MediaDefaults())
    for line in table.pools["accounts"]:
        line.set_registration(Registration(RegistrationStatus.REGISTERED))
    log = LogOutput("INFO", as_json=True, secrets=["a secret of somebody", "and another"])
    log.start()
    with tempfile.TemporaryDirectory() as folder:
        records = CallRecords(LineWriter(FileTarget(Path(folder) / "cdr.jsonl"), capacity=10 * calls * _ROUNDS))
        observers: dict[str, CallObserver] = {
            "counting": CallTally(lambda: ["PSTN"]),
            "line in the log": CallLog(),
            "detail record": records,
        }
        journal_us = _us_per_call(table, calls, None)
        costs = {name: _us_per_call(table, calls, observer) - journal_us for name, observer in observers.items()}
        records.stop()
    log.stop()
    return {"place in the journal": journal_us} | costs


def _us_per_call(table: RoutingTable, calls: int, observer: CallObserver | None) -> float:
    return min(_round(table, calls, observer) for _ in range(_ROUNDS))


def _round(table: RoutingTable, calls: int, observer: CallObserver | None) -> float:
    clock = SystemClock()
    journal = CallJournal(clock, [observer] if observer else [])
    told = []
    for number in range(calls):
        request = CallRequest(
            "sip:+33612345678@bridge.example.org;user=phone",
            f'"Caller" <sip:user{random.randrange(1_000)}@home.example.org>;tag={number:x}a8c1',
            "<sip:+33612345678@home.example.org;user=phone>",
        )
        channel = ChannelUuid(f"634725bd-63d9-4ed6-8be2-{number:012x}")
        parked = CallParked(channel, request, f"{number:x}b4c76e66710@pc33.example.org", "inside", "")
        times = CallTimes(1_795_397_000_000_000, 1_795_397_001_000_000, 1_795_397_003_000_000, 1_795_397_063_000_000)
        ended = CallEnded(channel, "NORMAL_CLEARING", answered=True, sip_status=200, times=times)
        told.append((parked, request, route(request, table, lambda _: 0), ended))
    begin = time.perf_counter()
    for parked, request, decision, ended in told:
        journal.decided(parked, request, decision, "", clock.monotonic())
        journal.ended(ended, decision.line)
    return 1e6 * (time.perf_counter() - begin) / calls


if __name__ == "__main__":
    _measurements: dict[str, Callable[..., Any]] = {"scrape": scrape, "call": call}
    print(json.dumps(_measurements[sys.argv[1]](*map(int, sys.argv[2:]))))

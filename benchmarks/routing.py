"""Routing decisions per second, by size of the pool. Measures time, nothing else.

A decision starts from the texts of a call's headers, as CHANNEL_PARK has them, and no text is used twice: nothing that
was found out for one call is at hand for the next.
"""

from __future__ import annotations

import json
import random
import secrets
import time
from dataclasses import replace

from benchmarks.figures import Figure, Report, at_least, at_most
from benchmarks.machine import OtherLoad
from sipbridge.config.load import parse_providers
from sipbridge.core.accounts.account import Account
from sipbridge.core.calls.routing import Bridge, RoutingTable, route
from sipbridge.core.calls.routing_table import routing_table
from sipbridge.core.gateways.registration import Registration, RegistrationStatus
from sipbridge.core.providers.media_defaults import MediaDefaults
from sipbridge.core.sip.call import CallRequest
from sipbridge.core.sip.uri import SipUri

_SIZES = (10, 10_000, 1_000_000)
_STRATEGIES = ("FindInPool", "Random")
_AIM_PER_S = 100_000
_AIM_FLAT = 1.5


def measure(quick: bool) -> Report:
    """Decide calls, round by round through all pools and strategies, and keep the best round of each."""
    rounds, calls = (5, 5_000) if quick else (9, 20_000)
    source = random.Random(1)
    others = OtherLoad()
    tables = {(strategy, size): table for size in _SIZES for strategy, table in _tables(size).items()}
    best = dict.fromkeys(tables, float("inf"))
    for _ in range(rounds):
        for key, table in tables.items():
            best[key] = min(best[key], _seconds_per_decision(table, _header_texts(source, key[1], calls)))
    figures: list[Figure] = []
    for strategy in _STRATEGIES:
        for size in _SIZES:
            per_s = 1 / best[strategy, size]
            figures.append(at_least(f"{strategy}, {size:,} accounts", per_s / 1000, _AIM_PER_S / 1000, "{:.0f} k/s"))
        seconds = [best[strategy, size] for size in _SIZES]
        flat = max(seconds) / min(seconds)
        figures.append(at_most(f"{strategy}, fastest size to slowest", flat, _AIM_FLAT, "{:.2f} x"))
    conditions = f"One core; {calls:,} calls from header texts never seen before; best of {rounds} rounds. {others}"
    return Report("Routing decisions", figures, conditions)


def _tables(size: int) -> dict[str, RoutingTable]:
    """By strategy, the same pool of `size` accounts; the provider is like the specification's first, outbound."""
    accounts = tuple(
        Account(
            SipUri("sip", f"line{number}", "jabiru.example.org"), SipUri("sip", f"user{number}", "inside.example.org")
        )
        for number in range(size)
    )
    config = parse_providers(json.dumps(_PROVIDERS), "providers.json").config
    assert config is not None
    pools = {name: replace(pool, loader=accounts) for name, pool in config.pools.items()}
    table = routing_table(replace(config, pools=pools), MediaDefaults())
    for line in table.pools["accounts"]:
        line.set_registration(Registration(RegistrationStatus.REGISTERED))
    return {provider.name: replace(table, providers=(provider,)) for provider in config.providers}


def _provider(name: str, account_to_use: dict[str, str]) -> dict[str, object]:
    return {
        "name": name,
        "triggerCondition": {"strategy": "Always"},
        "accountToUse": account_to_use,
        "onAccountNotFound": "nextProvider",
        "outgoingInvite": {
            "to": "sip:{incoming.to.user}@{account.uri.hostport}{incoming.to.uriParameters}",
            "from": "{account.uri}",
        },
        "accountPool": "accounts",
    }


_PROVIDERS = {
    "schemaVersion": 2,
    "providers": [
        _provider("FindInPool", {"strategy": "FindInPool", "source": "{from}", "by": "alias"}),
        _provider("Random", {"strategy": "Random"}),
    ],
    "accountPools": {
        "accounts": {
            "outboundProxy": "<sip:proxy.example.org;transport=tls>",
            "registrationRequired": False,
            "maxCallsPerLine": 10,
            "loader": [{"uri": "sip:placeholder@example.org"}],
        }
    },
}


def _header_texts(source: random.Random, size: int, calls: int) -> list[tuple[str, str, str]]:
    return [
        (
            f"sip:+3361234{number % 10_000:04}@bridge.example.org;user=phone",
            f'"Caller {number}" <sip:user{source.randrange(size)}@inside.example.org>;tag={number:x}a8c1',
            f"<sip:+3361234{number % 10_000:04}@inside.example.org;user=phone>",
        )
        for number in range(calls)
    ]


def _seconds_per_decision(table: RoutingTable, texts: list[tuple[str, str, str]]) -> float:
    decision = None
    begin = time.perf_counter()
    for request_uri, from_, to in texts:
        decision = route(CallRequest(request_uri, from_, to), table, secrets.randbelow)
    end = time.perf_counter()
    assert isinstance(decision, Bridge)
    return (end - begin) / len(texts)

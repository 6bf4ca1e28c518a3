"""One account changes among tens of thousands on a real FreeSWITCH: when its gateway is right. Starts processes."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from statistics import median

from benchmarks import accounts_databases
from benchmarks.accounts_databases import Database, change, insert, providers_file
from benchmarks.figures import Figure, at_most
from sipbridge.adapters.event_socket.spool import Spool
from sipbridge.core.accounts.account import Account, SecretType, account_id
from sipbridge.core.gateways.gateway import Gateway, GatewayName, gateway_for
from sipbridge.core.providers.provider import PoolPolicy
from sipbridge.core.sip.uri import parse_sip_uri
from support.bridge import Bridge
from support.event_socket import EventSocket
from support.freeswitch import FreeSwitch
from support.processes import wait_until
from support.redis_server import RedisServer

_PROXY = "sip:127.0.0.1:9;transport=udp"
_CHANNEL = "flexisip/B2BUA/account"
_AIM_S = 1.5
_PATIENCE_S = 10.0
_RESCAN_PATIENCE_S = 90.0


def measure_changes(count: int, changes: int, *, compare: bool) -> Iterator[Figure]:
    """Change and add accounts in the database, tell Redis, and wait for FreeSWITCH's own event.

    Args:
        compare: whether to measure what a rescan takes when all gateways stand in the file.
    """
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sipbridge-benchmark-")))
        database = stack.enter_context(accounts_databases.sqlite(directory, count))
        redis = RedisServer(directory / "redis")
        stack.callback(redis.kill)
        freeswitch = FreeSwitch(directory / "freeswitch")
        stack.callback(freeswitch.kill)
        providers = providers_file(database.loader(), f"<{_PROXY}>", registers=False)
        more_settings = f'[redis]\nurl = "redis://127.0.0.1:{redis.port}"\n'
        bridge = Bridge(directory / "bridge", freeswitch, providers, more_settings=more_settings)
        stack.callback(bridge.kill)
        wait_until("all gateways are there", lambda: len(freeswitch.gateways_up()) == count, timeout_s=60.0, poll_s=0.5)
        freeswitch.event_socket.command("event json CUSTOM sofia::gateway_add")
        watched = _Watched(database, redis, freeswitch.event_socket)
        added_s = [watched.add(count + number) for number in range(changes)]
        changed_s = [watched.change(number) for number in range(changes)]
        yield _figure(f"one account added to {count:,} gateways", added_s)
        yield _figure("one that has another password", changed_s)
        bridge.kill()
        if compare:
            yield _rescan(freeswitch)


class _Watched:
    """Changes accounts, and measures the time from the notification to the new gateway in FreeSWITCH."""

    def __init__(self, database: Database, redis: RedisServer, event_socket: EventSocket) -> None:
        self._database = database
        self._redis = redis
        self._event_socket = event_socket

    def add(self, number: int) -> float:
        insert(self._database, number)
        return self._notify(number)

    def change(self, number: int) -> float:
        change(self._database, [number + 1], f"changed {number}")
        return self._notify(number)

    def _notify(self, number: int) -> float:
        user = f"user{number}"
        message = {"username": user, "domain": accounts_databases.DOMAIN, "identifier": str(number + 1)}
        begin = time.perf_counter()
        self._redis.publish(_CHANNEL, [json.dumps(message)])
        self._event_socket.event(
            lambda event: str(event.get("Gateway", "")).startswith(f"sipbridge.{user}."), _PATIENCE_S
        )
        return time.perf_counter() - begin


def _figure(name: str, seconds: list[float]) -> Figure:
    middle = median(seconds)
    return at_most(name, middle, _AIM_S, "{:.1f} s", f"{middle:.2f} s, longest {max(seconds):.2f} s")


def _rescan(freeswitch: FreeSwitch) -> Figure:
    """What it takes when the file holds every gateway, and one that is new: those that are there are read as well."""
    names = [*freeswitch.gateways_up(), "sipbridge.new"]
    with Spool(freeswitch.spool, retry_s=30).holding([_gateway(name) for name in names]):
        begin = time.perf_counter()
        freeswitch.event_socket.command("api sofia profile providers rescan", _RESCAN_PATIENCE_S)
        seconds = time.perf_counter() - begin
    return Figure(f"a rescan with {len(names):,} gateways in the file", f"{seconds:.1f} s")


def _gateway(name: str) -> Gateway:
    account = Account(
        parse_sip_uri(f"sip:user@{accounts_databases.DOMAIN}"), secret="password", secret_type=SecretType.CLEAR_TEXT
    )
    policy = PoolPolicy("accounts", parse_sip_uri(_PROXY), registration_required=False, max_calls_per_line=1)
    made = gateway_for(account_id("accounts", account.uri), account, policy, bytes(32), 3600)
    return replace(made, name=GatewayName(name))

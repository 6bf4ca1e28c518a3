"""A daemon in one of the states that a fault can find it in, and what must hold once the fault is over."""

from __future__ import annotations

import gc
import json
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from multiprocessing.pool import ThreadPool
from pathlib import Path
from typing import Any

import gevent
from faulty_relay import FaultyRelay
from greenlet import greenlet
from switches import CALLS_PER_LINE, OUR_DOMAIN, PlacedCall, Surroundings, Switch

from sipbridge.adapters.control.control_socket import ControlError, ask
from sipbridge.config.load import load_providers
from sipbridge.core.gateways.registration import RegistrationStatus
from sipbridge.core.pools.account_pool import AccountPool
from sipbridge.daemon.app import App
from sipbridge.settings import load_settings
from support.registrar import PASSWORD

FEW, MANY = 50, 1_000
_DEADLINE_S = 100.0
_ANSWER_WITHIN_S = 1.0
_AT_ONCE = 20


class World:
    """A daemon, its FreeSWITCH, and what is between the two.

    Attributes:
        is_drained: whether it is to take no calls.
    """

    def __init__(self, folder: Path, switch: Switch, relay: FaultyRelay, app: App) -> None:
        self.switch = switch
        self.relay = relay
        self.app = app
        self.is_drained = False
        self._folder = folder

    @property
    def pool(self) -> AccountPool:
        (pool,) = self.app.table.pools.values()
        return pool

    @property
    def registered(self) -> int:
        return self.pool.tally.registrations[RegistrationStatus.REGISTERED]

    def call(self, number: int = 0) -> PlacedCall:
        """Call from the account of that number."""
        return self.switch.call(f"user{number % len(self.pool)}")

    def hold(self, count: int) -> None:
        """Have so many calls answered."""
        calls: list[PlacedCall] = []

        def are_held() -> bool:
            # One that comes while FreeSWITCH is too busy is declined; another one takes its place.
            calls[:] = [call for call in calls if not call.is_over]
            if not all(call.is_carried for call in calls):
                return False
            # No more at once than a socket's buffer has room for: the phone says everything once.
            wanted = range(len(calls), min(len(calls) + _AT_ONCE, count))
            calls.extend([self.call(number) for number in wanted])
            return not wanted

        self.until(f"{count} calls are held", are_held)

    def drain(self, *, undo: bool = False) -> None:
        """As the operator does."""
        self.command("drain", {"undo": undo})
        self.is_drained = not undo

    def change_accounts(self, login: str) -> None:
        """Another authentication name for every other account, in the file."""
        write_providers(self._folder, len(self.pool), self.switch.surroundings, login)

    def command(self, name: str, arguments: dict[str, Any] | None = None) -> Any:
        return ask(self._folder / "control.sock", name, arguments, timeout_s=_DEADLINE_S)

    def reload(self) -> None:
        """As the operator does, again and again until it is done."""
        self.until("it reloads", self._reloads)

    def _reloads(self) -> bool:
        try:
            return self.command("reload")["plan"] is not None
        except ControlError:
            # It was cut short, or another one is under way.
            return False

    # What must hold.

    def until(self, what: str, is_so: Callable[[], bool]) -> None:
        deadline = time.monotonic() + _DEADLINE_S
        while not is_so():
            assert time.monotonic() < deadline, f"{what}: {self}"
            gevent.sleep(0.01)

    def recover(self) -> float:
        """Wait until all is as it should be; the seconds that it took."""
        began = time.monotonic()
        self.until("it recovers", self._is_well)
        took_s = time.monotonic() - began
        # Its table of channels lags behind.
        self.until("the switch agrees", lambda: self.switch.legs() == 2 * self.switch.calls().total())
        return took_s

    def _is_well(self) -> bool:
        if not self.app.takes_calls or self.registered != len(self.pool) or self._lines() != self.switch.calls():
            return False
        return self.is_drained or self._carries_a_call()

    def _carries_a_call(self) -> bool:
        call = self.call()
        deadline = time.monotonic() + _ANSWER_WITHIN_S
        while not call.is_carried and not call.is_over and time.monotonic() < deadline:
            gevent.sleep(0.005)
        was_carried = call.is_carried
        call.hang_up()
        return was_carried

    def end(self) -> None:
        """Hang up everything; every line must be free."""
        if self.is_drained:
            self.drain(undo=True)
        self.switch.hang_up_all()
        self.until("every line is free", lambda: not self._lines() and not self.app.calls_in_progress)
        self.until("no channel is left", lambda: self.switch.legs() == 0)
        self.switch.check()

    def _lines(self) -> Counter[str]:
        return Counter({line.account.uri.user: line.calls for line in self.pool if line.calls})

    def __str__(self) -> str:
        others = (line for line in self.pool if line.registration.status is not RegistrationStatus.REGISTERED)
        return (
            f"{self.registered} of {len(self.pool)} registered, takes calls: {self.app.takes_calls}, "
            f"{self._lines().total()} lines taken by {self.switch.calls().total()} calls; not registered: "
            f"{[(line.gateway, line.registration) for line in islice(others, 3)]}"
        )


def write_providers(folder: Path, accounts: int, surroundings: Surroundings, login: str = "user") -> Path:
    """A file with so many accounts; every other one has an authentication name that begins so."""
    file = folder / "providers.json"
    provider = {
        "name": "p",
        "triggerCondition": {"strategy": "Always"},
        "accountToUse": {"strategy": "FindInPool", "source": "{from}", "by": "alias"},
        "onAccountNotFound": "decline",
        "outgoingInvite": {"to": "sip:callee@{account.uri.hostport}", "from": "{account.uri}"},
        "accountPool": "pool",
    }
    loader = [
        {
            "uri": f"sip:user{number}@jabiru.example.org",
            "alias": f"sip:user{number}@{OUR_DOMAIN}",
            "userid": f"{login if number % 2 else 'user'}{number}",
            "secretType": "clrtxt",
            "secret": PASSWORD,
        }
        for number in range(accounts)
    ]
    pool = {
        "outboundProxy": f"<sip:{surroundings.callee}>",
        "registrar": f"<sip:{surroundings.registrar}>",
        "registrationRequired": True,
        # All that is around it is gone by then.
        "unregisterOnServerShutdown": False,
        "maxCallsPerLine": CALLS_PER_LINE,
        "loader": loader,
    }
    file.write_text(json.dumps({"schemaVersion": 2, "providers": [provider], "accountPools": {"pool": pool}}))
    return file


@contextmanager
def world(folder: Path, switch: Switch, accounts: int) -> Iterator[World]:
    """A daemon beside a switch; deadlines are short, so that faults are found soon."""
    around = switch.surroundings
    with FaultyRelay(around.event_socket_port) as relay:
        settings = load_settings(
            None,
            {
                "SIPBRIDGE_PROVIDERS_FILE": str(write_providers(folder, accounts, around)),
                "SIPBRIDGE_EVENT_SOCKET__PORT": str(relay.port),
                "SIPBRIDGE_EVENT_SOCKET__PASSWORD": around.event_socket_password,
                "SIPBRIDGE_EVENT_SOCKET__CONNECT_TIMEOUT_S": "1",
                "SIPBRIDGE_EVENT_SOCKET__BACKOFF_MIN_S": "0.05",
                "SIPBRIDGE_EVENT_SOCKET__BACKOFF_MAX_S": "0.2",
                "SIPBRIDGE_GATEWAYS__SPOOL_FILE": str(around.spool_file),
                "SIPBRIDGE_CONTROL__SOCKET": str(folder / "control.sock"),
                "SIPBRIDGE_CDR__FILE": str(folder / "cdr.jsonl"),
                "SIPBRIDGE_HTTP__PORT": "0",
                "SIPBRIDGE_CALLS__MAX_CALLS_PER_S": "10000",
                # Its thread may be making a tuple just when all objects are asked for, which Python does not bear.
                "SIPBRIDGE_NETWORK__WATCH": "false",
                **around.settings,
            },
        )
        assert settings.providers_file is not None
        config = load_providers(settings.providers_file, settings.media_defaults).config
        assert config is not None
        app = App(settings, config)
        app.start()
        try:
            yield World(folder, switch, relay, app)
        finally:
            app.stop()
        recorded = Counter(json.loads(line)["channel"] for line in (folder / "cdr.jsonl").read_text().splitlines())
        assert [channel for channel, times in recorded.items() if times > 1] == []
        assert recorded


def leftovers() -> tuple[int, int]:
    """Open descriptors and living greenlets of this process.

    Not while native threads work: an object that one is making must not be seen by anybody else, and fails if it is.
    """
    while len(gevent.get_hub().threadpool):
        gevent.sleep(0.01)
    gc.collect()
    alive = sum(isinstance(each, greenlet) and not each.dead for each in gc.get_objects())
    return len(os.listdir("/proc/self/fd")), alive


def settle(before: tuple[int, int]) -> None:
    """Wait until there is no more of either than before.

    Raises:
        AssertionError: with those that are left.
    """
    deadline = time.monotonic() + 10.0
    while any(now > then for now, then in zip(leftovers(), before, strict=True)):
        left = [each for each in gc.get_objects() if isinstance(each, greenlet) and not each.dead]
        assert time.monotonic() < deadline, f"descriptors and greenlets: {before} before, {leftovers()} now: {left}"
        gevent.sleep(0.05)


def warm_up() -> None:
    """What the first use of native threads opens for good."""
    gevent.get_hub().threadpool.apply(int)
    ThreadPool(1).close()

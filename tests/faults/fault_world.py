"""A bridge on a simulator, in one of the states that a fault can find it in, and what must hold once it is over."""

from __future__ import annotations

import gc
import json
import os
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.pool import ThreadPool
from pathlib import Path
from typing import Any

import gevent
from greenlet import greenlet

from sipbridge.adapters.control_socket import ControlError, ask
from sipbridge.app import App
from sipbridge.config.load import load_providers
from sipbridge.core.account_pool import AccountPool
from sipbridge.core.dial_string import ACCOUNT_VARIABLE
from sipbridge.core.gateway import RegistrationStatus
from sipbridge.settings import load_settings
from sipbridge.simulator import CallState, SimulatedCall, Simulator

FEW, MANY = 50, 1_000
CALLS_PER_LINE = 10
_DEADLINE_S = 30.0
_TALKING = (CallState.CALLING, CallState.ANSWERED)


class World:
    """A daemon, and the FreeSWITCH that faults befall.

    Attributes:
        is_drained: whether it is to take no calls.
    """

    def __init__(self, folder: Path, simulator: Simulator, app: App) -> None:
        self.simulator = simulator
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

    def call(self, number: int = 0) -> SimulatedCall:
        """Call from the account of that number."""
        user = f"user{number % len(self.pool)}"
        return self.simulator.place_call(
            "sip:bob@bridge.example.org", f"<sip:{user}@example.org>", "<sip:bob@example.org>"
        )

    def hold(self, count: int) -> None:
        """Have so many calls answered."""
        for number in range(count):
            self.call(number)
        self.until(f"{count} calls are held", lambda: self._talking().total() == count)

    def drain(self, *, undo: bool = False) -> None:
        """As the operator does."""
        self.command("drain", {"undo": undo})
        self.is_drained = not undo

    def change_secrets(self, secret: str) -> None:
        """Another secret for every other account, in the file."""
        write_providers(self._folder, len(self.pool), secret)

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

    def until(self, what: str, is_so: Any) -> None:
        deadline = time.monotonic() + _DEADLINE_S
        while not is_so():
            assert time.monotonic() < deadline, f"{what}: {self}"
            gevent.sleep(0.01)

    def recover(self) -> float:
        """Wait until all is as it should be; the seconds that it took."""
        began = time.monotonic()
        self.until("it recovers", self._is_well)
        return time.monotonic() - began

    def _is_well(self) -> bool:
        if not self.app.takes_calls or self.registered != len(self.pool) or self._lines() != self._talking():
            return False
        if self.is_drained:
            return True
        call = self.call()
        gevent.sleep(0.02)
        is_carried = call.state in _TALKING
        call.hang_up()
        return is_carried

    def end(self) -> None:
        """Hang up everything; every line must be free."""
        if self.is_drained:
            self.drain(undo=True)
        for call in list(self.simulator.switch.calls.values()):
            call.hang_up()
        self.until("every line is free", lambda: not self._lines() and not self.app.calls_in_progress)

    def _lines(self) -> Counter[str]:
        return Counter({str(line.id): line.calls for line in self.pool if line.calls})

    def _talking(self) -> Counter[str]:
        calls = self.simulator.switch.calls.values()
        return Counter(call.channel.get(ACCOUNT_VARIABLE) or "" for call in calls if call.state in _TALKING)

    def __str__(self) -> str:
        return (
            f"{self.registered} of {len(self.pool)} registered, takes calls: {self.app.takes_calls}, "
            f"{sum(self._lines().values())} lines taken by {sum(self._talking().values())} calls"
        )


def write_providers(folder: Path, accounts: int, secret: str = "changed") -> Path:
    """A file with so many accounts; every other one has that secret."""
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
            "alias": f"sip:user{number}@example.org",
            "secretType": "clrtxt",
            "secret": secret if number % 2 else "same",
        }
        for number in range(accounts)
    ]
    pool = {
        "outboundProxy": "<sip:jabiru.example.org;transport=tcp>",
        "registrationRequired": True,
        "maxCallsPerLine": CALLS_PER_LINE,
        "loader": loader,
    }
    file.write_text(json.dumps({"schemaVersion": 2, "providers": [provider], "accountPools": {"pool": pool}}))
    return file


@contextmanager
def world(folder: Path, accounts: int) -> Iterator[World]:
    """A daemon and its simulator, both started; deadlines are short, so that faults are found soon."""
    spool = folder / "gateways.xml"
    spool.write_text("<include>\n</include>\n")
    with Simulator(spool_file=spool, tick_s=0.05, time_scale=0.2) as simulator:
        settings = load_settings(
            None,
            {
                "SIPBRIDGE_PROVIDERS_FILE": str(write_providers(folder, accounts)),
                "SIPBRIDGE_EVENT_SOCKET__PORT": str(simulator.port),
                "SIPBRIDGE_EVENT_SOCKET__PASSWORD": simulator.password,
                "SIPBRIDGE_EVENT_SOCKET__CONNECT_TIMEOUT_S": "1",
                "SIPBRIDGE_EVENT_SOCKET__COMMAND_TIMEOUT_S": "0.5",
                "SIPBRIDGE_EVENT_SOCKET__BACKOFF_MIN_S": "0.05",
                "SIPBRIDGE_EVENT_SOCKET__BACKOFF_MAX_S": "0.2",
                "SIPBRIDGE_GATEWAYS__SPOOL_FILE": str(spool),
                "SIPBRIDGE_GATEWAYS__MAX_REGISTRATIONS_PER_S": "2000",
                "SIPBRIDGE_GATEWAYS__CONFIRM_TIMEOUT_S": "1",
                "SIPBRIDGE_GATEWAYS__RETRY_S": "1",
                "SIPBRIDGE_CONTROL__SOCKET": str(folder / "control.sock"),
                "SIPBRIDGE_HTTP__PORT": "0",
                "SIPBRIDGE_CALLS__LEASE_S": "2",
                "SIPBRIDGE_CALLS__MAX_CALLS_PER_S": "10000",
            },
        )
        assert settings.providers_file is not None
        config = load_providers(settings.providers_file, settings.media_defaults).config
        assert config is not None
        app = App(settings, config)
        app.start()
        try:
            yield World(folder, simulator, app)
        finally:
            app.stop()


def leftovers() -> tuple[int, int]:
    """Open descriptors and living greenlets of this process."""
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

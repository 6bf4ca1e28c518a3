"""Thousands of accounts register through a real FreeSWITCH: how fast, and how evenly afterwards. Starts processes."""

from __future__ import annotations

import os
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.accounts_databases import providers_file
from benchmarks.figures import Figure, at_most
from benchmarks.refresh_model import mean_period_s, simulate
from support.bridge import Bridge
from support.freeswitch import FreeSwitch
from support.processes import wait_until
from support.registrar import PASSWORD, Registrar

_AIM_PACE = 1.2
_AIM_PEAK = 3.0
_POLL_S = 0.5
_SLACK = 2.0
"""Who needs so many times as long as the pace says is not waited for."""


@dataclass(frozen=True, slots=True)
class Fleet:
    """Accounts that are to register.

    Attributes:
        rate: how many a second at most.
        expires_s: longest lifetime of a registration.
        refreshes: for how many of its periods to watch what comes afterwards.
    """

    count: int
    rate: int
    expires_s: int = 3600
    refreshes: int = 0

    @property
    def period_s(self) -> float:
        """Mean time between two REGISTERs of an account."""
        return mean_period_s(self.expires_s)


def measure_fleet(fleet: Fleet) -> Iterator[Figure]:
    """Register them, and watch them for some time."""
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sipbridge-benchmark-")))
        registrar = Registrar(directory)
        stack.callback(registrar.kill)
        freeswitch = FreeSwitch(directory / "freeswitch")
        stack.callback(freeswitch.kill)
        settings = {
            "SIPBRIDGE_GATEWAYS__MAX_REGISTRATIONS_PER_S": str(fleet.rate),
            "SIPBRIDGE_GATEWAYS__EXPIRES_S": str(fleet.expires_s),
        }
        with environment(settings):
            bridge = Bridge(directory / "bridge", freeswitch, _providers(fleet.count, registrar.hostport))
        stack.callback(bridge.kill)
        yield registered(fleet, registrar, freeswitch)
        if fleet.refreshes:
            yield from _refreshed(fleet, registrar, bridge)


def registered(fleet: Fleet, registrar: Registrar, freeswitch: FreeSwitch) -> Figure:
    """Wait until all are: from the first REGISTER that was accepted to the last."""
    name = f"{fleet.count:,} gateways registered at {fleet.rate} a second"
    pace_s = fleet.count / fleet.rate
    try:
        wait_until(
            "all gateways are registered",
            lambda: len(freeswitch.gateways_up()) == fleet.count,
            timeout_s=_SLACK * pace_s + 10,
            poll_s=_POLL_S,
        )
    except TimeoutError:
        there = len(freeswitch.gateways_up())
        return Figure(name, f"only {there:,} within {_SLACK * pace_s:.0f} s", f"≤ {_AIM_PACE * pace_s:.1f} s", False)
    first_of: dict[str, float] = {}
    for at, user in registrar.accepted():
        first_of.setdefault(user, at)
    seconds = max(first_of.values()) - min(first_of.values())
    return at_most(name, seconds, _AIM_PACE * pace_s, "{:.1f} s", f"{seconds:.1f} s, {seconds / pace_s:.2f} x")


def _refreshed(fleet: Fleet, registrar: Registrar, bridge: Bridge) -> Iterator[Figure]:
    begin = time.time()
    seconds = round(fleet.refreshes * fleet.period_s)
    time.sleep(seconds)
    per_second = _per_second([at - begin for at, _ in registrar.accepted() if begin <= at < begin + seconds], seconds)
    mean, most = sum(per_second) / len(per_second), max(per_second)
    periods = f"{fleet.refreshes} refresh period{'s' if fleet.refreshes > 1 else ''}"
    yield Figure(f"REGISTERs a second, mean of {periods}", f"{mean:.0f}")
    yield at_most("  the highest second to the mean", most / mean if mean else 0.0, _AIM_PEAK, "{:.1f} x")
    model = simulate(fleet.count, fleet.rate, fleet.expires_s, repeats_contact=True)
    yield Figure("  the same, simulated for two periods", f"{model.mean:.0f}, {model.ratio:.1f} x")
    down = sum(one["status"] != "OK" for one in bridge.accounts().values())
    yield Figure("  accounts that are not registered afterwards", str(down), "0", down == 0)


def _per_second(times: Sequence[float], seconds: int) -> list[int]:
    counts = Counter(int(at) for at in times)
    return [counts[second] for second in range(seconds)]


def _providers(count: int, registrar: str) -> dict[str, object]:
    accounts = [
        {
            "uri": f"sip:user{number}@jabiru.example.org",
            "alias": f"sip:user{number}@inside.example.org",
            "secretType": "clrtxt",
            "secret": PASSWORD,
        }
        for number in range(count)
    ]
    return providers_file(accounts, f"<sip:{registrar};transport=udp>", registers=True)


@contextmanager
def environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Let what is started meanwhile have these variables."""
    os.environ.update(variables)
    try:
        yield
    finally:
        for name in variables:
            del os.environ[name]

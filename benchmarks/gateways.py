"""Thousands of gateways in a real FreeSWITCH: registering, refreshing, changing, calling. Starts processes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.calls import Climb
from benchmarks.figures import Figure, Report, at_most, not_measured
from benchmarks.gateways_calls import measure_calls, measure_start
from benchmarks.gateways_changed import measure_changes
from benchmarks.gateways_life import measure_life
from benchmarks.gateways_registered import Fleet, measure_fleet
from benchmarks.machine import OtherLoad
from benchmarks.refresh_model import simulate

_TITLE = "Gateways in FreeSWITCH"
_PROGRAMS = ("freeswitch", "kamailio", "mariadbd", "redis-server", "sipp")
_HOUR_S = 3600
_AIM_PEAK = 3.0


@dataclass(frozen=True, slots=True)
class _Effort:
    """How much is measured."""

    fleet: Fleet
    life: Fleet
    gateways: int
    changes: int
    compare: bool
    accounts: int
    rounds: int
    calls: int
    climb: Climb


_FULL = _Effort(
    fleet=Fleet(3_000, 300, expires_s=75, refreshes=2),
    life=Fleet(20_000, 500),
    gateways=50_000,
    changes=8,
    compare=True,
    accounts=20_000,
    rounds=3,
    calls=300,
    climb=Climb(seconds=2.0, attempts=2, halvings=2),
)
_QUICK = _Effort(
    fleet=Fleet(3_000, 300, expires_s=70, refreshes=1),
    life=Fleet(2_000, 200),
    gateways=10_000,
    changes=4,
    compare=False,
    accounts=5_000,
    rounds=1,
    calls=200,
    climb=Climb(seconds=1.5, attempts=1, halvings=0),
)


def measure(quick: bool) -> Report:
    """Start FreeSWITCHes, one after the other, and fill them."""
    if report := not_measured(_TITLE, *_PROGRAMS):
        return report
    effort = _QUICK if quick else _FULL
    others = OtherLoad()
    figures = list(_figures(effort))
    conditions = (
        f"FreeSWITCH, sipbridge and a Kamailio that asks for a digest on one machine, whose UDP sockets buffer "
        f"{_udp_buffer_kb()} KB (net.core.rmem_default: with too little, REGISTERs of a burst are lost, and sent again "
        f"later). Registered: from the first one to the last. What is refreshed lasts {effort.fleet.expires_s} s at "
        f"most, so that it can be waited for; an hour is simulated. A change: from the notification over Redis to "
        f"FreeSWITCH's new gateway, median of {effort.changes}. Calls as in the benchmark of calls, of accounts that "
        f"need not register. {others}"
    )
    return Report(_TITLE, figures, conditions)


def _figures(effort: _Effort) -> Iterator[Figure]:
    yield from measure_fleet(effort.fleet)
    yield from _simulated_refreshes()
    yield from measure_life(effort.life)
    yield from measure_changes(effort.gateways, effort.changes, compare=effort.compare)
    yield from measure_start(effort.accounts)
    yield from measure_calls(effort.accounts, effort.rounds, effort.calls, effort.climb)


def _simulated_refreshes() -> Iterator[Figure]:
    usual = simulate(20_000, 500, _HOUR_S, repeats_contact=True)
    odd = simulate(20_000, 500, _HOUR_S, repeats_contact=False)
    yield Figure("20,000 added at 500/s, an hour each: REGISTERs a second, simulated", f"{usual.mean:.0f}")
    yield at_most("  the highest second to the mean", usual.ratio, _AIM_PEAK, "{:.1f} x")
    yield Figure("  where the registrar does not repeat the Contact", f"{odd.ratio:.1f} x")


def _udp_buffer_kb() -> int:
    return int(Path("/proc/sys/net/core/rmem_default").read_text()) // 1024

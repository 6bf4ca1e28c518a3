"""Thousands of gateways in a real FreeSWITCH: registering, refreshing, changing, calling. Starts processes."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.calls import Climb
from benchmarks.figures import Figure, Report
from benchmarks.gateways_calls import measure_calls, measure_start
from benchmarks.gateways_changed import measure_changes
from benchmarks.gateways_registered import Fleet, measure_fleet
from benchmarks.machine import OtherLoad

_TITLE = "Gateways in FreeSWITCH"
_PROGRAMS = ("freeswitch", "kamailio", "redis-server", "sipp")


@dataclass(frozen=True, slots=True)
class _Effort:
    """How much is measured."""

    fleets: tuple[Fleet, ...]
    gateways: int
    changes: int
    compare: bool
    accounts: int
    rounds: int
    calls: int
    climb: Climb


_FULL = _Effort(
    fleets=(Fleet(3_000, 300, expires_s=75, refreshes=2), Fleet(20_000, 500)),
    gateways=50_000,
    changes=8,
    compare=True,
    accounts=20_000,
    rounds=3,
    calls=300,
    climb=Climb(seconds=2.0, attempts=2, halvings=2),
)
_QUICK = _Effort(
    fleets=(Fleet(1_500, 300, expires_s=70, refreshes=1),),
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
    missing = [program for program in _PROGRAMS if shutil.which(program) is None]
    if missing:
        return Report(_TITLE, (), f"Not measured: no {' and no '.join(missing)} on the PATH.")
    effort = _QUICK if quick else _FULL
    others = OtherLoad()
    others.sample()
    figures = list(_figures(effort))
    others.sample()
    expires_s = effort.fleets[0].expires_s
    conditions = (
        f"FreeSWITCH, sipbridge and a Kamailio that asks for a digest on one machine. Registered: from the first one "
        f"to the last. What is refreshed lasts {expires_s} s on average, so that it can be waited for; over an hour, "
        f"accounts added as quickly would be refreshed less evenly. A change: from the notification over Redis "
        f"to FreeSWITCH's new gateway, median of {effort.changes}. Calls as in the benchmark of calls, of accounts "
        f"that need not register. {others}"
    )
    return Report(_TITLE, figures, conditions)


def _figures(effort: _Effort) -> Iterator[Figure]:
    for fleet in effort.fleets:
        yield from measure_fleet(fleet)
    yield from measure_changes(effort.gateways, effort.changes, compare=effort.compare)
    yield from measure_start(effort.accounts)
    yield from measure_calls(effort.accounts, effort.rounds, effort.calls, effort.climb)

"""Calls through a real FreeSWITCH: what sipbridge adds to the same calls from a static dialplan. Starts processes.

Rounds alternate, and only those of one pair are compared: what else the machine does then meets both.

Where it comes from, as far as it is known:

- Delay: ``park`` sleeps 20 ms before it looks for a command, and the listener that has the event looks for events
  every 20 ms: a call whose event leaves early enough waits once, another twice. A parked call has no way round that.
  Source: switch_ivr.c, switch_ivr_park; mod_event_socket.c, read_packet.
- FreeSWITCH's CPU: about two fifths of what it executes for a call from the static dialplan makes events (callgrind),
  heard or not. So it goes by how many there are, and how many headers are in them: 46 with 5,490 there, 55 with 6,460
  through sipbridge (counted with ``event json ALL``).
- Rate: both cores are busy with FreeSWITCH, caller, callee and controller, so it goes by the CPU of all of them.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.figures import Figure, Report, at_least, at_most, not_measured
from benchmarks.machine import OtherLoad
from benchmarks.testbed import Cost, Testbed, Way

_TITLE = "Calls through FreeSWITCH"
_RATE = 100.0
_AIM_BRIDGE_MS = 0.6
_AIM_FREESWITCH = 1.3
_AIM_RATE = 0.9
_AIM_DELAY_MS = {50: 25.0, 99: 60.0}

_FIRST_RATE = 100.0
_LAST_RATE = 1000.0
_GROWTH = 1.5
_LATE_MS = 500.0
"""A caller that has heard nothing for so long sends its INVITE again (RFC 3261 §17.1.1.2, T1)."""
_BEHIND_S = 2.0
"""A series that takes so much longer than its rate says was not made at that rate."""


@dataclass(frozen=True, slots=True)
class _Effort:
    """How much is measured."""

    pairs: int
    calls: int
    climbs: int
    climb: Climb


@dataclass(frozen=True, slots=True)
class Climb:
    """How the highest rate is looked for.

    Attributes:
        seconds: how long each rate has to be held.
        attempts: how often each is tried, because the machine may stumble.
        halvings: how often the gap between a rate that is held and one that is not is halved.
    """

    seconds: float
    attempts: int
    halvings: int


_FULL = _Effort(pairs=5, calls=400, climbs=2, climb=Climb(seconds=3.0, attempts=2, halvings=3))
_QUICK = _Effort(pairs=2, calls=300, climbs=1, climb=Climb(seconds=2.0, attempts=1, halvings=2))


def measure(quick: bool) -> Report:
    """Start FreeSWITCH and compare."""
    if report := not_measured(_TITLE, "freeswitch", "sipp"):
        return report
    effort = _QUICK if quick else _FULL
    others = OtherLoad()
    with tempfile.TemporaryDirectory(prefix="sipbridge-benchmark-") as directory, Testbed(Path(directory)) as testbed:
        testbed.call(Way.FLOOR, 50, 100)
        pairs = [_pair(testbed, effort.calls, number) for number in range(effort.pairs)]
        climbs = [_climbs(testbed, effort.climb, number) for number in range(effort.climbs)]
    figures = [*_cpu_figures(pairs), *_rate_figures(climbs), *_delay_figures(pairs), _failures(pairs)]
    scheduling = "in real time, as Debian's unit runs FreeSWITCH" if testbed.in_real_time else "at normal priority"
    conditions = (
        f"FreeSWITCH, sipbridge, caller and callee on one machine, {scheduling}; calls of half a second without RTP, "
        f"{_RATE:g} a second; {effort.pairs} pairs of {effort.calls} calls, medians. Post-dial delay: from INVITE to "
        f"180. A rate is held when no call fails and no more than one in a hundred waits {_LATE_MS:g} ms for 180. "
        f"{others}"
    )
    return Report(_TITLE, figures, conditions)


_Pair = dict[Way, Cost]


def _pair(testbed: Testbed, calls: int, number: int) -> _Pair:
    costs: _Pair = {}
    for way in _in_turn(number):
        if way is Way.FLOOR:
            # With no controller connected, for which FreeSWITCH would make events.
            costs[way] = testbed.call(way, _RATE, calls)
        else:
            with testbed.bridge():
                testbed.call(way, 50, 50)
                costs[way] = testbed.call(way, _RATE, calls)
    return costs


def _climbs(testbed: Testbed, climb: Climb, number: int) -> dict[Way, float]:
    rates: dict[Way, float] = {}
    for way in _in_turn(number):
        if way is Way.FLOOR:
            rates[way] = highest_rate(testbed, way, climb)
        else:
            with testbed.bridge():
                rates[way] = highest_rate(testbed, way, climb)
    return rates


def _in_turn(number: int) -> Iterable[Way]:
    """Who begins alternates, too."""
    return tuple(Way) if number % 2 == 0 else tuple(reversed(Way))


def highest_rate(testbed: Testbed, way: Way, climb: Climb) -> float:
    """Climb until a rate is not held, then come closer from both sides."""

    def holds(rate: float) -> bool:
        return any(_is_held(testbed.call(way, rate, round(rate * climb.seconds))) for _ in range(climb.attempts))

    held, rate = 0.0, _FIRST_RATE
    while rate < _LAST_RATE and holds(rate):
        held, rate = rate, rate * _GROWTH
    not_held = rate
    for _ in range(climb.halvings):
        middle = (held + not_held) / 2
        if holds(middle):
            held = middle
        else:
            not_held = middle
    return held


def _is_held(cost: Cost) -> bool:
    calls = cost.calls
    on_time = calls.seconds < calls.count / calls.rate + _BEHIND_S
    return calls.failed == 0 and on_time and calls.delay_ms(99) < _LATE_MS


def _cpu_figures(pairs: list[_Pair]) -> Iterable[Figure]:
    for way in Way:
        yield Figure(
            f"FreeSWITCH's CPU a call, {way.value}", f"{median(pair[way].freeswitch_ms for pair in pairs):.1f} ms"
        )
    ratio = median(pair[Way.BRIDGED].freeswitch_ms / pair[Way.FLOOR].freeswitch_ms for pair in pairs)
    yield at_most("the second to the first", ratio, _AIM_FREESWITCH, "{:.2f} x")
    bridge_ms = median(pair[Way.BRIDGED].bridge_ms for pair in pairs)
    yield at_most("sipbridge's own CPU a call", bridge_ms, _AIM_BRIDGE_MS, "{:.2f} ms")


def _rate_figures(climbs: list[dict[Way, float]]) -> Iterable[Figure]:
    for way in Way:
        yield Figure(f"highest rate held, {way.value}", f"{median(climb[way] for climb in climbs):.0f} calls/s")
    ratio = median(climb[Way.BRIDGED] / climb[Way.FLOOR] if climb[Way.FLOOR] else 0.0 for climb in climbs)
    yield at_least("the second to the first", ratio, _AIM_RATE, "{:.2f} x")


def _delay_figures(pairs: list[_Pair]) -> Iterable[Figure]:
    for way in Way:
        delays = (f"{median(pair[way].calls.delay_ms(one) for pair in pairs):.0f}" for one in _AIM_DELAY_MS)
        yield Figure(f"post-dial delay p50 / p99, {way.value}", f"{' / '.join(delays)} ms")
    for percentile, aim in _AIM_DELAY_MS.items():
        added = median(
            pair[Way.BRIDGED].calls.delay_ms(percentile) - pair[Way.FLOOR].calls.delay_ms(percentile) for pair in pairs
        )
        yield at_most(f"added post-dial delay, p{percentile}", added, aim, "{:.0f} ms")


def _failures(pairs: list[_Pair]) -> Figure:
    every = [cost.calls for pair in pairs for cost in pair.values()]
    failed, count = sum(calls.failed for calls in every), sum(calls.count for calls in every)
    return Figure("failed calls", f"{failed} of {count:,}", "0", failed == 0)

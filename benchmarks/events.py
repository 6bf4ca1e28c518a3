"""Events per second through the Event Socket adapter, against greenswitch as it is published. Starts processes.

Three processes, so that what sends takes nothing from what is measured, and each starts with its memory empty. Rounds
alternate, and only those of one pair are compared: what else the machine does then meets both.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from dataclasses import dataclass

from benchmarks.event_source import recorded_events
from benchmarks.figures import Figure, Report, at_least, at_most
from benchmarks.machine import OtherLoad

_FORMATS = {"sipbridge": "json", "greenswitch": "plain"}
_AIM_RATIO = 4.0
_AIM_GROWTH_MB = 10.0
_TIMEOUT_S = 180


@dataclass(frozen=True, slots=True)
class _Round:
    events_per_s: float
    peak_mb: float


def measure(quick: bool) -> Report:
    """Send both the same events, in turn."""
    pairs, count = (3, 6_000) if quick else (5, 20_000)
    ours: list[_Round] = []
    stock: list[_Round] = []
    others = OtherLoad()
    for _ in range(pairs):
        ours.append(_round("sipbridge", count))
        stock.append(_round("greenswitch", count))
    many = _round("sipbridge", 10 * count)
    ratio = statistics.median(our.events_per_s / its.events_per_s for our, its in zip(ours, stock, strict=True))
    peak_mb, stock_peak_mb = (max(one.peak_mb for one in rounds) for rounds in (ours, stock))
    size = statistics.mean(len(event) for event in recorded_events())
    figures = [
        Figure("events a second, sipbridge", _speed(ours)),
        Figure("events a second, greenswitch 0.0.19", _speed(stock)),
        at_least("sipbridge to greenswitch, median of pairs", ratio, _AIM_RATIO, "{:.1f} x"),
        Figure("peak memory, greenswitch", f"{stock_peak_mb:.0f} MB"),
        Figure("peak memory, sipbridge", f"{peak_mb:.0f} MB"),
        at_most("its growth with ten times as many events", many.peak_mb - peak_mb, _AIM_GROWTH_MB, "{:.1f} MB"),
    ]
    conditions = (
        f"{count:,} events of {size / 1000:.1f} kB, as recorded from FreeSWITCH, as fast as they are taken: JSON for "
        f"sipbridge, up to its own values; plain for greenswitch, up to a handler; {pairs} pairs of rounds. {others}"
    )
    return Report("Events through the Event Socket adapter", figures, conditions)


def _round(adapter: str, count: int) -> _Round:
    source = [sys.executable, "-m", "benchmarks.event_source", _FORMATS[adapter], str(count)]
    with subprocess.Popen(source, stdout=subprocess.PIPE, text=True) as sending:
        assert sending.stdout is not None
        try:
            port = sending.stdout.readline().strip()
            sink = [sys.executable, "-m", "benchmarks.event_sink", adapter, port, str(count)]
            taken = subprocess.run(sink, stdout=subprocess.PIPE, text=True, check=True, timeout=_TIMEOUT_S)
        finally:
            sending.kill()
    result = json.loads(taken.stdout)
    return _Round(count / result["seconds"], result["peak_mb"])


def _speed(rounds: list[_Round]) -> str:
    return f"{statistics.median(one.events_per_s for one in rounds) / 1000:.1f} k/s"

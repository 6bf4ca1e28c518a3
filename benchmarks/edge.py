"""What the edge adds: the same calls and registrations without it and through it, in turn. Starts processes.

There is no sipbridge in it: the dialplan and the spool say which way, so that nothing but the edge differs.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.edge_registrations import Registrations, register
from benchmarks.figures import Figure, Report, at_least, at_most, not_measured
from benchmarks.machine import OtherLoad, cpu_of_group_s, cpu_s
from benchmarks.sipp_calls import Calls, call, start_callee
from support.edge import Edge
from support.freeswitch import FreeSwitch
from support.processes import wait_until

_TITLE = "The edge: hashes and media beside FreeSWITCH"
_PROGRAMS = ("freeswitch", "kamailio", "sipp")
_ADDITIONS = Path(__file__).parent / "freeswitch"
_FLOOR_PORT = 5072
_CALLEE_PORT = 5092
_AIM_DELAY_MS = 5.0
_AIM_PACE = 0.8
_CALLERS = {False: "direct", True: "edge"}
"""How a caller is named decides which way the dialplan sends the call."""


@dataclass(frozen=True, slots=True)
class _Effort:
    """How much is measured."""

    pairs: int
    calls: int
    rate: float
    rounds: int
    gateways: int


_FULL = _Effort(pairs=5, calls=400, rate=50.0, rounds=5, gateways=2000)
_QUICK = _Effort(pairs=2, calls=200, rate=50.0, rounds=2, gateways=1000)


@dataclass(frozen=True, slots=True)
class _Cost:
    """A series of calls, and the CPU that each of them took."""

    calls: Calls
    freeswitch_ms: float
    edge_ms: float


def measure(quick: bool) -> Report:
    """Start FreeSWITCH and an edge, and compare."""
    if report := not_measured(_TITLE, *_PROGRAMS):
        return report
    effort = _QUICK if quick else _FULL
    others = OtherLoad()
    calls = list(_compare_calls(effort))
    registrations = [(register(effort.gateways, False), register(effort.gateways, True)) for _ in range(effort.rounds)]
    conditions = (
        f"FreeSWITCH, the edge's Kamailio, the provider and the callers on one machine. {effort.pairs} pairs of "
        f"{effort.calls} calls, {effort.rate:g} a second, without RTP. {effort.rounds} pairs of {effort.gateways:,} "
        f"gateways that all register at once, with a digest; through the edge by HA1. Medians. {others}"
    )
    return Report(_TITLE, [*_call_figures(calls), *_registration_figures(registrations)], conditions)


_Pair = dict[bool, _Cost]


def _compare_calls(effort: _Effort) -> Iterator[_Pair]:
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sipbridge-benchmark-")))
        bed = stack.enter_context(_Calls(directory))
        for through_edge in (False, True):
            bed.call(through_edge, effort.rate, 50)
        for number in range(effort.pairs):
            # Who begins alternates.
            yield {way: bed.call(way, effort.rate, effort.calls) for way in (bool(number % 2), not number % 2)}


class _Calls:
    """FreeSWITCH with a dialplan that knows both ways, an edge and a callee."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._stack = ExitStack()
        self._series = 0

    def __enter__(self) -> _Calls:
        with ExitStack() as stack:
            self._freeswitch = FreeSwitch(
                self._directory / "freeswitch",
                _ADDITIONS,
                benchmark_floor_port=str(_FLOOR_PORT),
                benchmark_callee="$${sipbridge_inside_ip}:" + str(_CALLEE_PORT),
                benchmark_edge="$${sipbridge_inside_ip}:5090",
            )
            stack.callback(self._freeswitch.kill)
            self._freeswitch.take_calls()
            ip = self._freeswitch.ip
            self._edge = stack.enter_context(Edge(self._directory / "edge", self._freeswitch.providers, ip=ip))
            stack.callback(start_callee(self._freeswitch.ip, _CALLEE_PORT, self._directory).kill)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stack.close()

    def call(self, through_edge: bool, rate: float, count: int) -> _Cost:
        """Make calls at a steady rate and wait until they are over, in FreeSWITCH too."""
        self._series += 1
        directory = self._directory / f"series-{self._series}"
        directory.mkdir()
        callers = directory / "callers.csv"
        callers.write_text(f"SEQUENTIAL\n{_CALLERS[through_edge]}\n")
        freeswitch_s, edge_s = cpu_s(self._freeswitch.pid), cpu_of_group_s(self._edge.pid)
        ip = self._freeswitch.ip
        calls = call(f"{ip}:{_FLOOR_PORT}", callers, rate, count, ip, directory)
        freeswitch_s, edge_s = cpu_s(self._freeswitch.pid) - freeswitch_s, cpu_of_group_s(self._edge.pid) - edge_s
        wait_until("all calls are over", self._is_idle, timeout_s=60)
        return _Cost(calls, 1000 * freeswitch_s / count, 1000 * edge_s / count)

    def _is_idle(self) -> bool:
        return self._freeswitch.event_socket.api("show channels count").startswith("0 total")


def _call_figures(pairs: Sequence[_Pair]) -> Iterator[Figure]:
    for way, name in _CALLERS.items():
        delays = (f"{median(pair[way].calls.delay_ms(one) for pair in pairs):.1f}" for one in (50, 99))
        yield Figure(f"post-dial delay p50 / p99, {name}", f"{' / '.join(delays)} ms")
    added = median(pair[True].calls.delay_ms(50) - pair[False].calls.delay_ms(50) for pair in pairs)
    yield at_most("  added by the edge, p50", added, _AIM_DELAY_MS, "{:.1f} ms")
    yield Figure("CPU of the edge a call", f"{median(pair[True].edge_ms for pair in pairs):.2f} ms")
    yield Figure("  of a direct call", f"{median(pair[False].edge_ms for pair in pairs):.2f} ms")
    freeswitch_ms = (median(pair[way].freeswitch_ms for pair in pairs) for way in _CALLERS)
    yield Figure("CPU of FreeSWITCH a call, direct / edge", f"{' / '.join(f'{one:.1f}' for one in freeswitch_ms)} ms")
    every = [cost.calls for pair in pairs for cost in pair.values()]
    failed, count = sum(calls.failed for calls in every), sum(calls.count for calls in every)
    yield Figure("failed calls", f"{failed} of {count:,}", "0", failed == 0)


def _registration_figures(pairs: Sequence[tuple[Registrations, Registrations]]) -> Iterator[Figure]:
    for name, rates in zip(("direct", "edge"), zip(*pairs, strict=True), strict=True):
        yield Figure(f"registrations a second, {name}", f"{median(one.per_s for one in rates):.0f}")
    ratio = median(edge.per_s / direct.per_s for direct, edge in pairs)
    yield at_least("  the second to the first", ratio, _AIM_PACE, "{:.2f} x")
    yield Figure("CPU of the edge a registration", f"{median(edge.edge_ms for _, edge in pairs):.2f} ms")
    freeswitch_ms = (median(one.freeswitch_ms for one in each) for each in zip(*pairs, strict=True))
    name = "CPU of FreeSWITCH a registration, direct / edge"
    yield Figure(name, f"{' / '.join(f'{one:.2f}' for one in freeswitch_ms)} ms")

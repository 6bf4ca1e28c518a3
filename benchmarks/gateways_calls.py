"""Calls with twenty thousand accounts against calls with one, on a real FreeSWITCH. Starts processes."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from statistics import median

from benchmarks.calls import Climb, highest_rate
from benchmarks.figures import Figure, at_least, at_most
from benchmarks.testbed import Cost, Testbed, Way, providers_file
from support.bridge import Bridge
from support.freeswitch import FreeSwitch
from support.sip_message import sdp
from support.sip_peer import SipPeer

_RATE = 100.0
_AIM_START_S = 2.0
_AIM_FLAT = 1.1
_AIM_RATE = 150.0
_POLL_S = 0.02
_PATIENCE_S = 30.0

_Costs = dict[int, list[Cost]]


def measure_start(count: int) -> Iterator[Figure]:
    """Start sipbridge, and call until a call goes through: from the account that is first, then from the last one."""
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sipbridge-benchmark-")))
        freeswitch = FreeSwitch(directory / "freeswitch")
        stack.callback(freeswitch.kill)
        caller, callee = stack.enter_context(SipPeer()), stack.enter_context(SipPeer())
        bridge = Bridge(directory / "bridge", freeswitch, providers_file(callee.hostport, 1))
        stack.callback(bridge.kill)
        bridge.kill()
        bridge.write_providers(providers_file(callee.hostport, count))
        begin = time.perf_counter()
        bridge.start()
        first_s, last_s = (_wait_for_call(caller, freeswitch, f"caller{number}") - begin for number in (1, count - 1))
        freeswitch.event_socket.api("hupall")
    yield at_most(f"start to first call, {count:,} accounts", first_s, _AIM_START_S, "{:.1f} s")
    yield Figure("  to a call of the last account", f"{last_s:.1f} s")


def _wait_for_call(caller: SipPeer, freeswitch: FreeSwitch, user: str) -> float:
    """When the first call of `user` was answered."""
    deadline = time.perf_counter() + _PATIENCE_S
    while time.perf_counter() < deadline:
        invite = caller.new_request(
            "INVITE",
            f"sip:callee@{freeswitch.inside}",
            from_=f"<sip:{user}@inside.example.org>",
            to="<sip:callee@inside.example.org>",
            body=sdp(),
        )
        caller.send(invite, freeswitch.inside)
        if caller.final_response(invite).status == 200:
            return time.perf_counter()
        time.sleep(_POLL_S)
    raise TimeoutError(f"no call of {user} went through within {_PATIENCE_S:g} s")


def measure_calls(count: int, rounds: int, calls: int, climb: Climb) -> Iterator[Figure]:
    """Make calls in turn through two FreeSWITCHes with a sipbridge each, one with many accounts and one with one."""
    costs: _Costs = {1: [], count: []}
    rates: dict[int, float] = {}
    with ExitStack() as stack:
        testbeds: dict[int, Testbed] = {}
        for accounts in costs:
            directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sipbridge-benchmark-")))
            testbeds[accounts] = stack.enter_context(Testbed(directory, accounts))
            stack.enter_context(testbeds[accounts].bridge())
            testbeds[accounts].call(Way.BRIDGED, 50, 50)
        for number in range(rounds):
            for accounts in sorted(testbeds, reverse=bool(number % 2)):
                costs[accounts].append(testbeds[accounts].call(Way.BRIDGED, _RATE, calls))
        for accounts, testbed in testbeds.items():
            rates[accounts] = highest_rate(testbed, Way.BRIDGED, climb)
    yield from _cost_figures(count, costs)
    yield Figure("highest rate held, 1 account", f"{rates[1]:.0f} calls/s")
    yield at_least(f"  {count:,} accounts", rates[count], _AIM_RATE, "{:.0f} calls/s")


def _cost_figures(count: int, costs: _Costs) -> Iterator[Figure]:
    for accounts, of_them in costs.items():
        freeswitch_ms = median(cost.freeswitch_ms for cost in of_them)
        bridge_ms = median(cost.bridge_ms for cost in of_them)
        name = f"CPU a call, {accounts:,} account{'s' if accounts > 1 else ''}: FreeSWITCH / sipbridge"
        yield Figure(name, f"{freeswitch_ms:.1f} / {bridge_ms:.2f} ms")
    ratio = median(
        (many.freeswitch_ms + many.bridge_ms) / (one.freeswitch_ms + one.bridge_ms)
        for one, many in zip(costs[1], costs[count], strict=True)
    )
    yield at_most("  the sum of the second to that of the first", ratio, _AIM_FLAT, "{:.2f} x")

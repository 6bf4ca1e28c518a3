"""Keeps how long it took to recover, and prints it at the end."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Callable

import pytest
from fault_world import warm_up

_TIMES: defaultdict[str, defaultdict[str, list[float]]] = defaultdict(lambda: defaultdict(list))


@pytest.fixture(scope="session", autouse=True)
def _warm() -> None:
    warm_up()


@pytest.fixture
def record_recovery() -> Callable[[str, str, float], None]:
    """Notes the seconds from the end of a fault of a switch until all is well."""
    return lambda switch, fault, seconds: _TIMES[switch][fault].append(seconds)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for switch, times_of in _TIMES.items():
        count = sum(map(len, times_of.values()))
        terminalreporter.write_line(f"{switch}: recovered from {count} faults; seconds from the end of the fault")
        terminalreporter.write_line(f"  {'':24} {'median':>7} {'worst':>7}   of")
        for fault, times in times_of.items():
            median, worst = statistics.median(times), max(times)
            terminalreporter.write_line(f"  {fault:24} {median:7.2f} {worst:7.2f} {len(times):4}")

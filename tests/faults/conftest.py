"""Keeps how long it took to recover, and prints it at the end."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Callable

import pytest
from fault_world import warm_up

_TIMES: defaultdict[str, list[float]] = defaultdict(list)


@pytest.fixture(scope="session", autouse=True)
def _warm() -> None:
    warm_up()


@pytest.fixture
def record_recovery() -> Callable[[str, float], None]:
    """Notes the seconds from the end of a fault until all is well."""
    return lambda fault, seconds: _TIMES[fault].append(seconds)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not _TIMES:
        return
    terminalreporter.write_line(f"recovered from {sum(map(len, _TIMES.values()))} faults; seconds: median, worst")
    for fault, times in _TIMES.items():
        terminalreporter.write_line(f"  {fault:24} {statistics.median(times):6.2f} {max(times):6.2f}  of {len(times)}")

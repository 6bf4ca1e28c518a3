"""Counts the inputs that were tried, and prints them at the end."""

from __future__ import annotations

from collections import Counter

import pytest

_TRIED: Counter[str] = Counter()


@pytest.fixture
def record_inputs() -> Counter[str]:
    """How many inputs each target was tried with."""
    return _TRIED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if _TRIED:
        counts = ", ".join(f"{name} {count:,}" for name, count in sorted(_TRIED.items()))
        terminalreporter.write_line(f"hostile inputs tried: {_TRIED.total():,} ({counts})")

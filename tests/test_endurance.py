"""Thousands of calls of every kind while everything changes: nothing leaks and nothing grows.

``make endurance`` does it with a million.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from endurance.flatness import Holdings, growths
from support.redis_server import PROGRAM

TESTS = Path(__file__).parent


@pytest.mark.skipif(PROGRAM is None, reason="needs redis-server on the PATH")
@pytest.mark.timeout(600)
def test_nothing_grows() -> None:
    command = [sys.executable, "-m", "endurance", "--calls", "3000", "--every", "1000", "--seed", "1"]

    run = subprocess.run(command, cwd=TESTS, capture_output=True, text=True, check=False, timeout=580)

    assert run.returncode == 0, run.stdout + run.stderr
    assert run.stdout.rstrip().endswith("flat")
    assert "LineUsage._held 1," in " ".join(run.stdout.split()), "a line is held by more than the call that stays"


def holdings(calls: int, **more: float) -> Holdings:
    return Holdings(
        calls=calls,
        seconds=calls / 500,
        resident_kb=more.get("resident_kb", 90_000),
        descriptors=int(more.get("descriptors", 16)),
        greenlets=17,
        objects={"a.Line": 200},
        tables={"LineUsage._held": int(more.get("held", 1))},
    )


def grown(measured: list[Holdings]) -> list[str]:
    return [growth.what for growth in growths(measured) if not growth.is_flat]


def test_what_is_full_after_the_first_half_has_not_grown() -> None:
    measured = [holdings(50_000 * n, resident_kb=90_000 + 5_000 * min(n, 10) + n % 3 * 300) for n in range(1, 21)]

    assert grown(measured) == []


def test_a_leak_of_one_small_object_a_call_is_found() -> None:
    measured = [
        holdings(50_000 * n, resident_kb=90_000 + n * 50_000 * 48 / 1024, held=50_000 * n) for n in range(1, 21)
    ]

    assert grown(measured) == ["resident memory, kB", "table, LineUsage._held"]


def test_a_leak_of_one_descriptor_a_measurement_is_found_in_the_end() -> None:
    assert grown([holdings(50_000 * n, descriptors=16 + 2 * n) for n in range(1, 21)]) == ["descriptors"]

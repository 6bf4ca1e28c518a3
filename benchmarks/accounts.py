"""A hundred thousand accounts out of a database: time, memory, and how long the hub is held up. Starts processes."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import accounts_databases
from benchmarks.accounts_databases import Database, providers_file
from benchmarks.figures import Figure, Report, at_most
from benchmarks.machine import OtherLoad
from support import mariadb

_COUNT = 100_000
_CHANGED = 0.01
_AIM_LOAD_S = 3.0
_AIM_KB_EACH = 1.2
_AIM_LATE_MS = 50.0

_Opener = Callable[[Path, int], AbstractContextManager[Database]]
_Result = dict[str, float]


def measure(quick: bool) -> Report:
    """Load all accounts, then load them again with some changed."""
    reloads = 1 if quick else 3
    openers: dict[str, _Opener] = {"SQLite": accounts_databases.sqlite}
    if mariadb.PROGRAM is not None:
        openers["MariaDB"] = accounts_databases.mariadb
    others = OtherLoad()
    figures: list[Figure] = []
    for name, opener in openers.items():
        first, again = _measure(opener, reloads)
        figures += _figures(name, first, again)
    missing = "" if "MariaDB" in openers else "No mariadbd on the PATH. "
    conditions = (
        f"{_COUNT:,} accounts, found by alias and by URI, that need not register: each has a gateway, taken at once by "
        f"a switch in memory. Loaded again with {_CHANGED:.0%} of them changed, {reloads} times, the median. Held up: "
        f"what calls would have waited for the hub, had one come every 5 ms. {missing}{others}"
    )
    return Report("Accounts from a database", figures, conditions)


def _measure(opener: _Opener, reloads: int) -> tuple[_Result, list[_Result]]:
    with tempfile.TemporaryDirectory(prefix="sipbridge-benchmark-") as name:
        directory = Path(name)
        with opener(directory, _COUNT) as database:
            return _load(directory, database, reloads)


def _load(directory: Path, database: Database, reloads: int) -> tuple[_Result, list[_Result]]:
    file = directory / "providers.json"
    file.write_text(
        json.dumps(providers_file(database.loader(), "<sip:jabiru.example.org;transport=udp>", registers=False))
    )
    command = [sys.executable, "-m", "benchmarks.accounts_load", str(file), str(_COUNT)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as loading:
        try:
            results = _results(loading)
            first = next(results)
            again: list[_Result] = []
            step = round(1 / _CHANGED)
            for number in range(reloads):
                accounts_databases.change(database, range(1 + number, _COUNT, step), f"changed {number}")
                assert loading.stdin is not None
                loading.stdin.write("again\n")
                loading.stdin.flush()
                again.append(next(results))
        finally:
            loading.kill()
    return first, again


def _results(loading: subprocess.Popen[str]) -> Iterator[dict[str, Any]]:
    assert loading.stdout is not None
    for line in loading.stdout:
        yield json.loads(line)
    raise RuntimeError("the accounts were not loaded")


def _figures(database: str, first: _Result, again: list[_Result]) -> Iterator[Figure]:
    yield at_most(f"{database}: all accounts loaded", first["seconds"], _AIM_LOAD_S, "{:.1f} s")
    yield Figure("  hub held up meanwhile, p99 / longest", _late(first))
    yield at_most("  memory of each, its gateway included", first["kb_each"], _AIM_KB_EACH, "{:.2f} KB")
    yield at_most(
        f"{database}: {_CHANGED:.0%} changed, all loaded again",
        median(one["seconds"] for one in again),
        _AIM_LOAD_S,
        "{:.1f} s",
    )
    p99_ms = median(one["p99_ms"] for one in again)
    yield at_most("  hub held up meanwhile, p99", p99_ms, _AIM_LATE_MS, "{:.0f} ms")
    yield Figure("  the longest of all", f"{max(one['max_ms'] for one in again):.0f} ms")


def _late(result: _Result) -> str:
    return f"{result['p99_ms']:.0f} / {result['max_ms']:.0f} ms"

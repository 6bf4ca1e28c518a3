"""What it costs to be observed: a scrape, by number of accounts, and what each call pays. Starts processes.

Each measurement has a process of its own, patched by gevent as the daemon is.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from benchmarks.figures import Figure, Report, at_most
from benchmarks.machine import OtherLoad

_ACCOUNTS = 100_000
_AIM_FLAT = 1.5
_AIM_PAUSE_MS = 10.0
_AIM_CALL_US = 100.0
_TIMEOUT_S = 300


def measure(quick: bool) -> Report:
    """Scrape a daemon without a switch, and tell observers of calls."""
    scrapes, calls = (20, 5_000) if quick else (100, 30_000)
    others = OtherLoad()
    few, many = (_worker("scrape", str(accounts), str(scrapes)) for accounts in (1, _ACCOUNTS))
    others.sample()
    costs = _worker("call", str(calls))
    figures = [
        Figure("a scrape, 1 account", f"{few['scrape_ms']:.1f} ms"),
        at_most(f"a scrape, {_ACCOUNTS:,} accounts", many["scrape_ms"] / few["scrape_ms"], _AIM_FLAT, "{:.2f} x"),
        Figure("longest pause of the event loop, nobody scraping", f"{many['idle_ms']:.1f} ms"),
        at_most("longest pause of the event loop meanwhile", many["pause_ms"], _AIM_PAUSE_MS, "{:.1f} ms"),
        *(Figure(f"a call's {name}", f"{us:.1f} µs") for name, us in costs.items()),
        at_most("a call, all of it", sum(costs.values()), _AIM_CALL_US, "{:.0f} µs"),
    ]
    conditions = (
        f"Median of {scrapes} scrapes, one after another, over HTTP on loopback; best of 5 rounds of {calls:,} calls, "
        f"each told twice, once when decided and once when over; log as JSON lines. {others}"
    )
    return Report("Being observed", figures, conditions)


def _worker(*arguments: str) -> Any:
    command = [sys.executable, "-m", "benchmarks.observation_worker", *arguments]
    run = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True, timeout=_TIMEOUT_S
    )
    return json.loads(run.stdout)

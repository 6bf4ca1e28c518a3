"""``sipbridge status --watch`` at 100,000 accounts: what it costs itself, and the daemon. Starts processes.

The switch is simulated: it costs the daemon what a real one does, and registers so many accounts in a minute.
"""

from __future__ import annotations

import json
import socket
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.figures import Figure, Report, at_most
from benchmarks.machine import OtherLoad, cpu_s
from support.simulated_bridge import Stage, stage, two_providers
from support.terminal import Terminal

_ACCOUNTS = 100_000
_REFUSED = 20
_ASKED = 20
_CPU_PERCENT = 2.0
_SIZE = (200, 50)
_QUERIES: dict[str, dict[str, Any]] = {
    "no accounts": {},
    "those that need a person": {"limit": 50},
    "a page in the middle": {"limit": 50, "offset": _ACCOUNTS // 2},
    "by address": {"limit": 50, "order": "address"},
    "by a part of their address": {"limit": 50, "match": "99"},
}


def measure(quick: bool) -> Report:
    """Ask for snapshots, with and without another who asks, then watch for a while."""
    accounts, watch_s = (20_000, 20.0) if quick else (_ACCOUNTS, 60.0)
    users = [f"user{number:06}" for number in range(accounts - _REFUSED)]
    users += [f"mallory{number}" for number in range(_REFUSED)]
    others = OtherLoad()
    with (
        tempfile.TemporaryDirectory(prefix="sipbridge-") as folder,
        stage(Path(folder), two_providers(users), "max_registrations_per_s = 2000\n") as shown,
    ):
        shown.wait_until_settled(timeout_s=600.0)
        figures = [*_answers(shown), *_watching(shown, watch_s)]
    return Report(f"status --watch, {accounts:,} accounts", figures, str(others))


def _answers(shown: Stage) -> Iterator[Figure]:
    """How long answers take, and what they do to somebody else who asks."""
    for name, query in _QUERIES.items():
        took = [_ask(shown, query) for _ in range(_ASKED)]
        yield Figure(f"answer: {name}", f"{statistics.median(took) * 1_000:.1f} ms")
    with _probing(shown) as alone:
        time.sleep(3.0)
    with _probing(shown) as beside:
        until = time.monotonic() + 3.0
        while time.monotonic() < until:
            for query in _QUERIES.values():
                _ask(shown, query)
    yield Figure("another waits at most, when nobody else asks", f"{max(alone) * 1_000:.1f} ms")
    yield at_most("… when somebody asks for pages all the time", max(beside) * 1_000, 50.0, "{:.1f} ms")


@contextmanager
def _probing(shown: Stage) -> Iterator[list[float]]:
    """How long a small question waits for its answer, again and again until the end of the block."""
    waits: list[float] = []
    is_over = threading.Event()

    def probe() -> None:
        while not is_over.wait(0.005):
            waits.append(_ask(shown, {}))

    thread = threading.Thread(target=probe)
    thread.start()
    try:
        yield waits
    finally:
        is_over.set()
        thread.join()


def _watching(shown: Stage, watch_s: float) -> Iterator[Figure]:
    """What a viewer costs itself and the daemon, in each order."""
    daemon = shown.daemon.pid
    before = cpu_s(daemon)
    time.sleep(watch_s)
    idle = (cpu_s(daemon) - before) / watch_s * 100
    yield Figure("CPU of the daemon, nobody watching", f"{idle:.2f} %")
    for order in ("need", "address"):
        terminal = Terminal(shown.command_line("status", "--watch", "--order", order), _SIZE)
        try:
            terminal.wait_for("q quit", timeout_s=60.0)
            began = {pid: cpu_s(pid) for pid in (terminal.pid, daemon)}
            terminal.read(watch_s)
            used = {pid: (cpu_s(pid) - at) / watch_s * 100 for pid, at in began.items()}
        finally:
            terminal.close()
        size = "x".join(map(str, _SIZE))
        yield at_most(f"CPU of the viewer, {size}, by {order}", used[terminal.pid], _CPU_PERCENT, "{:.2f} %")
        yield at_most(f"CPU that it costs the daemon, by {order}", used[daemon] - idle, _CPU_PERCENT, "{:.2f} %")


def _ask(shown: Stage, query: Mapping[str, Any]) -> float:
    """Seconds until a snapshot is there."""
    began = time.monotonic()
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(shown.control_socket))
        client.sendall(json.dumps({"command": "status", "accounts": query}).encode() + b"\n")
        with client.makefile("rb") as lines:
            answer = json.loads(lines.readline())
    if "error" in answer:
        raise RuntimeError(answer["error"])
    return time.monotonic() - began

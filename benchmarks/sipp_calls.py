"""Calls of sipp become post-dial delays and a count of failures. Starts processes, reads the files that they leave."""

from __future__ import annotations

import contextlib
import csv
import statistics
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from support.processes import Program

_SCENARIOS = Path(__file__).parent / "sipp"
_PATIENCE_S = 3.0
"""After the last call has begun; they take half a second each."""


@dataclass(frozen=True, slots=True)
class Calls:
    """A series of calls.

    Attributes:
        rate: calls started per second.
        seconds: from the start of the first to the end of the last.
        delays_ms: from the INVITE to 180, of every call that got that far.
    """

    rate: float
    count: int
    failed: int
    seconds: float
    delays_ms: Sequence[float]

    def delay_ms(self, percentile: int) -> float:
        """A percentile of the post-dial delay; infinite when hardly a call got so far."""
        if len(self.delays_ms) < 2:
            return float("inf")
        return statistics.quantiles(self.delays_ms, n=100, method="inclusive")[percentile - 1]


def start_callee(ip: str, port: int, directory: Path) -> Program:
    """A callee that rings and answers at once."""
    command = ["sipp", "-sf", str(_SCENARIOS / "callee.xml"), "-i", ip, "-p", str(port), "-nostdin", ip]
    return Program(command, directory / "callee.txt")


def call(target: str, callers: Path, rate: float, count: int, ip: str, directory: Path) -> Calls:
    """Make calls at a steady rate and wait until they are over; those that hang are given up, and count as failed.

    Args:
        target: ``ip:port`` that gets the INVITEs.
        callers: a file of user parts, which take turns.
        directory: for what sipp writes, of this series alone.
    """
    statistics_file, messages = directory / "statistics.csv", directory / "messages.tsv"
    command = ["sipp", "-sf", str(_SCENARIOS / "caller.xml"), "-inf", str(callers), "-i", ip, "-nostdin"]
    command += ["-r", f"{rate:g}", "-m", str(count), "-l", str(count)]
    command += ["-trace_stat", "-fd", "1", "-stf", str(statistics_file)]
    # The times in sipp's own statistics are multiples of 4 ms; those of its message log are exact.
    command += ["-trace_shortmsg", "-shortmessage_file", str(messages), target]
    program = Program(command, directory / "caller.txt")
    try:
        with contextlib.suppress(subprocess.TimeoutExpired):
            program.wait(count / rate + _PATIENCE_S)
    finally:
        program.kill()
    totals = _last_row(statistics_file)
    return Calls(
        rate=rate,
        count=count,
        failed=count - int(totals["SuccessfulCall(C)"]),
        seconds=_seconds(totals["ElapsedTime(C)"]),
        delays_ms=tuple(_delays_ms(messages)),
    )


def _last_row(file: Path) -> dict[str, str]:
    with file.open() as lines:
        *_, last = csv.DictReader(lines, delimiter=";")
    return last


def _seconds(text: str) -> float:
    """``00:00:05:530000``: hours, minutes, seconds, microseconds."""
    hours, minutes, seconds, *fraction = map(int, text.split(":"))
    return 3600 * hours + 60 * minutes + seconds + (fraction[0] / 1e6 if fraction else 0)


def _delays_ms(messages: Path) -> Iterator[float]:
    sent_at: dict[str, float] = {}
    for line in messages.read_text().splitlines():
        _, _, time, direction, call_id, _, start_line = line.split("\t")[:7]
        if direction == "S" and start_line.startswith("INVITE "):
            sent_at.setdefault(call_id, float(time))
        elif start_line.startswith("SIP/2.0 180 ") and call_id in sent_at:
            yield 1000 * (float(time) - sent_at.pop(call_id))

"""What processes and the whole machine have used. Reads /proc."""

from __future__ import annotations

import os
import time
from pathlib import Path

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def cpu_s(pid: int) -> float:
    """CPU seconds that a process has used so far: user and system, all its threads."""
    # The second field is the name, which may hold anything but comes in parentheses.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S


def cpu_of_group_s(pid: int) -> float:
    """CPU seconds that a process and all that it has started have used so far; it leads a process group."""
    return sum(cpu_s(int(stat.parent.name)) for stat in Path("/proc").glob("[0-9]*/stat") if _group(stat) == pid)


def _group(stat: Path) -> int:
    try:
        return int(stat.read_text().rpartition(")")[2].split()[2])
    except OSError:  # it has ended meanwhile
        return 0


def peak_memory_mb() -> float:
    """The most memory that this process has had resident.

    Not `resource.getrusage`, which tells the parent's when that had more.
    """
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:"))


def memory_kb() -> float:
    """The memory that this process has resident now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1024


class OtherLoad:
    """What other programs take of the machine, from when this is made to when it is told.

    What the benchmark itself takes does not count: this process, and all that it has started and waited for.
    """

    def __init__(self) -> None:
        self._begin = time.monotonic()
        self._busy_s = _machine_busy_s() - _own_s()

    def __str__(self) -> str:
        cores = os.cpu_count() or 1
        seconds = cores * max(0.001, time.monotonic() - self._begin)
        share = max(0.0, _machine_busy_s() - _own_s() - self._busy_s) / seconds
        return f"Other programs used {share:.0%} of the machine's {cores} cores."


def _own_s() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _machine_busy_s() -> float:
    """What all programs have used, summed over the cores; interrupts are nobody's."""
    user, nice, system, *_ = map(int, Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:])
    return (user + nice + system) / _TICKS_PER_S

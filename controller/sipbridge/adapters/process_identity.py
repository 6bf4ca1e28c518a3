"""Names this process so that another one on the same machine can find out whether it still runs. Reads /proc."""

from __future__ import annotations

import os
import re
from pathlib import Path

_IDENTITY = re.compile(r"(?P<kernel>[0-9a-f]{8}-[0-9]+)-(?P<pid>[0-9]+)-(?P<start>[0-9]+)")
_DEAD = ("Z", "X")


def own_identity() -> str:
    """This process: ``<boot>-<PID namespace>-<PID>-<start time>``, such as ``1b4e28ba-4026531836-812-9317``."""
    pid = os.getpid()
    return f"{_kernel()}-{pid}-{_state_and_start(pid)[1]}"


def pid_in(identity: str) -> str:
    """The process id in an identity; ``"?"`` if it is not an identity."""
    found = _IDENTITY.fullmatch(identity)
    return found["pid"] if found else "?"


def is_running(identity: str) -> bool | None:
    """Whether the process runs; None where this process cannot tell: another machine, container or user."""
    found = _IDENTITY.fullmatch(identity)
    if found is None or found["kernel"] != _kernel():
        return None
    try:
        os.kill(int(found["pid"]), 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    try:
        state, start = _state_and_start(int(found["pid"]))
    except OSError:
        # Hidden from other users (ProtectProc= of systemd, hidepid).
        return None
    return start == found["start"] and state not in _DEAD


def _kernel() -> str:
    """This boot of this machine, and the PID namespace: two processes that share both can signal each other."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii")[:8]
    return f"{boot}-{os.stat('/proc/self/ns/pid').st_ino}"


def _state_and_start(pid: int) -> tuple[str, str]:
    # The name of the program, in parentheses, may hold anything. Source: proc(5), fields 3 and 22.
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
    return fields[0], fields[19]

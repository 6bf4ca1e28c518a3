"""Programs that tests start: each in a process group of its own, its output in a file, and gone at the end."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

_T = TypeVar("_T")
_POLL_S = 0.05


def wait_until(what: str, found: Callable[[], _T | None], *, timeout_s: float = 15.0, poll_s: float = _POLL_S) -> _T:
    """The first true result of `found`, asked for again and again.

    Raises:
        TimeoutError: naming `what` and the last result.
    """
    deadline = time.monotonic() + timeout_s
    while not (result := found()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {timeout_s:g} s: {what} (last: {result!r})")
        time.sleep(poll_s)
    return result


def free_tcp_port(ip: str = "127.0.0.1") -> int:
    """A port that nothing listens on now."""
    with socket.socket(socket.AF_INET6 if ":" in ip else socket.AF_INET) as sock:
        sock.bind((ip, 0))
        port: int = sock.getsockname()[1]
        return port


def bind_udp_and_tcp(ip: str, port: int) -> tuple[socket.socket, socket.socket]:
    """A UDP and a listening TCP socket with the same port; 0 for any that is free."""
    family = socket.AF_INET6 if ":" in ip else socket.AF_INET
    while True:
        udp, tcp = socket.socket(family, socket.SOCK_DGRAM), socket.socket(family, socket.SOCK_STREAM)
        udp.bind((ip, port))
        try:
            tcp.bind((ip, udp.getsockname()[1]))
        except OSError:  # free for UDP only: the next one, then
            udp.close()
            tcp.close()
            if port:
                raise
            continue
        tcp.listen(128)
        return udp, tcp


class Program:
    """A running program.

    Args:
        output: the file that gets its standard output and error.
        environment: added to ours.
        directory: where it runs.
    """

    def __init__(
        self,
        command: Sequence[str],
        output: Path,
        environment: Mapping[str, str] | None = None,
        directory: Path | None = None,
    ) -> None:
        self.output = output
        with output.open("ab") as file:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                cwd=directory,
                env={**os.environ, **(environment or {})},
            )

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether it has not ended yet."""
        return self._process.poll() is None

    def text(self) -> str:
        """What it has printed."""
        return self.output.read_text(errors="replace")

    def signal(self, number: int) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def wait(self, timeout_s: float) -> int:
        """Wait for its end; return the exit status.

        Raises:
            subprocess.TimeoutExpired: it still runs.
        """
        return self._process.wait(timeout_s)

    def terminate(self, timeout_s: float = 20.0) -> int:
        """Ask it to end and wait for that; return the exit status.

        Raises:
            subprocess.TimeoutExpired: it still runs.
        """
        self._process.terminate()
        return self._process.wait(timeout_s)

    def kill(self) -> None:
        """End it, and all that it started, at once; harmless when it has ended."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

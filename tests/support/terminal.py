"""Runs a command in a terminal, for tests that type and read the screen. I/O: a process and a pseudo-terminal."""

from __future__ import annotations

import codecs
import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Mapping, Sequence


class Terminal:
    """A command in a terminal of its own.

    Args:
        size: columns and lines.
        environment: added to ours.

    Attributes:
        shown: all that it wrote to the terminal.
    """

    def __init__(
        self, command: Sequence[str], size: tuple[int, int], environment: Mapping[str, str] | None = None
    ) -> None:
        self._near, far = pty.openpty()
        self.resize(*size)
        self._process = subprocess.Popen(
            command,
            stdin=far,
            stdout=far,
            stderr=far,
            start_new_session=True,
            # Its own terminal, so that Ctrl-C and a change of its size are signals to it.
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
            env={**os.environ, "TERM": "xterm-256color", **(environment or {})},
        )
        os.close(far)
        self.shown = ""
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    @property
    def fileno(self) -> int:
        """Our end of the terminal."""
        return self._near

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def resize(self, columns: int, lines: int) -> None:
        """Give the terminal another size."""
        fcntl.ioctl(self._near, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def type(self, keys: str) -> None:
        """Type these keys."""
        os.write(self._near, keys.encode())

    def wait_for(self, *texts: str, timeout_s: float = 30.0) -> str:
        """What is written from now on, as soon as all of these are in it."""
        return self._read(lambda new: all(text in new for text in texts), f"{texts} in", timeout_s)

    def wait(self, timeout_s: float = 30.0) -> int:
        """Its exit status."""
        self._read(lambda _: self._process.poll() is not None, "the end after", timeout_s)
        return self._process.wait()

    def read(self, seconds: float) -> str:
        """What is written in that time."""
        start, until = len(self.shown), time.monotonic() + seconds
        self._read(lambda _: time.monotonic() >= until, "the time to pass after", seconds + 30)
        return self.shown[start:]

    def close(self) -> None:
        """End the command, and the terminal."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        os.close(self._near)

    def _read(self, is_enough: Callable[[str], bool], what: str, timeout_s: float) -> str:
        start = len(self.shown)
        deadline = time.monotonic() + timeout_s
        while not is_enough(self.shown[start:]):
            assert time.monotonic() < deadline, f"waited in vain for {what} {self.shown[start:][-2_000:]!r}"
            if select.select([self._near], [], [], 0.1)[0]:
                try:
                    self.shown += self._decoder.decode(os.read(self._near, 65_536))
                except OSError:
                    # The other side has closed the terminal.
                    break
        return self.shown[start:]

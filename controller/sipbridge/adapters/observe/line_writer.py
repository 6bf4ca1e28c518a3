"""Writes lines to a file or a stream from a native thread, so that callers never wait for a disk or a reader.

A file may be moved away at any time, as logrotate does: the next line goes to a new one of the same name.

Why not logging.handlers: a QueueListener runs in a `threading.Thread`, which gevent has made a greenlet, so a slow disk
would hold up every call. A WatchedFileHandler loses the line that a full disk refuses. This one keeps it, writes the
rest of a line that was written in part, and counts what it drops.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from gevent.monkey import get_original

# The originals for native threads, not gevent's replacements.
_start_thread: Callable[..., int] = get_original("_thread", "start_new_thread")
_allocate_lock: Callable[[], Any] = get_original("_thread", "allocate_lock")
_sleep: Callable[[float], None] = get_original("time", "sleep")
_SimpleQueue: Callable[[], Any] = get_original("queue", "SimpleQueue")

_BATCH = 1_000
_GATHER_S = 0.05
"""Pause of the thread after each write. Lines that arrive in the meantime are written together, and do not wake the
thread while it would compete for the interpreter with the call they describe."""
_RETRY_S = 0.5
_END = b""


class LineTarget(Protocol):
    """The destination of lines. Used in one native thread."""

    def write(self, data: bytes) -> None:
        """Write all data.

        Raises:
            OSError: writing failed and may be retried.
        """

    def close(self) -> None:
        """Close the target."""


class FileTarget:
    """A file that lines are appended to; created if it does not exist."""

    def __init__(self, path: Path, mode: int = 0o640) -> None:
        self._path = path
        self._mode = mode
        self._fd: int | None = None

    def write(self, data: bytes) -> None:
        """Append to the file that has the name now."""
        if self._fd is not None and not self._is_current(self._fd):
            self.close()
        if self._fd is None:
            self._fd = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, self._mode)
        _write_all(self._fd, data)

    def close(self) -> None:
        """Close the file; the next write opens it again."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def _is_current(self, fd: int) -> bool:
        try:
            named = os.stat(self._path)
        except FileNotFoundError:
            return False
        opened = os.fstat(fd)
        return (named.st_dev, named.st_ino) == (opened.st_dev, opened.st_ino)


class StreamTarget:
    """A stream that is already open and stays open, such as standard error."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def write(self, data: bytes) -> None:
        """Write to the stream."""
        _write_all(self._fd, data)

    def close(self) -> None:
        """Leave the stream open: it belongs to the process."""


class LineWriter:
    """Queues lines, and writes them soon.

    Args:
        capacity: lines that may wait; more are dropped, because an outage may outlast the memory.

    Attributes:
        dropped: lines that were not written and never will be.
        problem: why the last write failed; ``""`` if it succeeded.
    """

    def __init__(self, target: LineTarget, capacity: int = 20_000) -> None:
        self._target = target
        self._capacity = capacity
        self._queue = _SimpleQueue()
        self._written = 0
        self._taken = 0
        self.dropped = 0
        self.problem = ""
        self._closing = False
        self._done = _allocate_lock()
        self._done.acquire()
        _start_thread(self._run, ())

    @property
    def pending(self) -> int:
        """Lines that are waiting."""
        return self._taken - self._written

    @property
    def written(self) -> int:
        """Lines written so far."""
        return self._written

    def write(self, line: bytes) -> None:
        """Queue a line. Never waits.

        Args:
            line: without a line end.
        """
        if self._closing or self.pending >= self._capacity:
            self.dropped += 1
            return
        self._taken += 1
        self._queue.put(line + b"\n")

    def close(self, timeout_s: float = 2.0) -> None:
        """Write the waiting lines, and end. Blocks the process for up to `timeout_s`; lines left then are dropped."""
        if not self._closing:
            self._closing = True
            self._queue.put(_END)
            self._done.acquire(timeout=timeout_s)
            self.dropped += self.pending

    def _run(self) -> None:
        try:
            while self._write(self._next_lines()):
                if not self._closing:
                    _sleep(_GATHER_S)
        finally:
            self._target.close()
            self._done.release()

    def _next_lines(self) -> list[bytes]:
        lines = [self._queue.get()]
        while self._queue.qsize() and len(lines) < _BATCH:
            lines.append(self._queue.get())
        return lines

    def _write(self, lines: list[bytes]) -> bool:
        """Write lines, retrying as needed; return whether more may follow."""
        data = b"".join(lines)
        while data:
            try:
                self._target.write(data)
                self.problem = ""
                break
            except _Partly as error:
                data, self.problem = data[error.written :], error.reason
            except OSError as error:
                self.problem = error.strerror or str(error)
            if self._closing:
                return False
            _sleep(_RETRY_S)
        ends = lines[-1] == _END
        self._written += len(lines) - ends
        return not ends


class _Partly(OSError):
    """Only part of the data could be written."""

    def __init__(self, written: int, error: OSError) -> None:
        super().__init__(error.errno, error.strerror)
        self.written = written
        self.reason = error.strerror or str(error)


def _write_all(fd: int, data: bytes) -> None:
    written = 0
    try:
        while written < len(data):
            written += os.write(fd, data[written : written + 65536])
    except OSError as error:
        raise _Partly(written, error) from error

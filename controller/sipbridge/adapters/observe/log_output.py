"""Writes the log to standard error, without secrets, from a native thread, so that logging never waits for a reader.

Every module uses `logging`; `log_line` formats the lines.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import gevent
from gevent.monkey import get_original

from sipbridge.adapters.observe.line_writer import LineWriter, StreamTarget
from sipbridge.adapters.observe.log_limit import LogLimit
from sipbridge.adapters.observe.log_line import RenderLine, console_line, json_line
from sipbridge.core.observe import metrics
from sipbridge.core.observe.metric import Metric
from sipbridge.core.observe.redaction import Redactor


class LogOutput:
    """The output of the log, from `start` on.

    Args:
        level: the lowest level that is logged, such as ``INFO``.
        as_json: whether each line is a JSON object; None means: if standard error leads to journald.
        secrets: texts that must never appear in the log.
    """

    def __init__(self, level: str, as_json: bool | None, secrets: Iterable[str] = ()) -> None:
        journal = is_journal(os.environ.get("JOURNAL_STREAM", ""), sys.stderr.fileno())
        colours = sys.stderr.isatty() and not os.environ.get("NO_COLOR")
        json = journal if as_json is None else as_json
        render = json_line(for_journal=journal) if json else console_line(colours=colours)
        self._writer = LineWriter(StreamTarget(sys.stderr.fileno()))
        self._redactor = Redactor(secrets)
        self._handler = _Handler(render, self._redactor, self._writer)
        self._level = level

    def start(self) -> None:
        """Receive the log of all modules, and what gevent would print about failed greenlets."""
        _collect_only_what_is_shown()
        root = logging.getLogger()
        root.handlers[:] = [self._handler]
        root.setLevel(self._level)
        gevent.get_hub().print_exception = _log_exception  # type: ignore[method-assign, assignment]

    def stop(self) -> None:
        """Write what is left."""
        self._writer.close()

    def learn(self, secrets: Iterable[str]) -> None:
        """Keep more secrets out of the log."""
        self._redactor.learn(secrets)

    def metrics(self) -> Iterator[Metric]:
        """Yield how many lines could not be written."""
        yield metrics.LOG_DROPPED.one(self._writer.dropped)


_log = logging.getLogger("sipbridge")


# The native lock, not gevent's replacement: nothing waits while it is held, and it costs a tenth.
_make_lock: Callable[[], Any] = get_original("_thread", "RLock")


class _Handler(logging.Handler):
    def __init__(self, render: RenderLine, redactor: Redactor, writer: LineWriter) -> None:
        super().__init__()
        self._render = render
        self._redactor = redactor
        self._writer = writer
        self._limit = LogLimit()

    def createLock(self) -> None:  # noqa: N802 - logging's name
        self.lock = _make_lock()

    def emit(self, record: logging.LogRecord) -> None:
        if not self._limit.admits(record):
            return
        try:
            line = self._redactor.redact(self._render(record))
        except Exception as error:  # noqa: BLE001 - a record that cannot be rendered must not break the code that logged it
            line = f"cannot format a log record of {record.name}: {type(error).__name__}"
        self._writer.write(line.encode("utf-8", "backslashreplace"))


def _collect_only_what_is_shown() -> None:
    """Disable the look-up of source line, thread and process, which costs time and is never shown.

    Source: Python's Logging HOWTO, "Optimization".
    """
    logging._srcfile = None
    logging.logThreads = False
    logging.logMultiprocessing = False
    logging.logProcesses = False


def _log_exception(context: Any, kind: Any, value: Any, traceback: Any) -> None:
    """Log what gevent would print about a failed greenlet or native thread."""
    _log.error("%.200s failed", context, exc_info=(kind, value, traceback))


def is_journal(journal_stream: str, fd: int) -> bool:
    """Return whether a file descriptor leads to journald.

    Args:
        journal_stream: the variable ``JOURNAL_STREAM``: device and inode, ``8:12345``. Source: systemd.exec(5).
    """
    device, _, inode = journal_stream.partition(":")
    status = os.fstat(fd)
    return (device, inode) == (str(status.st_dev), str(status.st_ino))

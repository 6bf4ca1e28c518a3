"""The log goes to standard error, without secrets, from a native thread: who logs never waits for who reads.

Every module logs by `logging`; `log_line` makes lines of that.
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
from sipbridge.adapters.observe.log_line import RenderLine, console_line, json_line
from sipbridge.core.observe import metrics
from sipbridge.core.observe.metric import Metric
from sipbridge.core.observe.redaction import Redactor


class LogOutput:
    """Where the log goes, from `start` on.

    Args:
        level: the least serious that is logged: ``INFO``.
        as_json: whether a line is a JSON object; None for where standard error leads to journald.
        secrets: what must never be in it.
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
        """Take what all modules log, and what gevent would print of greenlets that failed."""
        _collect_only_what_is_shown()
        root = logging.getLogger()
        root.handlers[:] = [self._handler]
        root.setLevel(self._level)
        gevent.get_hub().print_exception = _log_exception  # type: ignore[method-assign, assignment]

    def stop(self) -> None:
        """Write what is left."""
        self._writer.close()

    def learn(self, secrets: Iterable[str]) -> None:
        """Keep these out of it as well."""
        self._redactor.learn(secrets)

    def metrics(self) -> Iterator[Metric]:
        """What could not be written."""
        yield metrics.LOG_DROPPED.one(self._writer.dropped)


_log = logging.getLogger("sipbridge")


# Of native threads, and not the one that gevent has put in its place: nothing waits while it is held, and it costs a
# tenth.
_make_lock: Callable[[], Any] = get_original("_thread", "RLock")


class _Handler(logging.Handler):
    def __init__(self, render: RenderLine, redactor: Redactor, writer: LineWriter) -> None:
        super().__init__()
        self._render = render
        self._redactor = redactor
        self._writer = writer

    def createLock(self) -> None:  # noqa: N802 - logging's name
        self.lock = _make_lock()

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = self._redactor.redact(self._render(record))
        except Exception as error:  # noqa: BLE001 - a record that cannot be rendered must not cost what logged it
            line = f"a log record of {record.name} cannot be shown: {type(error).__name__}"
        self._writer.write(line.encode("utf-8", "backslashreplace"))


def _collect_only_what_is_shown() -> None:
    """Where a line comes from, and in which thread and process, is looked up for each, and shown in none.

    Source: Python's Logging HOWTO, "Optimization".
    """
    logging._srcfile = None
    logging.logThreads = False
    logging.logMultiprocessing = False
    logging.logProcesses = False


def _log_exception(context: Any, kind: Any, value: Any, traceback: Any) -> None:
    """What gevent prints of a greenlet or a native thread that failed."""
    _log.error("%.200s failed", context, exc_info=(kind, value, traceback))


def is_journal(journal_stream: str, fd: int) -> bool:
    """Whether a file descriptor leads to journald.

    Args:
        journal_stream: the variable ``JOURNAL_STREAM``, device and inode: ``8:12345``. Source: systemd.exec(5).
    """
    device, _, inode = journal_stream.partition(":")
    status = os.fstat(fd)
    return (device, inode) == (str(status.st_dev), str(status.st_ino))

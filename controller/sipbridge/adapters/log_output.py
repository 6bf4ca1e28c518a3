"""Log records become lines: key=value for people, JSON for machines, both without secrets. Writes to standard error.

Every module logs by `logging`; structlog renders what it logs, and fields (``extra``) stay fields.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Callable, Iterable, Iterator, MutableMapping
from typing import Any

import gevent
import orjson
import structlog

from sipbridge.adapters.line_writer import LineWriter, StreamTarget
from sipbridge.core import metrics
from sipbridge.core.metric import Metric
from sipbridge.core.redaction import Redactor

_PRIORITIES = {"debug": "<7>", "info": "<6>", "warning": "<4>", "error": "<3>", "critical": "<2>"}
"""What journald reads at the beginning of a line. Source: sd-daemon(3)."""

_EventDict = MutableMapping[str, Any]


class LogOutput:
    """Where the log goes, from `start` on.

    Args:
        level: the least serious that is logged: ``INFO``.
        as_json: whether a line is a JSON object; None for where standard error leads to journald.
        secrets: what must never be in it.
    """

    def __init__(self, level: str, as_json: bool | None, secrets: Iterable[str] = ()) -> None:
        journal = is_journal(os.environ.get("JOURNAL_STREAM", ""), sys.stderr.fileno())
        render = (
            _json_renderer(journal)
            if (journal if as_json is None else as_json)
            else _console_renderer(colours=sys.stderr.isatty())
        )
        self._writer = LineWriter(StreamTarget(sys.stderr.fileno()))
        self._redactor = Redactor(secrets)
        self._handler = _Handler(self._writer, self._redactor)
        self._handler.setFormatter(_formatter(render))
        self._level = level

    def start(self) -> None:
        """Take what all modules log, and what gevent would print of greenlets that failed."""
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


class _Handler(logging.Handler):
    def __init__(self, writer: LineWriter, redactor: Redactor) -> None:
        super().__init__()
        self._writer = writer
        self._redactor = redactor

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = self._redactor.redact(self.format(record))
        except Exception as error:  # noqa: BLE001 - a record that cannot be rendered must not cost what logged it
            line = f"a log record of {record.pathname}:{record.lineno} cannot be shown: {type(error).__name__}"
        self._writer.write(line.encode("utf-8", "backslashreplace"))


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


def _formatter(render: Callable[..., str]) -> structlog.stdlib.ProcessorFormatter:
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            structlog.stdlib.ExtraAdder(),
            structlog.processors.TimeStamper(fmt="iso", utc=True),
        ],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _without_nothing, render],
    )


def _without_nothing(_logger: Any, _method: str, event: _EventDict) -> _EventDict:
    """A field that says nothing is left out."""
    return {name: value for name, value in event.items() if value is not None and value != ""}


def _console_renderer(colours: bool) -> Callable[..., str]:
    console = structlog.dev.ConsoleRenderer(
        colors=colours and not os.environ.get("NO_COLOR"),
        pad_event_to=0,
        # Not the one with the values of local variables.
        exception_formatter=structlog.dev.plain_traceback,
    )

    def render(logger: Any, method: str, event: _EventDict) -> str:
        shown = {name: _printable(value) for name, value in event.items()}
        # Milliseconds are enough to read, and all of it is ours.
        shown["timestamp"] = f"{shown['timestamp'][:23]}Z"
        shown["logger"] = shown["logger"].removeprefix("sipbridge.")
        return console(logger, method, shown)

    return render


def _printable(value: Any) -> Any:
    """A text that cannot make another line, or colours: callers choose some of it."""
    return _escaped(value) if isinstance(value, str) else value


def _escaped(text: str) -> str:
    r"""With ``\n``, ``\u2028`` and the like in the place of what cannot be printed, as JSON has them."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else json.dumps(each)[1:-1] for each in text)


def _json_renderer(for_journal: bool) -> Callable[..., str]:
    def render(logger: Any, method: str, event: _EventDict) -> str:
        event = structlog.processors.format_exc_info(logger, method, event)
        text = _escaped(orjson.dumps(event, default=str).decode())
        return _PRIORITIES.get(event["level"], "") + text if for_journal else text

    return render

"""Formats a log record as a line with structlog: key=value for people, a JSON object for machines. Pure.

Logged fields (``extra``) stay fields. Callers choose some of the text, so line ends and escape sequences are escaped.
"""

from __future__ import annotations

import io
import logging
import textwrap
from collections.abc import Callable, MutableMapping
from datetime import UTC, datetime
from typing import Any, TextIO

import orjson
import structlog

from sipbridge.core.printable import escape_lines, escape_unprintable

RenderLine = Callable[[logging.LogRecord], str]

_PRIORITIES = {"debug": "<7>", "info": "<6>", "warning": "<4>", "error": "<3>", "critical": "<2>"}
"""Priorities that journald reads at the start of a line. Source: sd-daemon(3)."""
# The attributes of every record; all others are logged fields.
_OWN = frozenset(logging.makeLogRecord({}).__dict__)


def console_line(*, colours: bool) -> RenderLine:
    """Return a renderer for people: time, level, message, module, fields; a traceback on lines of its own."""
    render = structlog.dev.ConsoleRenderer(
        colors=colours,
        pad_event_to=0,
        exception_formatter=_traceback,
    )

    def line(record: logging.LogRecord) -> str:
        event = {
            name: escape_unprintable(value) if isinstance(value, str) else value
            for name, value in _event(record).items()
        }
        # All loggers are below sipbridge.
        event["logger"] = event["logger"].removeprefix("sipbridge.")
        text: str = render(None, record.levelname, event)
        return text

    return line


def json_line(*, for_journal: bool) -> RenderLine:
    """Return a renderer for machines.

    Args:
        for_journal: whether to put a priority before the object; journald removes it.
    """

    def line(record: logging.LogRecord) -> str:
        event: MutableMapping[str, Any] = _event(record)
        if record.exc_info:
            event = structlog.processors.format_exc_info(None, record.levelname, event)
        text = escape_unprintable(orjson.dumps(event, default=str).decode())
        return _PRIORITIES.get(event["level"], "") + text if for_journal else text

    return line


def _event(record: logging.LogRecord) -> dict[str, Any]:
    """Return the fields of a record; empty ones are left out."""
    event: dict[str, Any] = {
        "timestamp": f"{datetime.fromtimestamp(record.created, UTC).isoformat(timespec='milliseconds')[:-6]}Z",
        "level": record.levelname.lower(),
        "logger": record.name,
        "event": record.getMessage(),
    }
    event |= {
        name: value for name, value in record.__dict__.items() if name not in _OWN and value is not None and value != ""
    }
    if record.exc_info:
        event["exc_info"] = record.exc_info
    return event


def _traceback(stream: TextIO, exc_info: Any) -> None:
    """Write a traceback below its line, indented: the exception's message may contain text from a caller."""
    plain = io.StringIO()
    # Not the variant that shows the values of local variables.
    structlog.dev.plain_traceback(plain, exc_info)
    stream.write("\n" + textwrap.indent(escape_lines(plain.getvalue().strip("\n")), "  "))

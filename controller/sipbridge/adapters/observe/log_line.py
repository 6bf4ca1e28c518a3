"""A log record becomes a line: key=value for people, a JSON object for machines, by structlog. Pure.

Fields that were logged (``extra``) stay fields. Callers choose some of the text, so nothing in it may end a line or
colour one.
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
"""What journald reads at the beginning of a line. Source: sd-daemon(3)."""
# What every record has; the rest are fields.
_OWN = frozenset(logging.makeLogRecord({}).__dict__)


def console_line(*, colours: bool) -> RenderLine:
    """For people: time, level, message, module, fields; a traceback on lines of its own."""
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
        # All of it is ours.
        event["logger"] = event["logger"].removeprefix("sipbridge.")
        text: str = render(None, record.levelname, event)
        return text

    return line


def json_line(*, for_journal: bool) -> RenderLine:
    """For machines.

    Args:
        for_journal: whether a priority stands before the object; journald takes it off.
    """

    def line(record: logging.LogRecord) -> str:
        event: MutableMapping[str, Any] = _event(record)
        if record.exc_info:
            event = structlog.processors.format_exc_info(None, record.levelname, event)
        text = escape_unprintable(orjson.dumps(event, default=str).decode())
        return _PRIORITIES.get(event["level"], "") + text if for_journal else text

    return line


def _event(record: logging.LogRecord) -> dict[str, Any]:
    """The fields of a record; one that says nothing is left out."""
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
    """Below the line that it belongs to, and indented: the message of an exception may hold what a caller wrote."""
    plain = io.StringIO()
    # Not the one with the values of local variables.
    structlog.dev.plain_traceback(plain, exc_info)
    stream.write("\n" + textwrap.indent(escape_lines(plain.getvalue().strip("\n")), "  "))

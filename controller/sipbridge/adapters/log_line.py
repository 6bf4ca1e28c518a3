"""A log record becomes a line: key=value for people, a JSON object for machines, by structlog. Pure.

Fields that were logged (``extra``) stay fields. Callers choose some of the text, so nothing in it may end a line or
colour one.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import orjson
import structlog

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
        # Not the one with the values of local variables.
        exception_formatter=structlog.dev.plain_traceback,
    )

    def line(record: logging.LogRecord) -> str:
        event = {name: _escaped(value) if isinstance(value, str) else value for name, value in _event(record).items()}
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
        event = structlog.processors.format_exc_info(None, record.levelname, _event(record))
        text = _escaped(orjson.dumps(event, default=str).decode())
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


def _escaped(text: str) -> str:
    r"""With ``\n``, ``\u2028`` and the like in the place of what cannot be printed, as JSON has them."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else json.dumps(each)[1:-1] for each in text)

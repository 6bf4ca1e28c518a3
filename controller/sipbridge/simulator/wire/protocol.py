"""Parses Event Socket bytes into commands, and formats replies and events. Pure.

Source: mod_event_socket.c, and the recordings in tests/recordings.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import quote

import orjson

GREETING = b"Content-Type: auth/request\n\n"

_GOODBYE = b"Disconnected, goodbye.\nSee you at ClueCon! http://www.cluecon.com/\n"
DISCONNECT_NOTICE = b"Content-Type: text/disconnect-notice\nContent-Length: %d\n\n%s" % (len(_GOODBYE), _GOODBYE)

_SHUTDOWN = b"The system is being shut down.\n"
SHUTDOWN_NOTICE = b"Content-Type: text/disconnect-notice\nContent-Length: %d\n\n%s" % (len(_SHUTDOWN), _SHUTDOWN)

EventValue = str | list[str]
Event = dict[str, EventValue]
"""An event's headers in the order they are sent; a body, if any, under ``_body``."""


@dataclass(frozen=True, slots=True)
class Command:
    """A command: what a client sent up to a blank line.

    Attributes:
        line: ``sendmsg 3f2c…``
        headers: the lines below it, names in lower case.
        body: as many bytes as ``content-length`` said.
    """

    line: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""

    @property
    def verb(self) -> str:
        """The first word: ``sendmsg``."""
        return self.line.partition(" ")[0].lower()

    @property
    def argument(self) -> str:
        """The text after the first word."""
        return self.line.partition(" ")[2].strip(" ")


class CommandReader:
    """Splits the data of one connection into commands."""

    def __init__(self) -> None:
        self._buffer = b""

    def feed(self, received: bytes) -> Iterator[Command]:
        """Yield the commands that `received` completes."""
        self._buffer = (self._buffer + received).replace(b"\r\n", b"\n")
        while command := self._next():
            yield command

    def _next(self) -> Command | None:
        self._buffer = self._buffer.lstrip(b"\n")
        head, blank_line, rest = self._buffer.partition(b"\n\n")
        if not blank_line:
            return None
        line, *lines = head.decode("utf-8", "surrogateescape").split("\n")
        headers = {
            name.lower(): value.lstrip(" ") for name, colon, value in (text.partition(":") for text in lines) if colon
        }
        # atoi() returns 0 for text that is not a number.
        length = headers.get("content-length", "0").strip()
        size = int(length) if length.isdigit() else 0
        if len(rest) < size:
            return None
        self._buffer = rest[size:]
        return Command(line, headers, rest[:size].decode("utf-8", "surrogateescape"))


def format_command_reply(text: str, job_uuid: str = "") -> bytes:
    """Format the answer to a command other than ``api``."""
    job = f"Job-UUID: {job_uuid}\n" if job_uuid else ""
    return f"Content-Type: command/reply\nReply-Text: {text}\n{job}\n".encode("utf-8", "surrogateescape")


def format_api_response(text: str) -> bytes:
    """Format the answer to ``api``; FreeSWITCH replaces an empty answer by an error."""
    body = (text or "-ERR no reply\n").encode("utf-8", "surrogateescape")
    return b"Content-Type: api/response\nContent-Length: %d\n\n%s" % (len(body), body)


def format_json_event(event: Event) -> bytes:
    """Format an event for ``event json``: real arrays, no percent-encoding."""
    body = format_json(event)
    return b"Content-Length: %d\nContent-Type: text/event-json\n\n%s" % (len(body), body)


def format_json(value: object) -> bytes:
    """Format JSON; bytes from callers that are not UTF-8 pass unchanged, as in FreeSWITCH."""
    try:
        return orjson.dumps(value)
    except orjson.JSONEncodeError:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogateescape")


def format_plain_event(event: Event) -> bytes:
    """Format an event for ``event plain``: percent-encoded values, arrays after ``ARRAY::``."""
    lines = [f"{name}: {_plain_value(value)}\n" for name, value in event.items() if name != "_body"]
    text = "".join(lines) + "\n"
    if isinstance(content := event.get("_body"), str):
        text += content
    body = text.encode("utf-8", "surrogateescape")
    return b"Content-Length: %d\nContent-Type: text/event-plain\n\n%s" % (len(body), body)


def _plain_value(value: EventValue) -> str:
    text = value if isinstance(value, str) else "ARRAY::" + "|:".join(value)
    return quote(text, safe="!()*'$+-._/:;=?@&,[]~", errors="surrogateescape")

"""A minimal Event Socket client on gevent, to see exactly what the simulator sends. I/O: one TCP connection.

Not ours, on purpose: what is wrong in the adapter must not hide what is wrong in the simulator.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import Any

import gevent
from gevent import socket

DEADLINE_S = 5.0


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame: its header lines, and its body."""

    head: tuple[str, ...]
    body: bytes = b""
    event: dict[str, Any] = field(default_factory=dict)

    @property
    def content_type(self) -> str:
        return self.header("Content-Type")

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", "surrogateescape")

    def header(self, name: str) -> str:
        return next((line.partition(": ")[2] for line in self.head if line.startswith(f"{name}:")), "")


class FrameReader:
    """Cuts bytes into frames."""

    def __init__(self) -> None:
        self.buffer = b""

    def feed(self, received: bytes) -> list[Frame]:
        self.buffer += received
        frames = []
        while (frame := self._next()) is not None:
            frames.append(frame)
        return frames

    def _next(self) -> Frame | None:
        head, blank_line, rest = self.buffer.partition(b"\n\n")
        if not blank_line:
            return None
        lines = tuple(head.decode("utf-8", "surrogateescape").split("\n"))
        size = int(Frame(lines).header("Content-Length") or 0)
        if len(rest) < size:
            return None
        self.buffer = rest[size:]
        frame = Frame(lines, rest[:size])
        if frame.content_type == "text/event-json":
            return Frame(lines, frame.body, json.loads(frame.text))
        return frame


class Client:
    """A connection; events and replies come in the order they are sent."""

    def __init__(self, port: int, password: str | None = "ClueCon") -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._reader = FrameReader()
        self._frames: list[Frame] = []
        if password is not None:
            assert self.read().content_type == "auth/request"
            assert self.command(f"auth {password}") == "+OK accepted"

    def close(self) -> None:
        self._socket.close()

    def write(self, text: str) -> None:
        self._socket.sendall(text.encode("utf-8", "surrogateescape"))

    def read(self, timeout_s: float = DEADLINE_S) -> Frame:
        """The next frame.

        Raises:
            TimeoutError: none in time.
            EOFError: the connection was closed.
        """
        deadline = time.monotonic() + timeout_s
        while not self._frames:
            self._socket.settimeout(max(0.001, deadline - time.monotonic()))
            received = self._socket.recv(65536)
            if not received:
                raise EOFError
            self._frames += self._reader.feed(received)
        return self._frames.pop(0)

    def is_silent(self, for_s: float) -> bool:
        """Whether nothing arrives within `for_s` real seconds."""
        try:
            self._frames.insert(0, self.read(for_s))
        except TimeoutError:
            return True
        return False

    def read_event(self, name: str, timeout_s: float = DEADLINE_S) -> dict[str, Any]:
        """The next event of that name; what comes before it is passed over."""
        deadline = time.monotonic() + timeout_s
        while True:
            frame = self.read(max(0.001, deadline - time.monotonic()))
            if frame.event.get("Event-Name") == name:
                return frame.event

    def command(self, text: str) -> str:
        """Send a command; its reply, or the answer of ``api``. Events that come before it are kept to be read later."""
        self.write(f"{text}\n\n")
        earlier: list[Frame] = []
        while (frame := self.read()).content_type not in ("api/response", "command/reply"):
            earlier.append(frame)
        self._frames[:0] = earlier
        return frame.text if frame.content_type == "api/response" else frame.header("Reply-Text")

    def api(self, text: str) -> str:
        return self.command(f"api {text}")

    def execute(self, channel_uuid: str, application: str, argument: str) -> str:
        return self.command(
            f"sendmsg {channel_uuid}\ncall-command: execute\n"
            f"execute-app-name: {application}\nexecute-app-arg: {argument}"
        )


def wait_until(is_reached: Any, timeout_s: float = DEADLINE_S) -> None:
    """Poll until `is_reached()`, letting other greenlets run.

    Raises:
        TimeoutError: it was not.
    """
    deadline = time.monotonic() + timeout_s
    while not is_reached():
        if time.monotonic() > deadline:
            raise TimeoutError
        gevent.sleep(0.002)

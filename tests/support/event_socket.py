"""A small Event Socket client for tests: one command at a time, and a list of events. I/O: one TCP connection.

Not ours, on purpose: what the tests find out about FreeSWITCH must not depend on the code under test.
"""

from __future__ import annotations

import contextlib
import json
import queue
import socket
import threading
from collections.abc import Callable
from typing import Any

Event = dict[str, Any]


class EventSocket:
    """A connection that has logged in.

    Raises:
        OSError: nothing listens there.
        PermissionError: wrong password.
    """

    def __init__(self, port: int, password: str) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), 5)
        self._socket.settimeout(None)
        self._reader = self._socket.makefile("rb")
        self._replies: queue.Queue[str] = queue.Queue()
        self._events: list[Event] = []
        self._arrived = threading.Condition()
        self._thread = threading.Thread(target=self._read, daemon=True)
        try:
            self._log_in(password)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Hang up; harmless when that has happened."""
        with contextlib.suppress(OSError):  # the other side was quicker
            self._socket.shutdown(socket.SHUT_RDWR)
        if self._thread.is_alive():
            self._thread.join()
        self._reader.close()
        self._socket.close()

    def command(self, text: str, timeout_s: float = 10.0) -> str:
        """Send a command; return its reply, or for ``api`` the answer.

        Raises:
            queue.Empty: no reply in time, or the connection is gone.
        """
        self._socket.sendall(text.encode("utf-8", "surrogateescape") + b"\n\n")
        return self._replies.get(timeout=timeout_s)

    def api(self, text: str) -> str:
        """The answer to an API command."""
        return self.command(f"api {text}").strip()

    def execute(self, channel_uuid: str, application: str, argument: str) -> str:
        """Execute an application on a channel; return the reply."""
        return self.command(
            f"sendmsg {channel_uuid}\ncall-command: execute\n"
            f"execute-app-name: {application}\nexecute-app-arg: {argument}"
        )

    def event(self, matches: Callable[[Event], bool], timeout_s: float = 8.0) -> Event:
        """The first event that matches, as soon as it is there; it is taken off the list.

        Raises:
            TimeoutError: with the names of the events that came.
        """

        def taken() -> Event | None:
            for index, event in enumerate(self._events):
                if matches(event):
                    return self._events.pop(index)
            return None

        with self._arrived:
            event = self._arrived.wait_for(taken, timeout_s)
        if event is None:
            raise TimeoutError(f"no such event in {timeout_s} s, but {[one['Event-Name'] for one in self._events]}")
        return event

    def _log_in(self, password: str) -> None:
        self._read_frame()
        self._thread.start()
        if "accepted" not in self.command(f"auth {password}"):
            raise PermissionError("the Event Socket password is wrong")

    def _read(self) -> None:
        try:
            while True:
                headers, body = self._read_frame()
                if headers["Content-Type"] == "text/event-json":
                    with self._arrived:
                        self._events.append(json.loads(body, strict=False))
                        self._arrived.notify_all()
                elif headers["Content-Type"] in ("api/response", "command/reply"):
                    self._replies.put(headers.get("Reply-Text", body))
        except (OSError, EOFError, ValueError):  # closed, by either side
            return

    def _read_frame(self) -> tuple[dict[str, str], str]:
        headers: dict[str, str] = {}
        while (line := self._reader.readline()) != b"\n":
            if not line:
                raise EOFError
            name, _, value = line.decode("utf-8", "surrogateescape").rstrip("\n").partition(": ")
            headers[name] = value
        body = self._reader.read(int(headers.get("Content-Length", 0)))
        return headers, body.decode("utf-8", "surrogateescape")

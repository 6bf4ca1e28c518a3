"""Runs slow commands with ``bgapi``, so that other commands can overtake them. Waits for events.

FreeSWITCH answers commands in order, so a slow ``api`` would delay the bridging of calls and the lease. ``bgapi`` is
answered at once, and its result arrives as an event.
"""

from __future__ import annotations

import uuid
from typing import Any

from gevent.event import AsyncResult

from sipbridge.adapters.event_socket.connection import EventSocketConnection
from sipbridge.adapters.event_socket.json_events import Event
from sipbridge.ports import CommandRefused, SwitchLost, Unconfirmed


class BackgroundJobs:
    """The background commands that have not finished yet."""

    def __init__(self) -> None:
        self._waiting: dict[str, AsyncResult[Any]] = {}

    def run(self, commands: EventSocketConnection, command: str, timeout_s: float) -> str:
        """Run an API command in the background and wait for its answer.

        Args:
            commands: the connection; closed if there is no answer in time.

        Raises:
            SwitchLost: no answer.
            CommandRefused: FreeSWITCH did not start the command.
        """
        job = str(uuid.uuid4())
        done: AsyncResult[Any] = AsyncResult()
        self._waiting[job] = done
        try:
            reply = commands.send(f"bgapi {command}\nJob-UUID: {job}")
            if reply.is_error:
                raise CommandRefused(command, reply.text)
            done.wait(timeout_s)
            if not done.ready():
                commands.lose(reason := f"{command} did not finish within {timeout_s:g} s")
                raise Unconfirmed(reason)
        finally:
            del self._waiting[job]
        answer: Any = done.get()
        if isinstance(answer, SwitchLost):
            raise answer
        return str(answer)

    def on_event(self, event: Event) -> None:
        """Handle BACKGROUND_JOB, the end of our own or another client's job. Source: mod_event_socket.c, api_exec."""
        if (done := self._waiting.get(event.get("Job-UUID", ""))) is not None:
            done.set(event.get("_body", ""))

    def lose(self, reason: str) -> None:
        """Fail all waiting commands, because the event connection is lost."""
        for done in self._waiting.values():
            done.set(Unconfirmed(reason))

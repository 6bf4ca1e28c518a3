"""A command that takes FreeSWITCH a while becomes its answer, and other commands go past it. Waits for events.

FreeSWITCH answers in the order of the commands, so that a slow ``api`` holds up the bridging of calls and the lease.
``bgapi`` is answered at once; what came of it is told by an event.
"""

from __future__ import annotations

import uuid
from typing import Any

from gevent.event import AsyncResult

from sipbridge.adapters.event_socket.connection import EventSocketConnection
from sipbridge.adapters.event_socket.json_events import Event
from sipbridge.ports import CommandRefused, SwitchLost, Unconfirmed


class BackgroundJobs:
    """The commands whose end is not told yet."""

    def __init__(self) -> None:
        self._waiting: dict[str, AsyncResult[Any]] = {}

    def run(self, commands: EventSocketConnection, command: str, timeout_s: float) -> str:
        """What an API command answers.

        Args:
            commands: given up when there is no answer in time.

        Raises:
            SwitchLost: there is none.
            CommandRefused: it was not even begun.
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
                commands.lose(reason := f"no end of {command} within {timeout_s:g} s")
                raise Unconfirmed(reason)
        finally:
            del self._waiting[job]
        answer: Any = done.get()
        if isinstance(answer, SwitchLost):
            raise answer
        return str(answer)

    def on_event(self, event: Event) -> None:
        """BACKGROUND_JOB: the end of one, ours or another client's. Source: mod_event_socket.c, api_exec."""
        if (done := self._waiting.get(event.get("Job-UUID", ""))) is not None:
            done.set(event.get("_body", ""))

    def lose(self, reason: str) -> None:
        """The connection that would tell is lost."""
        for done in self._waiting.values():
            done.set(Unconfirmed(reason))

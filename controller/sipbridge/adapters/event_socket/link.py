"""Two connections to FreeSWITCH, events and commands, kept up as one: connect, lose, wait, connect again."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import gevent
import gevent.event

from sipbridge.adapters.event_socket.command_tally import CommandTally
from sipbridge.adapters.event_socket.connection import EventSocketConnection
from sipbridge.core.backoff import Backoff
from sipbridge.core.errors import SipBridgeError

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LinkSettings:
    """Where FreeSWITCH is, and how patient to be; all times in seconds."""

    host: str
    port: int
    password: str = field(repr=False)
    connect_timeout_s: float
    command_timeout_s: float
    silence_timeout_s: float
    backoff_min_s: float
    backoff_max_s: float


class LinkUser(Protocol):
    """Who is told about the link."""

    def on_link_up(self, events: EventSocketConnection, commands: EventSocketConnection) -> None:
        """Both connections stand; raising any `SipBridgeError` gives them up."""

    def on_link_down(self, reason: str) -> None:
        """One of them is lost, and so both are."""


class Link:
    """Keeps both connections up.

    They live and die together: what is known from events is worth nothing without commands, and the other way round.
    """

    def __init__(
        self,
        settings: LinkSettings,
        user: LinkUser,
        jitter: Callable[[], float] = random.random,
        tally: CommandTally | None = None,
    ) -> None:
        self._settings = settings
        self._user = user
        self._tally = tally
        self._backoff = Backoff(settings.backoff_min_s, settings.backoff_max_s, jitter)
        self._connections: tuple[EventSocketConnection, ...] = ()
        self._stopping = gevent.event.Event()

    def run(self) -> None:
        """Keep the link up until `stop`; the body of a greenlet."""
        last_reason = ""
        while not self._stopping.is_set():
            reason, was_up = self._use_once()
            if self._stopping.is_set():
                return
            if was_up:
                self._backoff.succeeded()
            pause_s = self._backoff.failed(time.monotonic())
            # Said when it breaks, when it is something else, and when it lasts; not at each attempt.
            if was_up or reason != last_reason or self._backoff.failures == 10:
                _log.error("FreeSWITCH: %s; trying again every %.1f s or more", reason, pause_s)
            last_reason = reason
            self._stopping.wait(pause_s)

    def give_up(self) -> None:
        """Make no other connection."""
        self._stopping.set()

    def stop(self) -> None:
        """Close both connections and leave `run`."""
        self._stopping.set()
        # Commands first: when events are lost, `run` gives up both.
        for connection in reversed(self._connections):
            connection.stop()

    def _use_once(self) -> tuple[str, bool]:
        """Connect, let the user use it, and return when it is lost: why, and whether it had been up."""
        settings = self._settings
        events = self._connection(settings.silence_timeout_s)
        commands = self._connection(None)
        self._connections = (events, commands)
        up = False
        try:
            commands.connect()
            events.connect()
            self._user.on_link_up(events, commands)
            up = True
            reason = _first_lost(events, commands)
        except SipBridgeError as error:
            reason = str(error)
        finally:
            for connection in self._connections:
                if connection.connected:
                    connection.lose("the other connection is lost")
        self._user.on_link_down(reason)
        return reason, up

    def _connection(self, silence_timeout_s: float | None) -> EventSocketConnection:
        settings = self._settings
        return EventSocketConnection(
            settings.host,
            settings.port,
            settings.password,
            connect_timeout_s=settings.connect_timeout_s,
            command_timeout_s=settings.command_timeout_s,
            silence_timeout_s=silence_timeout_s,
            tally=self._tally,
        )


def _first_lost(*connections: EventSocketConnection) -> str:
    waiters = [gevent.spawn(connection.wait_lost) for connection in connections]
    done = gevent.wait(waiters, count=1)
    gevent.killall(waiters)
    return str(done[0].value)

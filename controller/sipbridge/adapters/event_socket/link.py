"""Keeps two connections to FreeSWITCH, for events and for commands, up as one link, and reconnects after a loss."""

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
    """Address, password and time limits of the connection to FreeSWITCH; all times in seconds."""

    host: str
    port: int
    password: str = field(repr=False)
    connect_timeout_s: float
    command_timeout_s: float
    silence_timeout_s: float
    backoff_min_s: float
    backoff_max_s: float


class LinkUser(Protocol):
    """Receives the state of the link."""

    def on_link_up(self, events: EventSocketConnection, commands: EventSocketConnection) -> None:
        """Both connections are up; raising any `SipBridgeError` closes them."""

    def on_link_down(self, reason: str) -> None:
        """One connection was lost, so both are closed."""


class Link:
    """Keeps both connections up.

    Neither is useful without the other, so if one is lost, both are closed and reopened together.
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
            # Log the loss, a changed reason and the tenth failure, but not each attempt.
            if was_up or reason != last_reason or self._backoff.failures == 10:
                _log.error("no connection to FreeSWITCH: %s; retrying every %.1f s or more", reason, pause_s)
            last_reason = reason
            self._stopping.wait(pause_s)

    def give_up(self) -> None:
        """Make no other connection."""
        self._stopping.set()

    def stop(self) -> None:
        """Close both connections and leave `run`."""
        self._stopping.set()
        # Stop the command connection first: when the event connection ends, `run` closes both.
        for connection in reversed(self._connections):
            connection.stop()

    def _use_once(self) -> tuple[str, bool]:
        """Connect, wait until the link is lost, and return the reason and whether the link had been up."""
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
                    connection.lose("the other connection was lost")
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

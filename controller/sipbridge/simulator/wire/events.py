"""Sends events of the simulated FreeSWITCH to the listeners that want them. Uses the clock."""

from __future__ import annotations

import time
from collections.abc import Mapping
from email.utils import formatdate
from typing import NamedTuple, Protocol

from sipbridge.simulator.wire.protocol import Event, EventValue

HOSTNAME = "simulator"


class Origin(NamedTuple):
    """The place in FreeSWITCH's source that fires an event; part of every event."""

    file: str
    function: str
    line: int


class Listener(Protocol):
    """A receiver of events."""

    def hears_of(self, name: str) -> bool:
        """Return whether an event of this name could be wanted."""

    def deliver(self, event: Event) -> None:
        """Deliver an event; the listener may ignore it."""


def now_us() -> int:
    """Return microseconds since the epoch, FreeSWITCH's unit for timestamps."""
    return time.time_ns() // 1000


class EventBus:
    """Numbers and timestamps events, and sends them to the listeners.

    Args:
        core_uuid: the Core-UUID of this run of the switch.
    """

    def __init__(self, core_uuid: str) -> None:
        self._core = {
            "Core-UUID": core_uuid,
            "FreeSWITCH-Hostname": HOSTNAME,
            "FreeSWITCH-Switchname": HOSTNAME,
            "FreeSWITCH-IPv4": "127.0.0.1",
            "FreeSWITCH-IPv6": "::1",
        }
        self._sequence = 0
        self._listeners: list[Listener] = []
        self._dated_s = -1
        self._dates = ("", "")

    def add(self, listener: Listener) -> None:
        """Deliver to `listener` from now on."""
        self._listeners.append(listener)

    def remove(self, listener: Listener) -> None:
        """Stop delivering to `listener`."""
        if listener in self._listeners:
            self._listeners.remove(listener)

    def is_heard(self, name: str) -> bool:
        """Return whether any listener could want an event of this name."""
        return any(listener.hears_of(name) for listener in self._listeners)

    def fire(self, name: str, origin: Origin, fields: Mapping[str, EventValue], subclass: str = "") -> None:
        """Send an event to the listeners.

        Args:
            fields: the headers after those that every event has.
            subclass: the subclass of a CUSTOM event.
        """
        self._sequence += 1
        if not self.is_heard(name):
            return
        stamp_us = now_us()
        local, gmt = self._date(stamp_us // 1_000_000)
        event: Event = {"Event-Subclass": subclass} if subclass else {}
        event["Event-Name"] = name
        event.update(self._core)
        event["Event-Date-Local"] = local
        event["Event-Date-GMT"] = gmt
        event["Event-Date-Timestamp"] = str(stamp_us)
        event["Event-Calling-File"], event["Event-Calling-Function"] = origin.file, origin.function
        event["Event-Calling-Line-Number"] = str(origin.line)
        event["Event-Sequence"] = str(self._sequence)
        event.update(fields)
        for listener in tuple(self._listeners):
            listener.deliver(event)

    def _date(self, second: int) -> tuple[str, str]:
        if second != self._dated_s:
            self._dated_s = second
            self._dates = (format_stamp(second * 1_000_000), formatdate(second, usegmt=True))
        return self._dates


def format_stamp(stamp_us: int) -> str:
    """A time as FreeSWITCH writes it: ``2026-11-23 01:24:19``, local."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(stamp_us // 1_000_000))

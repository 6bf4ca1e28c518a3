"""Tracks the subscriptions and filters of one Event Socket listener. Pure.

Source: mod_event_socket.c, event_handler.
"""

from __future__ import annotations

import re
from collections.abc import Sequence, Set
from dataclasses import dataclass, field

from sipbridge.simulator.wire.protocol import Event

# fmt: off
EVENT_NAMES = frozenset((
    "ALL", "CUSTOM", "CLONE", "CHANNEL_CREATE", "CHANNEL_DESTROY", "CHANNEL_STATE", "CHANNEL_CALLSTATE",
    "CHANNEL_ANSWER", "CHANNEL_HANGUP", "CHANNEL_HANGUP_COMPLETE", "CHANNEL_EXECUTE", "CHANNEL_EXECUTE_COMPLETE",
    "CHANNEL_HOLD", "CHANNEL_UNHOLD", "CHANNEL_BRIDGE", "CHANNEL_UNBRIDGE", "CHANNEL_PROGRESS",
    "CHANNEL_PROGRESS_MEDIA", "CHANNEL_OUTGOING", "CHANNEL_PARK", "CHANNEL_UNPARK", "CHANNEL_APPLICATION",
    "CHANNEL_ORIGINATE", "CHANNEL_UUID", "CHANNEL_DATA", "API", "LOG", "INBOUND_CHAN", "OUTBOUND_CHAN", "STARTUP",
    "SHUTDOWN", "PUBLISH", "UNPUBLISH", "TALK", "NOTALK", "SESSION_CRASH", "MODULE_LOAD", "MODULE_UNLOAD", "DTMF",
    "MESSAGE", "PRESENCE_IN", "NOTIFY_IN", "PRESENCE_OUT", "PRESENCE_PROBE", "MESSAGE_WAITING", "MESSAGE_QUERY",
    "ROSTER", "CODEC", "BACKGROUND_JOB", "DETECTED_SPEECH", "DETECTED_TONE", "PRIVATE_COMMAND", "HEARTBEAT", "TRAP",
    "ADD_SCHEDULE", "DEL_SCHEDULE", "EXE_SCHEDULE", "RE_SCHEDULE", "RELOADXML", "NOTIFY", "PHONE_FEATURE",
    "PHONE_FEATURE_SUBSCRIBE", "SEND_MESSAGE", "RECV_MESSAGE", "REQUEST_PARAMS", "GENERAL", "COMMAND",
    "SESSION_HEARTBEAT", "CLIENT_DISCONNECTED", "SERVER_DISCONNECTED", "SEND_INFO", "RECV_INFO", "RECV_RTCP_MESSAGE",
    "SEND_RTCP_MESSAGE", "CALL_SECURE", "NAT", "RECORD_START", "RECORD_STOP", "PLAYBACK_START", "PLAYBACK_STOP",
    "CALL_UPDATE", "FAILURE", "SOCKET_DATA", "MEDIA_BUG_START", "MEDIA_BUG_STOP", "CONFERENCE_DATA", "CALL_SETUP_REQ",
    "CALL_SETUP_RESULT", "CALL_DETAIL", "DEVICE_STATE", "TEXT",
))
# fmt: on
"""The events that can be subscribed to; other words are ignored."""


@dataclass(frozen=True, slots=True)
class Filter:
    """A ``filter NAME VALUE``: a positive filter passes events, a negative one blocks them.

    Attributes:
        expected: the value as given, including signs.
    """

    name: str
    expected: str

    def is_match(self, value: str) -> bool:
        """Return whether a header's value equals the expected one, or matches the expected ``/regular expression/``."""
        text = self.expected.lstrip("+- ")
        if self.expected.startswith("/"):
            return re.search(text.strip("/"), value) is not None
        return value.lower() == text.lower()

    @property
    def is_negative(self) -> bool:
        """Whether a match blocks the event."""
        signs = self.expected[: len(self.expected) - len(self.expected.lstrip("+- "))]
        return signs.rstrip(" ").endswith("-")


@dataclass(slots=True)
class Subscription:
    """The events, subclasses and filters of one listener; nothing at first."""

    is_plain: bool = True
    names: set[str] = field(default_factory=set)
    subclasses: set[str] = field(default_factory=set)
    filters: list[Filter] = field(default_factory=list)

    def add(self, words: Sequence[str]) -> bool:
        """Subscribe to ``CHANNEL_PARK CUSTOM sofia::gateway_state``: all words after CUSTOM are subclasses.

        Returns:
            Whether any of them was an event.
        """
        names, subclasses = _split_at_custom(words)
        self.names |= names
        self.subclasses |= subclasses
        return bool(names)

    def remove(self, words: Sequence[str]) -> None:
        """Unsubscribe from events, or from the subclasses after CUSTOM."""
        names, subclasses = _split_at_custom(words)
        self.names -= names if not subclasses else names - {"CUSTOM"}
        self.subclasses -= subclasses

    def clear(self) -> None:
        """Subscribe to nothing; filters stay."""
        self.names.clear()
        self.subclasses.clear()

    def remove_filters(self, name: str, value: str = "") -> None:
        """Remove all filters, those on a header, or one on a value of it."""
        if name.lower() == "all":
            self.filters.clear()
        else:
            self.filters = [f for f in self.filters if f.name != name or (value and f.expected != value)]

    def hears_of(self, name: str) -> bool:
        """Return whether events of this name could be delivered."""
        return name in self.names or "ALL" in self.names

    def wants(self, event: Event) -> bool:
        """Return whether this event is delivered."""
        name = event["Event-Name"]
        if "ALL" not in self.names:
            if name not in self.names:
                return False
            if name == "CUSTOM" and event.get("Event-Subclass") not in self.subclasses:
                return False
        return not self.filters or self._passes_filters(event)

    def _passes_filters(self, event: Event) -> bool:
        passes = False
        for rule in self.filters:
            value = _header(event, rule.name)
            if value is None or (passes and not rule.is_negative) or not rule.is_match(value):
                continue
            if rule.is_negative:
                return False
            passes = True
        return passes


def _split_at_custom(words: Sequence[str]) -> tuple[Set[str], Set[str]]:
    upper = [word.upper() for word in words]
    if "CUSTOM" not in upper:
        return EVENT_NAMES.intersection(upper), set()
    position = upper.index("CUSTOM")
    return EVENT_NAMES.intersection(upper[: position + 1]), set(words[position + 1 :])


def _header(event: Event, name: str) -> str | None:
    """Return a header's value, or the first value of an array; names are case-insensitive."""
    value = event.get(name)
    if value is None:
        lower = name.lower()
        value = next((value for key, value in event.items() if key.lower() == lower), None)
    return value[0] if isinstance(value, list) else value

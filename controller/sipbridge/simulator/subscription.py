"""What one Event Socket listener asked to hear, and whether an event is that. Pure.

Source: mod_event_socket.c, event_handler.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from sipbridge.simulator.protocol import Event


@dataclass(frozen=True, slots=True)
class Filter:
    """One ``filter NAME VALUE``: a positive one lets events through, a negative one keeps them out.

    Attributes:
        expected: the value as it was given, signs included.
    """

    name: str
    expected: str

    def is_match(self, value: str) -> bool:
        """Whether a header's value is the expected one, or matches the expected ``/regular expression/``."""
        text = self.expected.lstrip("+- ")
        if self.expected.startswith("/"):
            return re.search(text.strip("/"), value) is not None
        return value.lower() == text.lower()

    @property
    def is_negative(self) -> bool:
        """Whether a match keeps the event out."""
        signs = self.expected[: len(self.expected) - len(self.expected.lstrip("+- "))]
        return signs.rstrip(" ").endswith("-")


@dataclass(slots=True)
class Subscription:
    """The events, subclasses and filters of one listener; nothing at first."""

    is_plain: bool = True
    names: set[str] = field(default_factory=set)
    subclasses: set[str] = field(default_factory=set)
    filters: list[Filter] = field(default_factory=list)

    def add(self, words: Sequence[str]) -> None:
        """Subscribe to ``CHANNEL_PARK CUSTOM sofia::gateway_state``: all words after CUSTOM are subclasses."""
        names, subclasses = _split_at_custom(words)
        self.names |= names
        self.subclasses |= subclasses

    def remove(self, words: Sequence[str]) -> None:
        """Take events, or the subclasses after CUSTOM, off the list."""
        names, subclasses = _split_at_custom(words)
        self.names -= names if not subclasses else names - {"CUSTOM"}
        self.subclasses -= subclasses

    def clear(self) -> None:
        """Subscribe to nothing; filters stay."""
        self.names.clear()
        self.subclasses.clear()

    def remove_filters(self, name: str, value: str = "") -> None:
        """Remove the filters on one header, on one value of it, or all of them."""
        if name.lower() == "all":
            self.filters.clear()
        else:
            self.filters = [f for f in self.filters if f.name != name or (value and f.expected != value)]

    def hears_of(self, name: str) -> bool:
        """Whether events of this name could be delivered at all."""
        return name in self.names or "ALL" in self.names

    def wants(self, event: Event) -> bool:
        """Whether this event is delivered."""
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


def _split_at_custom(words: Sequence[str]) -> tuple[set[str], set[str]]:
    upper = [word.upper() for word in words]
    if "CUSTOM" not in upper:
        return set(upper), set()
    position = upper.index("CUSTOM")
    return set(upper[: position + 1]), set(words[position + 1 :])


def _header(event: Event, name: str) -> str | None:
    """A header's value, the first one of an array; names compare without case."""
    value = event.get(name)
    if value is None:
        lower = name.lower()
        value = next((value for key, value in event.items() if key.lower() == lower), None)
    return value[0] if isinstance(value, list) else value

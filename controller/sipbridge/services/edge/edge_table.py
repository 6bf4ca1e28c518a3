"""Tracks which gateways the edge's table should have, and which changes are due. Pure.

Keeps only names: the entries are formatted when they are sent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import islice

from sipbridge.core.gateways.gateway import GatewayName


class EdgeTable:
    """The state of each gateway that goes through the edge.

    A desired gateway is due to be sent, or held by the edge. A gateway that is no longer desired is leaving, and is
    deleted from the edge once FreeSWITCH no longer has it: until then it may be unregistering.
    """

    def __init__(self) -> None:
        self._held: dict[GatewayName, None] = {}
        self._due: dict[GatewayName, None] = {}
        self._leaving: dict[GatewayName, None] = {}

    def __len__(self) -> int:
        """Return the number of desired gateways."""
        return len(self._held) + len(self._due)

    @property
    def held(self) -> int:
        """The number of desired gateways that the edge has."""
        return len(self._held)

    @property
    def is_settled(self) -> bool:
        """Whether the edge has all desired entries and no obsolete ones."""
        return not self._due and not self._leaving

    def waits(self, name: GatewayName) -> bool:
        """Return whether a gateway must wait, because the edge does not know it yet."""
        return name in self._due

    def want(self, name: GatewayName) -> None:
        """Mark a gateway as desired."""
        self._leaving.pop(name, None)
        if name not in self._held:
            self._due[name] = None

    def release(self, name: GatewayName) -> None:
        """Mark a gateway as no longer desired; ignores gateways that do not go through the edge."""
        if name in self._held or name in self._due:
            self._held.pop(name, None)
            self._due.pop(name, None)
            # Even if it is only due: it may be on its way to the edge.
            self._leaving[name] = None

    def release_all(self) -> None:
        """Mark all gateways as no longer desired."""
        self._leaving |= self._held | self._due
        self._held, self._due = {}, {}

    def reset(self) -> None:
        """Mark all desired gateways as due, because the edge has none of them."""
        self._due = self._held | self._due
        self._held = {}

    def due(self, most: int) -> list[GatewayName]:
        """Return the next gateways to send."""
        return list(islice(self._due, most))

    def note_put(self, names: Iterable[GatewayName]) -> None:
        """Mark gateways as held by the edge."""
        for name in names:
            # A gateway that is not due is no longer desired, and leaving.
            if name in self._due:
                del self._due[name]
                self._held[name] = None

    def gone(self, is_in_switch: Callable[[GatewayName], bool], most: int) -> list[GatewayName]:
        """Return the next gateways whose entries can be deleted."""
        return list(islice((name for name in self._leaving if not is_in_switch(name)), most))

    def note_deleted(self, names: Iterable[GatewayName]) -> None:
        """Forget gateways whose entries were deleted."""
        for name in names:
            self._leaving.pop(name, None)

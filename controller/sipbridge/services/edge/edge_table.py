"""Gateways that go through the edge become what its table has to have, and what is to be done about that. Pure.

Names only: what the edge has to know of a gateway is made anew when it is told, and kept nowhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import islice

from sipbridge.core.gateways.gateway import GatewayName


class EdgeTable:
    """Where each gateway that goes through the edge stands with it.

    A wanted one is due to be told, or held by the edge. One that is no longer wanted leaves, and is taken from the edge
    when FreeSWITCH has it no more: until then it may be unregistering.
    """

    def __init__(self) -> None:
        self._held: dict[GatewayName, None] = {}
        self._due: dict[GatewayName, None] = {}
        self._leaving: dict[GatewayName, None] = {}

    def __len__(self) -> int:
        """How many there should be."""
        return len(self._held) + len(self._due)

    @property
    def held(self) -> int:
        """How many of these the edge has."""
        return len(self._held)

    @property
    def is_settled(self) -> bool:
        """Whether the edge has all that it should, and nothing else that is known of."""
        return not self._due and not self._leaving

    def waits(self, name: GatewayName) -> bool:
        """Whether a gateway is of no use yet, because the edge does not know it."""
        return name in self._due

    def want(self, name: GatewayName) -> None:
        """A gateway is desired."""
        self._leaving.pop(name, None)
        if name not in self._held:
            self._due[name] = None

    def release(self, name: GatewayName) -> None:
        """A gateway is no longer desired; nothing to do for one that does not go through the edge."""
        if name in self._held or name in self._due:
            self._held.pop(name, None)
            self._due.pop(name, None)
            # Also one that is due: it may be on its way to the edge.
            self._leaving[name] = None

    def release_all(self) -> None:
        """None is desired."""
        self._leaving |= self._held | self._due
        self._held, self._due = {}, {}

    def reset(self) -> None:
        """The edge has none of them."""
        self._due = self._held | self._due
        self._held = {}

    def due(self, most: int) -> list[GatewayName]:
        """The next ones that the edge has to be told of."""
        return list(islice(self._due, most))

    def note_put(self, names: Iterable[GatewayName]) -> None:
        """The edge has them."""
        for name in names:
            # One that is not due is no longer wanted, and leaves.
            if name in self._due:
                del self._due[name]
                self._held[name] = None

    def gone(self, is_in_switch: Callable[[GatewayName], bool], most: int) -> list[GatewayName]:
        """The next ones that the edge can forget."""
        return list(islice((name for name in self._leaving if not is_in_switch(name)), most))

    def note_deleted(self, names: Iterable[GatewayName]) -> None:
        """The edge has been asked to forget them."""
        for name in names:
            self._leaving.pop(name, None)

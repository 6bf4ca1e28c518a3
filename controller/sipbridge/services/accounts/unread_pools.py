"""Knows which pools wait for their database to be read for the first time. Changes only itself."""

from __future__ import annotations

from collections.abc import Iterable


class UnreadPools:
    """Until every database was read once, a gateway that no account is known for may belong to one that comes."""

    def __init__(self) -> None:
        self._names: set[str] = set()

    def expect(self, names: Iterable[str]) -> None:
        """Note that these pools will be read from their databases."""
        self._names.update(names)

    def note_read(self, name: str) -> None:
        """Note that a pool was read, or will not be."""
        self._names.discard(name)

    def knows_all(self) -> bool:
        """Whether every account is known by now."""
        return not self._names

"""An edge in memory: stores its entries, with scripted faults."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from sipbridge.core.gateways.gateway import GatewayName


class MemoryEdge:
    """The `EdgeControl` port.

    Attributes:
        problem: raised instead of an answer, as long as it stands.
        at_put: done while entries are on their way.
        puts: how many entries it was told.
    """

    def __init__(self) -> None:
        self.table: dict[GatewayName, str] = {}
        self.filled_by: str | None = None
        self.problem: Exception | None = None
        self.at_put: Callable[[], None] = lambda: None
        self.puts = 0

    def restart(self) -> None:
        """Forget everything."""
        self.table, self.filled_by = {}, None

    def epoch(self) -> str | None:
        self._answer()
        return self.filled_by

    def set_epoch(self, epoch: str) -> None:
        self._answer()
        self.filled_by = epoch

    def put(self, entries: Iterable[tuple[GatewayName, str]]) -> None:
        self._answer()
        told = dict(entries)
        if told:
            self.at_put()
        self.puts += len(told)
        self.table |= told

    def delete(self, names: Iterable[GatewayName]) -> None:
        self._answer()
        for name in names:
            self.table.pop(name, None)

    def count(self) -> int:
        self._answer()
        return len(self.table)

    def clear(self) -> None:
        self._answer()
        self.restart()

    def _answer(self) -> None:
        if self.problem is not None:
            raise self.problem

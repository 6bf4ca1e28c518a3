"""Gateways that are there and shall register once more, after the network has changed: whose turn it is. Pure.

There may be a million: they are sorted by their pools a slice at a time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator

from sipbridge.core.gateways.gateway import GatewayName
from sipbridge.services.gateways.desired_gateways import DesiredGateways

_SLICE = 2_000
"""Names that are sorted in one go: a millisecond or two, and more than the pools' paces take."""


class RegisteringAgain:
    """Each waits for its turn in its pool.

    Args:
        desired: tells the pool of a gateway, and whether it registers.
    """

    def __init__(self, desired: DesiredGateways) -> None:
        self._desired = desired
        self._unsorted: list[GatewayName] = []
        self._waiting: dict[str, deque[GatewayName]] = {}

    def start(self, names: Iterable[GatewayName]) -> None:
        """Let all of these register once more, those that do; who waited already begins anew."""
        self._unsorted, self._waiting = list(names), {}

    def due(
        self, is_there: Callable[[GatewayName], bool], may_register: Callable[[str], bool]
    ) -> Iterator[GatewayName]:
        """Those whose turn it is.

        Args:
            is_there: whether the switch has a gateway, and keeps it; one that comes again registers with that.
            may_register: whether one more gateway of a pool may register now; if so, it counts as having done so.
        """
        self._sort_some()
        for pool, waiting in self._waiting.items():
            while waiting and (not is_there(waiting[0]) or may_register(pool)):
                name = waiting.popleft()
                if is_there(name):
                    yield name

    def _sort_some(self) -> None:
        some = self._unsorted[-_SLICE:]
        del self._unsorted[-_SLICE:]
        for name in some:
            line = self._desired.line(name)
            if line is not None and line.pool.policy.registration_required:
                self._waiting.setdefault(line.pool.policy.name, deque()).append(name)

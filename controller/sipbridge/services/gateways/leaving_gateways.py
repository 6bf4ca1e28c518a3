"""Gateways that are there and should not be: which wait for their removal, and which are being removed. Pure.

A gateway that replaces another must not be added before that one has unregistered: its unREGISTER comes up to a second
later, and could take the new one's binding with it. So who adds asks here first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import islice, takewhile

from sipbridge.core.gateways.gateway import GatewayName

NO_POOL = ""
"""The pool of a gateway that was found, and that nobody knows of."""


class LeavingGateways:
    """Each waits in the queue of its pool, then for the confirmation that it is gone."""

    def __init__(self) -> None:
        self._pool_of: dict[GatewayName, str] = {}
        self._former_pool_of: dict[GatewayName, str] = {}
        self._waiting: dict[str, dict[GatewayName, None]] = {}
        # Until when to wait for the confirmation, in the order of asking.
        self._removing: dict[GatewayName, float] = {}
        # What they have in common with those that may replace them, as long as these have to wait.
        self._stems: Counter[str] = Counter()
        self._unregistered: set[GatewayName] = set()
        self._in_the_way: set[str] = set()

    def __len__(self) -> int:
        return len(self._pool_of)

    def __contains__(self, name: object) -> bool:
        return name in self._pool_of

    def hold_back(self, name: GatewayName) -> bool:
        """Whether a gateway has to wait, because one that it may replace is still registered."""
        stem = _stem(name)
        if stem not in self._stems:
            return False
        self._in_the_way.add(stem)
        return True

    def add(self, name: GatewayName, pool: str = NO_POOL) -> None:
        """Let a gateway wait for its removal; one that leaves already goes on as it does."""
        if name not in self._pool_of:
            pool = pool or self._former_pool_of.get(name, NO_POOL)
            self._pool_of[name] = pool
            self._waiting.setdefault(pool, {})[name] = None
            self._stems[_stem(name)] += 1

    def discard(self, name: GatewayName) -> None:
        """It is gone, or was never there."""
        pool = self._pool_of.pop(name, None)
        if pool is None:
            return
        if self._removing.pop(name, None) is None:
            self._stop_waiting(name, pool)
        self._hold_back_no_longer(name)
        self._unregistered.discard(name)

    def note_unregistered(self, name: GatewayName) -> None:
        """Its unREGISTER is sent; it is deleted a second later, and nobody has to wait for that."""
        if name in self._removing:
            self._hold_back_no_longer(name)
            self._unregistered.add(name)

    def take_back(self, name: GatewayName) -> bool:
        """Let a gateway stay whose removal was not asked for yet; whether there was such a one."""
        if name not in self._pool_of or name in self._removing:
            return False
        self.discard(name)
        return True

    def start_again(self) -> None:
        """Forget all of them; those that are found there once more are of the pools that they were of."""
        self._former_pool_of, self._pool_of, self._waiting = self._pool_of, {}, {}
        self._removing.clear()
        self._stems.clear()
        self._unregistered.clear()
        self._in_the_way.clear()

    def due(self, may_go: Callable[[str], bool], most: int, *, knows_all: bool = True) -> Iterator[GatewayName]:
        """Those whose turn it is: of each pool as many as `may_go` allows it, and `most` at a time.

        Args:
            knows_all: whether every account is known by now. Those that nobody knows of are somebody's otherwise, whose
                database is still to be read, and go only where one is in the way of another.
        """
        for pool, waiting in list(self._waiting.items()):
            names = waiting if knows_all or pool != NO_POOL else self._hindrances(waiting)
            for name in list(islice(names, most)):
                if not may_go(pool):
                    break
                yield name

    def remove(self, name: GatewayName, until: float) -> None:
        """Its removal was asked for, and should be confirmed until then."""
        self._stop_waiting(name, self._pool_of[name])
        self._removing[name] = until

    def overdue(self, now: float) -> list[GatewayName]:
        """Those whose removal should have been confirmed by now."""
        return [name for name, _ in takewhile(lambda one: one[1] <= now, self._removing.items())]

    def retry(self, name: GatewayName) -> None:
        """Its removal came to nothing: let it wait again."""
        pool = self._pool_of[name]
        self.discard(name)
        self.add(name, pool)

    def waiting(self) -> dict[str, int]:
        """How many wait in each pool."""
        return {pool: len(names) for pool, names in self._waiting.items()}

    def _hold_back_no_longer(self, name: GatewayName) -> None:
        if name in self._unregistered:
            return
        stem = _stem(name)
        self._stems[stem] -= 1
        if not self._stems[stem]:
            del self._stems[stem]
            self._in_the_way.discard(stem)

    def _hindrances(self, waiting: Iterable[GatewayName]) -> Iterable[GatewayName]:
        return (name for name in waiting if _stem(name) in self._in_the_way) if self._in_the_way else ()

    def _stop_waiting(self, name: GatewayName, pool: str) -> None:
        waiting = self._waiting[pool]
        del waiting[name]
        if not waiting:
            del self._waiting[pool]


def _stem(name: GatewayName) -> str:
    """What the gateways of one account have in common, before and after it was changed."""
    return name.rpartition(".")[0]

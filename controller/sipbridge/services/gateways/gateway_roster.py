"""Knows where every gateway is, and keeps those that something is due about in queues. Changes only itself.

There may be a million gateways: only the name and the state of each are kept, and the line of its account. What
FreeSWITCH has to know of a gateway is made when it is needed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, KeysView, Mapping
from itertools import takewhile

from sipbridge.core.gateways.gateway import GatewayName
from sipbridge.core.gateways.gateway_life import FORGOTTEN, Due, GatewayEvent, GatewayState, next_state, stem_of
from sipbridge.core.pools.account_pool import Line

NO_POOL = ""
"""The pool of a gateway that was found in FreeSWITCH and that no account is known for."""

_WAIT = (Due.ADD, Due.REMOVE)
"""What waits in the queue of its pool; what awaits a confirmation is in one queue, in the order of asking."""


class GatewayRoster:
    """Every gateway that is wanted, or that FreeSWITCH has, by name."""

    def __init__(self) -> None:
        self._states: dict[GatewayName, GatewayState] = {}
        self._lines: dict[GatewayName, Line] = {}
        # Of those that no account wants any more: at whose pace they go.
        self._pools: dict[GatewayName, str] = {}
        # Each with the time until which to wait for a confirmation, where it awaits one.
        self._queues: dict[Due, dict[str, dict[GatewayName, float]]] = {due: {} for due in Due}
        # By stem, those whose successors have to wait.
        self._holding: dict[str, tuple[GatewayName, ...]] = {}
        self._counts: Counter[GatewayState] = Counter()

    # Where they are.

    def state(self, name: str) -> GatewayState:
        """Where a gateway is; `FORGOTTEN` for one that nobody knows of."""
        return self._states.get(GatewayName(name), FORGOTTEN)

    def line(self, name: str) -> Line | None:
        """The line whose account the gateway is for, now."""
        return self._lines.get(GatewayName(name))

    @property
    def wanted(self) -> KeysView[GatewayName]:
        """The names of all gateways that accounts have, or will have when they may try again."""
        return self._lines.keys()

    @property
    def names(self) -> KeysView[GatewayName]:
        """The names of all of them, whether wanted or not."""
        return self._states.keys()

    @property
    def in_switch(self) -> int:
        """How many FreeSWITCH has."""
        return self._count(lambda state: state.is_in_switch)

    @property
    def pending_additions(self) -> int:
        """How many wait to be added, or are being added."""
        return self._count(lambda state: state.due in (Due.ADD, Due.CONFIRM_ADDED))

    @property
    def pending_removals(self) -> int:
        """How many are in FreeSWITCH, or about to be, that should not be."""
        return self._count(lambda state: state.is_to_go)

    def queues(self, due: Due) -> Mapping[str, Mapping[GatewayName, float]]:
        """Those that this is due about, by pool, the one that has waited longest first. No queue is empty."""
        return self._queues[due]

    def waiting_to_go(self) -> Counter[str]:
        """How many of each pool wait for their removal, those included that are just being added."""
        waiting = Counter({pool: len(names) for pool, names in self._queues[Due.REMOVE].items()})
        adding = self._queues[Due.CONFIRM_ADDED].get(NO_POOL, ())
        waiting.update(self._pools[name] for name in adding if self._states[name].is_to_go)
        return waiting

    def overdue(self, due: Due, now: float) -> list[GatewayName]:
        """Those that should have been confirmed by now."""
        queue = self._queues[due].get(NO_POOL, {})
        return [name for name, _ in takewhile(lambda one: one[1] <= now, queue.items())]

    def predecessors(self, name: GatewayName) -> tuple[GatewayName, ...]:
        """Those that have to unregister before the gateway may be added, which would lose its binding otherwise."""
        return self._holding.get(stem_of(name), ())

    # What happens to them.

    def want(self, name: GatewayName, line: Line, *, is_backing_off: bool = False) -> GatewayState:
        """Note that an account needs a gateway; gives back where that was before.

        Args:
            is_backing_off: whether the account may not try yet.
        """
        before = self.state(name)
        after = next_state(before, GatewayEvent.WANT)
        if is_backing_off:
            after = next_state(after, GatewayEvent.REFUSE)
        # In the queue of the pool that it had, which may have been none.
        if before.due in _WAIT:
            self._dequeue(name, before.due)
        self._lines[name] = line
        self._pools.pop(name, None)
        self._set(name, before, after)
        if after.due in _WAIT:
            self._enqueue(name, after.due)
        return before

    def withdraw(self, name: GatewayName) -> None:
        """Note that no account needs a gateway any more."""
        self._pools[name] = self._lines.pop(name).pool.policy.name
        self.note(name, GatewayEvent.WITHDRAW)

    def note(self, name: GatewayName, event: GatewayEvent, until: float = 0.0) -> None:
        """Note what else happened to a gateway.

        Args:
            until: when the confirmation is overdue of what was asked for.

        Raises:
            IllegalGatewayEventError: it cannot have happened.
        """
        before = self.state(name)
        after = next_state(before, event)
        if after is before:
            return
        line = self._lines.get(name)
        # The text that is kept anyhow, not the event's own.
        name = line.gateway if line is not None and line.gateway is not None else name
        if after.due is not before.due:
            self._dequeue(name, before.due)
            self._enqueue(name, after.due, until)
        self._set(name, before, after)

    def _set(self, name: GatewayName, before: GatewayState, after: GatewayState) -> None:
        self._counts[before] -= 1
        self._counts[after] += 1
        if before.holds_back and not after.holds_back:
            self._hold_back_no_longer(name)
        elif after.holds_back and not before.holds_back:
            stem = stem_of(name)
            self._holding[stem] = (*self._holding.get(stem, ()), name)
        if after is FORGOTTEN:
            self._states.pop(name, None)
            self._pools.pop(name, None)
        else:
            self._states[name] = after

    def _hold_back_no_longer(self, name: GatewayName) -> None:
        stem = stem_of(name)
        left = tuple(each for each in self._holding[stem] if each != name)
        if left:
            self._holding[stem] = left
        else:
            del self._holding[stem]

    def _enqueue(self, name: GatewayName, due: Due, until: float = 0.0) -> None:
        if due is not Due.NOTHING:
            self._queues[due].setdefault(self._queue_of(name, due), {})[name] = until

    def _dequeue(self, name: GatewayName, due: Due) -> None:
        if due is Due.NOTHING:
            return
        pool = self._queue_of(name, due)
        queue = self._queues[due][pool]
        del queue[name]
        if not queue:
            # One that is emptied key by key goes on taking the memory of all that were in it.
            del self._queues[due][pool]

    def _queue_of(self, name: GatewayName, due: Due) -> str:
        if due not in _WAIT:
            return NO_POOL
        line = self._lines.get(name)
        return line.pool.policy.name if line is not None else self._pools.get(name, NO_POOL)

    def _count(self, is_meant: Callable[[GatewayState], bool]) -> int:
        return sum(count for state, count in self._counts.items() if is_meant(state))

"""Keeps the state of every gateway, and queues of the gateways that need an action. Changes only itself.

There may be a million gateways, so only the name, the state and the account's line of each are kept. The definition of
a gateway is built when it is needed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, KeysView, Mapping
from itertools import takewhile

from sipbridge.core.gateways.gateway import GatewayName
from sipbridge.core.gateways.gateway_life import FORGOTTEN, Due, GatewayEvent, GatewayState, next_state, stem_of
from sipbridge.core.pools.account_pool import Line

NO_POOL = ""
"""The pool of a gateway that was found in FreeSWITCH and belongs to no known account."""

_WAIT = (Due.ADD, Due.REMOVE)
"""Actions that are queued per pool; gateways that await a confirmation share one queue, in order of request."""


class GatewayRoster:
    """Every gateway that is wanted, or that FreeSWITCH has, by name."""

    def __init__(self) -> None:
        self._states: dict[GatewayName, GatewayState] = {}
        self._lines: dict[GatewayName, Line] = {}
        # For gateways that no account wants: the pool at whose pace they are removed.
        self._pools: dict[GatewayName, str] = {}
        # Each gateway with the deadline of its confirmation, if it awaits one.
        self._queues: dict[Due, dict[str, dict[GatewayName, float]]] = {due: {} for due in Due}
        # By stem, the gateways whose successors must wait.
        self._holding: dict[str, tuple[GatewayName, ...]] = {}
        self._counts: Counter[GatewayState] = Counter()

    # Queries.

    def state(self, name: str) -> GatewayState:
        """Return the state of a gateway; `FORGOTTEN` if it is unknown."""
        return self._states.get(GatewayName(name), FORGOTTEN)

    def line(self, name: str) -> Line | None:
        """Return the line that the gateway belongs to now."""
        return self._lines.get(GatewayName(name))

    @property
    def wanted(self) -> KeysView[GatewayName]:
        """The names of all gateways that accounts need now, or will need when they may retry."""
        return self._lines.keys()

    @property
    def names(self) -> KeysView[GatewayName]:
        """The names of all gateways, wanted or not."""
        return self._states.keys()

    @property
    def in_switch(self) -> int:
        """The number of gateways in FreeSWITCH."""
        return self._count(lambda state: state.is_in_switch)

    @property
    def pending_additions(self) -> int:
        """The number of gateways waiting to be added or being added."""
        return self._count(lambda state: state.due in (Due.ADD, Due.CONFIRM_ADDED))

    @property
    def pending_removals(self) -> int:
        """The number of gateways that are, or soon will be, in FreeSWITCH but should not be."""
        return self._count(lambda state: state.is_to_go)

    def queues(self, due: Due) -> Mapping[str, Mapping[GatewayName, float]]:
        """Return the gateways that need this action, by pool, longest waiting first. No queue is empty."""
        return self._queues[due]

    def waiting_to_go(self) -> Counter[str]:
        """Return how many gateways of each pool wait for removal, including those just being added."""
        waiting = Counter({pool: len(names) for pool, names in self._queues[Due.REMOVE].items()})
        adding = self._queues[Due.CONFIRM_ADDED].get(NO_POOL, ())
        waiting.update(self._pools[name] for name in adding if self._states[name].is_to_go)
        return waiting

    def overdue(self, due: Due, now: float) -> list[GatewayName]:
        """Return the gateways whose confirmation is overdue."""
        queue = self._queues[due].get(NO_POOL, {})
        return [name for name, _ in takewhile(lambda one: one[1] <= now, queue.items())]

    def predecessors(self, name: GatewayName) -> tuple[GatewayName, ...]:
        """Return the gateways that must unregister before this one is added, which would otherwise lose its binding."""
        return self._holding.get(stem_of(name), ())

    # Events.

    def want(self, name: GatewayName, line: Line, *, is_backing_off: bool = False) -> GatewayState:
        """Mark that an account needs a gateway; return the gateway's previous state.

        Args:
            is_backing_off: whether the account may not retry yet.
        """
        before = self.state(name)
        after = next_state(before, GatewayEvent.WANT)
        if is_backing_off:
            after = next_state(after, GatewayEvent.REFUSE)
        # It is in the queue of its previous pool, which may be none.
        if before.due in _WAIT:
            self._dequeue(name, before.due)
        self._lines[name] = line
        self._pools.pop(name, None)
        self._set(name, before, after)
        if after.due in _WAIT:
            self._enqueue(name, after.due)
        return before

    def withdraw(self, name: GatewayName) -> None:
        """Mark that no account needs a gateway."""
        self._pools[name] = self._lines.pop(name).pool.policy.name
        self.note(name, GatewayEvent.WITHDRAW)

    def note(self, name: GatewayName, event: GatewayEvent, until: float = 0.0) -> None:
        """Record any other event of a gateway.

        Args:
            until: the deadline for confirming a requested change.

        Raises:
            IllegalGatewayEventError: the event is impossible in this state.
        """
        before = self.state(name)
        after = next_state(before, event)
        if after is before:
            return
        line = self._lines.get(name)
        # Use the string that is kept anyway, not the event's.
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
            # An emptied dictionary would keep the memory of all its former keys.
            del self._queues[due][pool]

    def _queue_of(self, name: GatewayName, due: Due) -> str:
        if due not in _WAIT:
            return NO_POOL
        line = self._lines.get(name)
        return line.pool.policy.name if line is not None else self._pools.get(name, NO_POOL)

    def _count(self, is_meant: Callable[[GatewayState], bool]) -> int:
        return sum(count for state, count in self._counts.items() if is_meant(state))

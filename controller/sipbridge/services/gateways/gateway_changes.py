"""Decides what is to be done about gateways now, as the paces of their pools allow. Changes the roster and the paces.

Times in seconds, only ever growing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

from sipbridge.core.gateways.gateway import Gateway, GatewayName
from sipbridge.core.gateways.gateway_life import STATES, Due, GatewayEvent, Place, Wish
from sipbridge.core.pools.account_pool import AccountPool, Line
from sipbridge.core.providers.provider import PoolPolicy
from sipbridge.services.gateways.gateway_roster import NO_POOL, GatewayRoster
from sipbridge.services.gateways.pace import Pace

_BATCH = 2_000
"""Gateways in one rescan at most: some 70 ms of FreeSWITCH's time."""
_SHUTDOWN_ASKS = 0.7
"""The part of a shutdown in which gateways are asked to go; in the rest they unregister, and are deleted."""
_STAYS = STATES[Place.PRESENT, Wish.WANTED]


@dataclass(frozen=True, slots=True)
class GatewayChanges:
    """What FreeSWITCH has to be told now.

    Attributes:
        remove: to be unregistered and deleted.
        register: to send a REGISTER at once.
        add: to be put into the spool, together.
    """

    remove: list[GatewayName]
    register: list[GatewayName]
    add: list[Gateway]


class ChangePlanner:
    """Takes what is due from the roster, as much as the paces of the pools allow.

    Args:
        gateway_of: what FreeSWITCH has to know of a gateway now; None for one that has to wait for something else.
        max_registrations_per_s: for each pool, where its own interval is shorter.
        confirm_timeout_s: how long a change that was asked for may take to be confirmed.
    """

    def __init__(
        self,
        roster: GatewayRoster,
        gateway_of: Callable[[GatewayName], Gateway | None],
        max_registrations_per_s: int,
        confirm_timeout_s: float,
    ) -> None:
        self._roster = roster
        self._gateway_of = gateway_of
        self._shortest_interval_s = 1 / max_registrations_per_s
        self._confirm_timeout_s = confirm_timeout_s
        self._paces = {NO_POOL: Pace(self._shortest_interval_s)}
        self._register_again: dict[str, deque[Line]] = {}
        self._adds_first = True
        self._shuts_down = False

    def use_pool(self, policy: PoolPolicy) -> None:
        """Keep to the pace of a pool that is new or has another pace.

        The pace stays when the pool goes: that is how its gateways go.
        """
        interval_s = max(policy.registration_interval_ms / 1000, self._shortest_interval_s)
        if policy.name not in self._paces or self._paces[policy.name].interval_s != interval_s:
            self._paces[policy.name] = Pace(interval_s)

    def register_again(self, pools: Iterable[AccountPool]) -> None:
        """Have all gateways of these pools that are there send a REGISTER, those that do."""
        self._register_again = {
            pool.policy.name: deque(pool) for pool in pools if pool.policy.registration_required and len(pool)
        }

    def begin_shutdown(self, within_s: float) -> None:
        """Add none any more; a pool whose pace needs longer than `within_s` to remove its own gets a quicker one."""
        self._shuts_down = True
        self._register_again = {}
        for pool, count in self._roster.waiting_to_go().items():
            longest_s = within_s * _SHUTDOWN_ASKS / count
            if longest_s < self._paces[pool].interval_s:
                self._paces[pool] = Pace(longest_s)

    def take_due(self, now: float, *, knows_all: bool) -> GatewayChanges:
        """Decide what is to be done now. All of it counts as asked for, and has to be.

        A pool has one pace for adding and removing. The one that goes first takes what the pace allows, so they take
        turns: a pool that is all changed is replaced account by account.

        Args:
            knows_all: whether every account is known by now. Until all databases are loaded, an unknown gateway may
                belong to an account that is not loaded yet: it is removed only if it blocks a replacement.
        """
        self._adds_first = not self._adds_first
        add: list[Gateway] = []
        blocking: set[GatewayName] = set()
        if self._adds_first:
            add, blocking = self._take_additions(now)
        remove = self._take_removals(now, None if knows_all or self._shuts_down else blocking)
        if not self._adds_first:
            add, _ = self._take_additions(now)
        return GatewayChanges(remove, self._take_registrations(now), add)

    def _take_additions(self, now: float) -> tuple[list[Gateway], set[GatewayName]]:
        """Those to add, and those that others wait for."""
        batch: list[Gateway] = []
        blocking: set[GatewayName] = set()
        if not self._shuts_down:
            for pool, waiting in self._roster.queues(Due.ADD).items():
                batch += self._next_additions(self._paces[pool], waiting, blocking, now)
        for gateway in batch:
            self._roster.note(gateway.name, GatewayEvent.ASK_TO_ADD, now + self._confirm_timeout_s)
        return batch, blocking

    def _next_additions(
        self, pace: Pace, waiting: Mapping[GatewayName, float], blocking: set[GatewayName], now: float
    ) -> Iterator[Gateway]:
        left = _BATCH
        # Any number of them may wait for the edge, or for their predecessors: the others go past them.
        for name in waiting:
            if predecessors := self._roster.predecessors(name):
                blocking.update(predecessors)
                continue
            gateway = self._gateway_of(name)
            if gateway is None:
                continue
            if not left or (gateway.register and not pace.take(now)):
                return
            left -= 1
            yield gateway

    def _take_removals(self, now: float, only_unknown: set[GatewayName] | None) -> list[GatewayName]:
        """Those to remove.

        Args:
            only_unknown: of the gateways of unknown accounts, these alone; None for all.
        """
        batch: list[GatewayName] = []
        for pool, waiting in self._roster.queues(Due.REMOVE).items():
            names: Iterable[GatewayName] = waiting
            if pool == NO_POOL and only_unknown is not None:
                names = sorted(waiting.keys() & only_unknown)
            for name in islice(names, _BATCH):
                if not self._paces[pool].take(now):
                    break
                batch.append(name)
        for name in batch:
            self._roster.note(name, GatewayEvent.ASK_TO_REMOVE, now + self._confirm_timeout_s)
        return batch

    def _take_registrations(self, now: float) -> list[GatewayName]:
        """Those to register once more."""
        batch: list[GatewayName] = []
        for pool, waiting in self._register_again.items():
            for _ in range(min(len(waiting), _BATCH)):
                name = waiting[0].gateway
                # One that comes later registers with that, and one that goes need not.
                stays = name is not None and self._roster.state(name) is _STAYS
                if stays and not self._paces[pool].take(now):
                    break
                waiting.popleft()
                if stays and name is not None:
                    batch.append(name)
        return batch

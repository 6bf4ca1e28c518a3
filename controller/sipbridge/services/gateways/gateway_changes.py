"""Decides which gateway changes to make now, within the paces of their pools. Changes the roster and the paces.

Times are monotonic seconds.
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
"""Maximum number of gateways in one rescan: about 70 ms of FreeSWITCH's time."""
_SHUTDOWN_ASKS = 0.7
"""The share of a shutdown in which removals are sent; the rest is for unregistering and deleting."""
_STAYS = STATES[Place.PRESENT, Wish.WANTED]


@dataclass(frozen=True, slots=True)
class GatewayChanges:
    """The gateway changes to send to FreeSWITCH now.

    Attributes:
        remove: gateways to unregister and delete.
        register: gateways that must send a REGISTER at once.
        add: gateways to put into the spool together.
    """

    remove: list[GatewayName]
    register: list[GatewayName]
    add: list[Gateway]


class ChangePlanner:
    """Takes due changes from the roster, as many as the paces of the pools allow.

    Args:
        gateway_of: returns the definition of a gateway; None if it must wait for something else.
        max_registrations_per_s: the limit per pool, if its own interval is shorter.
        confirm_timeout_s: how long a requested change may take to be confirmed.
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
        """Set the pace of a new or changed pool.

        The pace stays when the pool is removed, because its gateways are removed at that pace.
        """
        interval_s = max(policy.registration_interval_ms / 1000, self._shortest_interval_s)
        if policy.name not in self._paces or self._paces[policy.name].interval_s != interval_s:
            self._paces[policy.name] = Pace(interval_s)

    def register_again(self, pools: Iterable[AccountPool]) -> None:
        """Make all present gateways of these pools that register send a REGISTER."""
        self._register_again = {
            pool.policy.name: deque(pool) for pool in pools if pool.policy.registration_required and len(pool)
        }

    def begin_shutdown(self, within_s: float) -> None:
        """Stop adding; a pool whose pace is too slow to remove its gateways within `within_s` gets a faster one."""
        self._shuts_down = True
        self._register_again = {}
        for pool, count in self._roster.waiting_to_go().items():
            longest_s = within_s * _SHUTDOWN_ASKS / count
            if longest_s < self._paces[pool].interval_s:
                self._paces[pool] = Pace(longest_s)

    def take_due(self, now: float, *, knows_all: bool) -> GatewayChanges:
        """Decide which changes to make now. All of them count as requested, so the caller must send them.

        A pool has one pace for adding and removing. Whichever goes first uses up the pace, so they take turns: a pool
        that changed completely is replaced account by account.

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
        """Return the gateways to add, and the gateways that others wait for."""
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
        # Any number of gateways may wait for the edge or for their predecessors; others overtake them.
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
        """Return the gateways to remove.

        Args:
            only_unknown: of the gateways of unknown accounts, remove only these; None for all.
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
        """Return the gateways to register again."""
        batch: list[GatewayName] = []
        for pool, waiting in self._register_again.items():
            for _ in range(min(len(waiting), _BATCH)):
                name = waiting[0].gateway
                # A gateway added later registers anyway, and a leaving one need not.
                stays = name is not None and self._roster.state(name) is _STAYS
                if stays and not self._paces[pool].take(now):
                    break
                waiting.popleft()
                if stays and name is not None:
                    batch.append(name)
        return batch

"""Desired gateways minus present ones become what to add and to remove now, as the paces of the pools allow. Pure.

Times in seconds, only ever growing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import takewhile

from sipbridge.core.gateways.gateway import Gateway, GatewayName, GatewayPlan, plan_gateways
from sipbridge.core.providers.provider import PoolPolicy
from sipbridge.services.gateways.desired_gateways import DesiredGateways
from sipbridge.services.gateways.leaving_gateways import NO_POOL, LeavingGateways
from sipbridge.services.gateways.pace import Pace
from sipbridge.services.gateways.registering_again import RegisteringAgain

_BATCH = 2_000
"""Gateways in one rescan at most: some 70 ms of FreeSWITCH's time."""
_SHUTDOWN_ASKS = 0.7
"""The part of a shutdown in which gateways are asked to go; in the rest they unregister, and are deleted."""


class GatewayChanges:
    """Where each gateway stands, and what is to be done about it.

    A desired gateway is missing, being added, or present; one that is present and not desired waits for its removal,
    is being removed, or gone. A desired one that is not to be tried for now is in none of these.

    Args:
        desired: the gateways that there should be; who changes them says so here, one by one.
        max_registrations_per_s: for each pool, where its own interval is shorter.
        confirm_timeout_s: how long a change that was asked for may take to be confirmed.
        knows_all: whether every account is known by now; until then gateways of nobody stay.
    """

    def __init__(
        self,
        desired: DesiredGateways,
        max_registrations_per_s: int,
        confirm_timeout_s: float,
        knows_all: Callable[[], bool],
    ) -> None:
        self._desired = desired
        self._knows_all = knows_all
        self._shuts_down = False
        self._shortest_interval_s = 1 / max_registrations_per_s
        self._confirm_timeout_s = confirm_timeout_s
        self._present: set[GatewayName] = set()
        self._missing: dict[str, dict[GatewayName, None]] = {}
        # What was asked for and not confirmed yet, and until when to wait for that; in the order of asking.
        self._adding: dict[GatewayName, float] = {}
        self._leaving = LeavingGateways()
        self._again = RegisteringAgain(desired)
        self._paces = {NO_POOL: Pace(self._shortest_interval_s)}
        for pool in desired.pools.values():
            self.use_pool(pool.policy)

    def use_pool(self, policy: PoolPolicy) -> None:
        """Change gateways of a pool that is new, or keep to a pace that is another than it was."""
        interval_s = max(policy.registration_interval_ms / 1000, self._shortest_interval_s)
        self._missing.setdefault(policy.name, {})
        if policy.name not in self._paces or self._paces[policy.name].interval_s != interval_s:
            self._paces[policy.name] = Pace(interval_s)

    def forget_pool(self, name: str) -> None:
        """Forget a pool without desired gateways. Its pace stays: that is how its gateways go."""
        del self._missing[name]

    # What is desired.

    def want(self, name: GatewayName, pool: str) -> bool:
        """Let a gateway be added, or stay; whether it was about to go, so that only the switch knows how it is."""
        if name in self._present:
            return self._leaving.take_back(name)
        self.miss(name, pool)
        return False

    def miss(self, name: GatewayName, pool: str) -> None:
        """A desired gateway is not there: let it be added."""
        self._missing[pool][name] = None

    def discard(self, name: GatewayName, pool: str) -> None:
        """A gateway is no longer desired, wherever it is."""
        self._miss_no_longer(name, pool)
        self.remove(name, pool)

    def remove(self, name: GatewayName, pool: str = NO_POOL) -> None:
        """Let a gateway be removed if it is there."""
        if name in self._present:
            self._leaving.add(name, pool)

    def register_again(self) -> int:
        """Let all that are there register once more, those that do; how many are there."""
        self._again.start(self._present)
        return len(self._present)

    # What the switch has.

    def is_present(self, name: GatewayName) -> bool:
        """Whether FreeSWITCH has it."""
        return name in self._present

    def may_be_present(self, name: GatewayName) -> bool:
        """Whether FreeSWITCH has it, or has been asked to."""
        return name in self._present or name in self._adding

    @property
    def pending_removals(self) -> int:
        """How many are there, or about to be, that should not be."""
        return len(self._leaving) + sum(name not in self._desired for name in self._adding)

    @property
    def pending_additions(self) -> int:
        """How many wait to be added, or are being added."""
        return sum(map(len, self._missing.values())) + len(self._adding)

    @property
    def adds_without_pace(self) -> bool:
        """Whether gateways wait to be added that do not register."""
        pools = self._desired.pools
        return any(missing and not pools[name].policy.registration_required for name, missing in self._missing.items())

    def start_from(self, present: set[GatewayName]) -> GatewayPlan:
        """Forget what was under way: these are there.

        Returns:
            What has to change. Nothing of it is done or noted yet: there may be so much of it that who asks lets others
            run in between.
        """
        plan = plan_gateways(self._desired.names, present)
        # The texts that are kept anyhow, not the answer's own.
        self._present = {name for name in self._desired.names if name in present}
        self._present.update(plan.remove)
        self._adding.clear()
        self._leaving.start_again()
        self._miss_none()
        return plan

    def note_added(self, name: GatewayName) -> None:
        """It is there, desired or not."""
        self._adding.pop(name, None)
        line = self._desired.line(name)
        if line is None or line.gateway is None:
            self._present.add(name)
            self._leaving.add(name)
        else:
            # The text that is kept anyhow, not the event's own.
            self._present.add(line.gateway)
            self._miss_no_longer(name, line.pool.policy.name)

    def note_unregistered(self, name: GatewayName) -> None:
        """It has unregistered, and is deleted if that was asked for."""
        self._leaving.note_unregistered(name)

    def note_deleted(self, name: GatewayName) -> None:
        """It is gone."""
        self._present.discard(name)
        self._adding.pop(name, None)
        self._leaving.discard(name)

    # What is due.

    def take_additions(self, now: float) -> list[Gateway]:
        """Those to add now; they count as asked for."""
        batch = [gateway for pool in self._missing for gateway in self._due_additions(pool, now)]
        for gateway in batch:
            self._miss_no_longer(gateway.name, gateway.pool)
            self._adding[gateway.name] = now + self._confirm_timeout_s
        return batch

    def take_removals(self, now: float) -> Iterator[GatewayName]:
        """Those to remove now; each counts as asked for when the next one is taken."""
        knows_all = self._shuts_down or self._knows_all()
        for name in self._leaving.due(lambda pool: self._paces[pool].take(now), _BATCH, knows_all=knows_all):
            yield name
            self._leaving.remove(name, now + self._confirm_timeout_s)

    def take_registrations(self, now: float) -> Iterator[GatewayName]:
        """Those to register once more now; each counts as asked for when it is taken."""
        return self._again.due(self._is_staying, lambda pool: self._paces[pool].take(now))

    def give_up_adding(self, names: Iterable[GatewayName]) -> None:
        """Asking for them came to nothing."""
        for name in names:
            # Neither one that has arrived meanwhile nor one that is no longer desired is missing.
            line = self._desired.line(name)
            if self._adding.pop(name, None) is not None and line is not None:
                self.miss(name, line.pool.policy.name)

    def retry_removing(self, name: GatewayName) -> None:
        """Asking for its removal came to nothing: let it wait again."""
        self._leaving.retry(name)

    def overdue_additions(self, now: float) -> list[GatewayName]:
        """Those that should have been confirmed by now to be there."""
        return [name for name, _ in takewhile(lambda one: one[1] <= now, self._adding.items())]

    def overdue_removals(self, now: float) -> list[GatewayName]:
        """Those that should have been confirmed by now to be gone."""
        return self._leaving.overdue(now)

    def begin_shutdown(self, withdrawn: Iterable[tuple[GatewayName, str]], within_s: float) -> None:
        """Add none any more, and remove these; a pool that would need longer than `within_s` gets a quicker pace.

        Args:
            withdrawn: names, each with that of its pool.
        """
        self._shuts_down = True
        for name, pool in withdrawn:
            self.remove(name, pool)
        self._miss_none()
        self._again.start(())
        for pool, count in self._leaving.waiting().items():
            longest_s = within_s * _SHUTDOWN_ASKS / count
            if longest_s < self._paces[pool].interval_s:
                self._paces[pool] = Pace(longest_s)

    def _is_staying(self, name: GatewayName) -> bool:
        return name in self._present and name not in self._leaving

    def _miss_no_longer(self, name: GatewayName, pool: str) -> None:
        missing = self._missing[pool]
        missing.pop(name, None)
        if not missing:
            # One that is emptied key by key goes on taking the memory of all that were in it.
            self._missing[pool] = {}

    def _miss_none(self) -> None:
        self._missing = {pool: {} for pool in self._missing}

    def _due_additions(self, pool: str, now: float) -> Iterator[Gateway]:
        pace, left = self._paces[pool], _BATCH
        # Any number of them may wait for the edge: the others go past them.
        for name in self._missing[pool]:
            waits = self._leaving.hold_back(name) or self._desired.edge_table.waits(name)
            gateway = None if waits else self._desired.gateway(name)
            if gateway is None:
                continue
            if not left or (gateway.register and not pace.take(now)):
                return
            left -= 1
            yield gateway

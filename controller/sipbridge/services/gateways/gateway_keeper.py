"""Accounts become gateways in FreeSWITCH, at the pace of their pools, and stay so. Commands to the switch.

Work goes one way: desired gateways minus present gateways → plan → commands → events → what is present. A step does
what is due now, and costs what it does, at any number of accounts; the events that follow say what became of it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from sipbridge.core.accounts.account import AccountId
from sipbridge.core.backoff import Backoff
from sipbridge.core.calls.events import GatewayAdded, GatewayDeleted, ProfileStarted
from sipbridge.core.gateways.gateway import GatewayName
from sipbridge.core.gateways.registration import Registration
from sipbridge.core.pools.account_pool import AccountPool, Line
from sipbridge.core.sip.uri import SipUri
from sipbridge.ports import Clock, CommandRefused, Scheduler, Switch, SwitchLost
from sipbridge.services.gateways.desired_gateways import DesiredGateways
from sipbridge.services.gateways.gateway_changes import GatewayChanges
from sipbridge.services.gateways.gateway_states import GatewayEvent, GatewayStates
from sipbridge.services.gateways.profile_memory import ProfileMemory
from sipbridge.services.gateways.reconciliation import Reconciliation

_log = logging.getLogger(__name__)

_RETRY_MIN_S = 1.0
_RETRY_MAX_S = 30.0

_NOT_REGISTERED = Registration()


@dataclass(frozen=True, slots=True)
class KeeperSettings:
    """How gateways are made.

    Attributes:
        expires_s: longest lifetime of a registration.
        max_registrations_per_s: for each pool, where its own interval is shorter: FreeSWITCH sends what is due in one
            burst a second, and a burst of thousands times out.
        confirm_timeout_s: how long the event that confirms a change may take before it is asked for.
        profile: the sofia profile of the gateways.
        lost_memory_warning_mb: from how much memory of deleted gateways on there is a warning.
    """

    expires_s: int
    max_registrations_per_s: int
    confirm_timeout_s: float
    profile: str
    lost_memory_warning_mb: int


class GatewayKeeper:
    """Keeps one gateway per account in one switch.

    Args:
        knows_all: whether every account is known, or some database is still to be read for the first time.

    Attributes:
        memory: what deleted gateways still cost FreeSWITCH.
    """

    def __init__(
        self,
        switch: Switch,
        pools: Iterable[AccountPool],
        settings: KeeperSettings,
        clock: Clock,
        scheduler: Scheduler,
        knows_all: Callable[[], bool] = lambda: True,
    ) -> None:
        self._switch = switch
        self._clock = clock
        self._desired = DesiredGateways(pools, settings.expires_s)
        self._changes = GatewayChanges(
            self._desired, settings.max_registrations_per_s, settings.confirm_timeout_s, knows_all
        )
        self._states = GatewayStates(self._desired, self._changes, clock)
        self._reconciliation = Reconciliation(switch, scheduler, self._desired, self._changes, self._states.miss)
        self._adds_first = True
        self._connected = False
        self._reconcile_due = False
        self._retry = Backoff(_RETRY_MIN_S, _RETRY_MAX_S)
        self.memory = ProfileMemory(switch, settings.profile, settings.lost_memory_warning_mb)

    def gateway_of(self, line: Line) -> GatewayName | None:
        """The name of an account's gateway, while FreeSWITCH has it."""
        name = line.gateway
        return name if name is not None and self._changes.is_present(name) else None

    @property
    def desired(self) -> DesiredGateways:
        """The gateways that there should be. One that goes through the edge is not added before the edge knows it."""
        return self._desired

    def may_have_gateway(self, name: GatewayName) -> bool:
        """Whether FreeSWITCH has a gateway of this name, or has been asked to."""
        return self._changes.may_be_present(name)

    def account_behind(self, gateway: str) -> SipUri | None:
        """The URI of the account that a gateway was made for."""
        line = self._desired.line(gateway)
        return line.account.uri if line else None

    def use_pool(self, pool: AccountPool) -> None:
        """Make gateways for the accounts of a pool that is new, or keep to a pace that is another than it was."""
        self._desired.pools[pool.policy.name] = pool
        self._changes.use_pool(pool.policy)

    def forget_pool(self, name: str) -> None:
        """Forget a pool whose accounts are all removed. Its pace stays: that is how their gateways go."""
        del self._desired.pools[name]
        self._changes.forget_pool(name)

    def on_account_changed(self, line: Line) -> None:
        """Give an account that is new, or another than it was, the gateway that it needs now."""
        before, now = self._desired.want(line)
        if before == now:
            return
        self._states.forgive(line.id)
        line.set_registration(_NOT_REGISTERED)
        pool = line.pool.policy.name
        if before is not None:
            self._changes.discard(before, pool)
        if now is not None and self._changes.want(now, pool):
            # Changed back before the old gateway was touched: only the switch knows how it is.
            self._reconcile_due = True

    def on_account_removed(self, line: Line) -> None:
        """Take the gateway of an account away that is gone."""
        self._states.forgive(line.id)
        name = self._desired.withdraw(line)
        if name is not None:
            self._changes.discard(name, line.pool.policy.name)

    def next_try_s(self, account: AccountId) -> float | None:
        """Seconds until a refused account may try again; None for one that does not wait."""
        return self._states.next_try_s(account)

    def register_again(self) -> int:
        """Have steps let every account register once more: bindings may be worth nothing; the count of gateways."""
        return self._changes.register_again()

    @property
    def pending_removals(self) -> int:
        """Gateways that are there and should not be."""
        return self._changes.pending_removals

    @property
    def pending_additions(self) -> int:
        """Gateways that should be there and are not yet; those of refused accounts do not count."""
        return self._changes.pending_additions

    def reconcile(self) -> None:
        """Find out which gateways the switch has, after a link is up or a profile has started; lets others run.

        Raises:
            SwitchLost: the link broke again; the next one reconciles.
        """
        # A profile that starts from now on is not in the answer.
        self._reconcile_due = False
        try:
            if not self._connected:
                self.memory.recall()
            meanwhile = self._reconciliation.run()
        except BaseException:
            self._reconcile_due = True
            raise
        for event in meanwhile:
            self._states.note(event)
        self._connected = True
        self._retry.succeeded()

    def disconnect(self) -> None:
        """The link is lost: what is known stays as it is, and nothing is changed until it is back."""
        self._connected = False
        self._reconciliation.abandon()

    def on_gateway_event(self, event: GatewayEvent) -> None:
        """Note what became of a gateway."""
        self._reconciliation.note(event)
        if isinstance(event, GatewayDeleted) and self._changes.is_present(GatewayName(event.name)):
            self.memory.note_deleted()
        self._states.note(event)
        if self._states.is_overtaken(event):
            _log.info("gateway %s was registered, and FreeSWITCH has lost sight of that: once more", event.name)
            self._switch.register_gateway(GatewayName(event.name))

    def on_profile_started(self, started: ProfileStarted) -> None:
        """Have the next step ask what is left of the gateways: a profile that starts has none of the spool's."""
        _log.info("sofia profile %s has started", started.name)
        self._reconcile_due = True
        self.memory.note_started(started.name)
        # While it was away nothing could be added, and the next try may be far off.
        self._retry.succeeded()

    def step(self) -> bool:
        """Do what is due: remove, add and register again, at most as much as the pools' paces allow.

        A failure is logged once and tried again later, at growing intervals.

        Returns:
            Whether there is more to do at once: gateways that do not register have no pace to keep.
        """
        now = self._clock.monotonic()
        if not self._connected or not self._retry.is_due(now):
            return False
        added = 0
        try:
            if self._reconcile_due:
                self.reconcile()
            self._confirm(now)
            self._states.forgive_due(now)
            self.memory.step()
            # A pool has one pace for both. Who goes first takes what it allows, so they take turns: a pool that is all
            # changed is replaced account by account.
            self._adds_first = not self._adds_first
            if not self._adds_first:
                self._remove(now)
            added = self._add(now)
            if self._adds_first:
                self._remove(now)
            self._register_again(now)
        except (SwitchLost, CommandRefused, OSError) as error:
            self._retry.failed(now)
            if self._retry.failures == 1:
                _log.error("gateways cannot be changed: %s", error)
        else:
            self._retry.succeeded()
        return added > 0 and self._changes.adds_without_pace

    def begin_shutdown(self, within_s: float) -> None:
        """No longer want the gateways of the pools that unregister at shutdown; steps remove them.

        Args:
            within_s: when all should be gone. A pool whose own pace is too slow for that gets a quicker one.
        """
        self._changes.begin_shutdown(self._desired.withdraw_at_shutdown(), within_s)

    def _confirm(self, now: float) -> None:
        """Ask what became of changes whose events are overdue."""
        if not self._changes.overdue_additions(now) and not self._changes.overdue_removals(now):
            return
        up, down = self._switch.gateways()
        present = up | down
        for name in self._changes.overdue_additions(now):
            if name in present:
                self._states.note(GatewayAdded(name))
                if name in up and (line := self._desired.line(name)):
                    self._desired.note_listed(line, up=True, down=False)
            else:
                _log.error("FreeSWITCH did not take gateway %s: its log says why; trying again", name)
                self._changes.give_up_adding([name])
        for name in self._changes.overdue_removals(now):
            if name in present:
                self._changes.retry_removing(name)
            else:
                self.on_gateway_event(GatewayDeleted(name))

    def _remove(self, now: float) -> None:
        for name in self._changes.take_removals(now):
            self._switch.remove_gateway(name)

    def _register_again(self, now: float) -> None:
        for name in self._changes.take_registrations(now):
            self._switch.register_gateway(name)

    def _add(self, now: float) -> int:
        """Add what is due; how many that were."""
        batch = self._changes.take_additions(now)
        if not batch:
            return 0
        try:
            self._switch.add_gateways(batch)
        except BaseException:
            self._changes.give_up_adding(gateway.name for gateway in batch)
            raise
        return len(batch)

"""Keeps one gateway per account in FreeSWITCH, at the pace of the pools. Sends commands to the switch.

Work goes one way: desired gateways minus present gateways → plan → commands → events → present gateways. A step does
what is due now, and costs as much as the change, at any number of accounts; events then report the results.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from sipbridge.core.accounts.account import AccountId
from sipbridge.core.backoff import Backoff
from sipbridge.core.calls.events import GatewayAdded, GatewayDeleted, ProfileStarted
from sipbridge.core.gateways.gateway import GatewayName
from sipbridge.core.gateways.gateway_life import Due, GatewayEvent, Place
from sipbridge.core.gateways.registration import NOT_REGISTERED
from sipbridge.core.pools.account_pool import AccountPool, Line
from sipbridge.core.sip.uri import SipUri
from sipbridge.ports import Clock, CommandRefused, Scheduler, SwitchGateways, SwitchLost
from sipbridge.services.edge.edge_table import EdgeTable
from sipbridge.services.gateways.gateway_changes import ChangePlanner, GatewayChanges
from sipbridge.services.gateways.gateway_roster import GatewayRoster
from sipbridge.services.gateways.profile_memory import ProfileMemory
from sipbridge.services.gateways.reconciliation import Reconciliation
from sipbridge.services.gateways.registrations import Registrations, SwitchGatewayEvent
from sipbridge.services.gateways.wanted_gateways import WantedGateways

_log = logging.getLogger(__name__)

_RETRY_MIN_S = 1.0
_RETRY_MAX_S = 30.0


@dataclass(frozen=True, slots=True)
class KeeperSettings:
    """The settings of the gateway keeper.

    Attributes:
        expires_s: longest lifetime of a registration.
        max_registrations_per_s: the limit per pool, if its own interval is shorter: FreeSWITCH sends due REGISTERs in
            one burst per second, and a burst of thousands times out.
        confirm_timeout_s: how long the event that confirms a change may take before the state is queried.
        profile: the sofia profile of the gateways.
        lost_memory_warning_mb: memory of deleted gateways above which a warning is logged.
    """

    expires_s: int
    max_registrations_per_s: int
    confirm_timeout_s: float
    profile: str
    lost_memory_warning_mb: int


class GatewayKeeper:
    """Keeps one gateway per account in one switch.

    Args:
        knows_all: returns whether every account is known, that is, every database has been read once.

    Attributes:
        memory: what deleted gateways still cost FreeSWITCH.
    """

    def __init__(
        self,
        switch: SwitchGateways,
        pools: Iterable[AccountPool],
        settings: KeeperSettings,
        clock: Clock,
        scheduler: Scheduler,
        knows_all: Callable[[], bool] = lambda: True,
    ) -> None:
        self._switch = switch
        self._clock = clock
        self._knows_all = knows_all
        self._roster = GatewayRoster()
        self._wanted = WantedGateways(self._roster, pools, settings.expires_s)
        self._planner = ChangePlanner(
            self._roster, self._wanted.addable, settings.max_registrations_per_s, settings.confirm_timeout_s
        )
        for pool in self._wanted.pools.values():
            self._planner.use_pool(pool.policy)
        self._registrations = Registrations(self._roster, clock, self._wanted.line_of)
        self._reconciliation = Reconciliation(switch, scheduler, self._roster, self._registrations, self._wanted)
        self._connected = False
        self._reconcile_due = False
        self._retry = Backoff(_RETRY_MIN_S, _RETRY_MAX_S)
        self.memory = ProfileMemory(switch, settings.profile, settings.lost_memory_warning_mb)

    # Queries.

    def gateway_of(self, line: Line) -> GatewayName | None:
        """The name of an account's gateway, while FreeSWITCH has it."""
        name = line.gateway
        return name if name is not None and self._roster.state(name).is_in_switch else None

    def account_behind(self, gateway: str) -> SipUri | None:
        """Return the URI of the account that a gateway belongs to."""
        line = self._roster.line(gateway)
        return line.account.uri if line else None

    @property
    def edge_table(self) -> EdgeTable:
        """Those gateways that go through the edge. None of them is added before the edge knows it."""
        return self._wanted.edge_table

    def edge_entry_of(self, name: GatewayName) -> str | None:
        """Return the edge's entry for a gateway; None if its account has just changed."""
        made = self._wanted.gateway(name)
        return made.edge_entry if made is not None else None

    def may_have_gateway(self, name: GatewayName) -> bool:
        """Return whether FreeSWITCH has a gateway of this name, or was asked to add it."""
        return self._roster.state(name).place is not Place.ABSENT

    def next_try_s(self, account: AccountId) -> float | None:
        """Return the seconds until a rejected account may retry; None if it does not wait."""
        return self._registrations.next_try_s(account)

    @property
    def pending_removals(self) -> int:
        """Gateways still to be removed from FreeSWITCH."""
        return self._roster.pending_removals

    @property
    def is_settled(self) -> bool:
        """Whether it is known which gateways FreeSWITCH has, and none is there that should not be."""
        return self._connected and not self.pending_removals

    @property
    def pending_additions(self) -> int:
        """Gateways still to be added to FreeSWITCH, excluding those of rejected accounts."""
        return self._roster.pending_additions

    # Changes of accounts.

    def use_pool(self, pool: AccountPool) -> None:
        """Create gateways for the accounts of a new pool, or apply a changed pace."""
        self._wanted.pools[pool.policy.name] = pool
        self._planner.use_pool(pool.policy)

    def forget_pool(self, name: str) -> None:
        """Forget a pool whose accounts are all removed. Its pace stays, for the removal of its gateways."""
        del self._wanted.pools[name]

    def on_account_changed(self, line: Line) -> None:
        """Replace the gateway of a new or changed account by the one it needs now."""
        before, now = line.gateway, self._wanted.name_of(line)
        if before == now:
            return
        self._registrations.clear_refusal(line.id)
        line.set_registration(NOT_REGISTERED)
        self._wanted.withdraw(line)
        if now is not None and self._wanted.want(line, now).due is Due.REMOVE:
            # The account changed back before its old gateway was touched: only the switch knows that gateway's state.
            self._reconcile_due = True

    def on_account_removed(self, line: Line) -> None:
        """Withdraw the gateway of a removed account."""
        self._registrations.clear_refusal(line.id)
        self._wanted.withdraw(line)

    def register_again(self) -> int:
        """Make every account register again, because bindings may be stale. Returns the number of gateways."""
        self._planner.register_again(self._wanted.pools.values())
        return self._roster.in_switch

    def begin_shutdown(self, within_s: float) -> None:
        """Withdraw the gateways of the pools that unregister at shutdown; later steps remove them.

        Args:
            within_s: the time for removing all. A pool whose own pace is too slow gets a faster one.
        """
        self._wanted.begin_shutdown()
        self._planner.begin_shutdown(within_s)

    # Events of the switch.

    def reconcile(self) -> None:
        """Find out which gateways the switch has, after a connection or a start of a profile; yields to others.

        Raises:
            SwitchLost: the link was lost again; reconcile on the next one.
        """
        # The answer does not reflect a profile that starts from now on.
        self._reconcile_due = False
        try:
            if not self._connected:
                self.memory.recall()
            self._reconciliation.run()
        except BaseException:
            self._reconcile_due = True
            raise
        self._connected = True
        self._retry.succeeded()

    def disconnect(self) -> None:
        """Stop making changes until the link is back; the known state stays."""
        self._connected = False
        self._reconciliation.abandon()

    def on_gateway_event(self, event: SwitchGatewayEvent) -> None:
        """Record a gateway event."""
        self._reconciliation.note(event)
        if isinstance(event, GatewayDeleted) and self._roster.state(event.name).is_in_switch:
            self.memory.note_deleted()
        if missed := self._registrations.note(event):
            _log.info("gateway %s: FreeSWITCH missed the 200 OK; registering again", missed)
            self._switch.register_gateway(missed)

    def on_profile_started(self, started: ProfileStarted) -> None:
        """Reconcile in the next step: a profile that starts has none of the gateways from the spool."""
        _log.info("sofia profile %s started", started.name)
        self._reconcile_due = True
        self.memory.note_started(started.name)
        # While the profile was away, additions failed, and the next retry may be far off.
        self._retry.succeeded()

    # Steps.

    def step(self) -> bool:
        """Do what is due: remove, add and register again, within the paces of the pools.

        A failure is logged once and retried later, with growing pauses.

        Returns:
            Whether there is more to do at once: gateways that do not register have no pace.
        """
        now = self._clock.monotonic()
        if not self._connected or not self._retry.is_due(now):
            return False
        try:
            if self._reconcile_due:
                self.reconcile()
            self._confirm(now)
            self._registrations.retry_due(now)
            self.memory.step()
            changes = self._planner.take_due(now, knows_all=self._knows_all())
            self._carry_out(changes)
        except (SwitchLost, CommandRefused, OSError) as error:
            self._retry.failed(now)
            if self._retry.failures == 1:
                _log.error("cannot change gateways: %s", error)
            return False
        self._retry.succeeded()
        return bool(changes.add) and self._adds_without_pace()

    def _carry_out(self, changes: GatewayChanges) -> None:
        try:
            for name in changes.remove:
                self._switch.remove_gateway(name)
            for name in changes.register:
                self._switch.register_gateway(name)
            if changes.add:
                self._switch.add_gateways(changes.add)
        except BaseException:
            for gateway in changes.add:
                self._roster.note(gateway.name, GatewayEvent.NOT_ADDED)
            raise

    def _confirm(self, now: float) -> None:
        """Query the state of changes whose events are overdue."""
        if not any(self._roster.overdue(due, now) for due in (Due.CONFIRM_ADDED, Due.CONFIRM_REMOVED)):
            return
        up, down = self._switch.gateways()
        for name in self._roster.overdue(Due.CONFIRM_ADDED, now):
            if name in up or name in down:
                self._registrations.note(GatewayAdded(name))
            else:
                _log.error("FreeSWITCH did not add gateway %s (see its log); retrying", name)
            self._registrations.note_listed(name, is_up=name in up, is_down=name in down)
        for name in self._roster.overdue(Due.CONFIRM_REMOVED, now):
            if name in up or name in down:
                self._roster.note(name, GatewayEvent.LISTED)
            else:
                self.on_gateway_event(GatewayDeleted(name))

    def _adds_without_pace(self) -> bool:
        """Return whether gateways that do not register are waiting to be added."""
        pools = (self._wanted.pools[name] for name in self._roster.queues(Due.ADD))
        return any(not pool.policy.registration_required for pool in pools)

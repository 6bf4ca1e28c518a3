"""Accounts become gateways in FreeSWITCH, at the pace of their pools, and stay so. Commands to the switch.

Work goes one way: desired gateways minus present gateways → plan → commands → events → what is present. A step does
what is due now, and costs what it does, at any number of accounts; the events that follow say what became of it.
"""

from __future__ import annotations

import logging
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice

from sipbridge.core.account import AccountId
from sipbridge.core.account_pool import AccountPool, Line
from sipbridge.core.events import GatewayAdded, GatewayDeleted, GatewayStateChanged, ProfileStarted
from sipbridge.core.gateway import (
    GATEWAY_PREFIX,
    Gateway,
    GatewayName,
    Registration,
    RegistrationStatus,
    gateway_for,
    next_registration,
    plan_gateways,
)
from sipbridge.core.uri import SipUri
from sipbridge.ports import Clock, CommandRefused, Switch, SwitchLost
from sipbridge.services.pace import Backoff, Pace

_log = logging.getLogger(__name__)

_BATCH = 2_000
"""Gateways in one rescan at most: some 70 ms of FreeSWITCH's time."""
_RETRY_MIN_S = 1.0
_RETRY_MAX_S = 30.0
_NONE = Registration()
_REGISTERED = Registration(RegistrationStatus.REGISTERED)
_IN_PROGRESS = Registration(RegistrationStatus.IN_PROGRESS)


@dataclass(frozen=True, slots=True)
class RegistrarSettings:
    """How gateways are made.

    Attributes:
        expires_s: mean lifetime of a registration.
        max_registrations_per_s: for each pool, where its own interval is shorter: FreeSWITCH sends what is due in one
            burst a second, and a burst of thousands times out.
        confirm_timeout_s: how long the event that confirms a change may take before it is asked for.
    """

    expires_s: int
    max_registrations_per_s: int
    confirm_timeout_s: float


class Registrar:
    """Keeps one gateway per account in one switch.

    A desired gateway is missing, being added, or present; one that is present and not desired is surplus, being
    removed, or gone.
    """

    def __init__(self, switch: Switch, pools: Iterable[AccountPool], settings: RegistrarSettings, clock: Clock) -> None:
        self._switch = switch
        self._pools = {pool.policy.name: pool for pool in pools}
        self._settings = settings
        self._clock = clock
        self._salt = b""
        self._desired: dict[GatewayName, Gateway] = {}
        self._name_of: dict[AccountId, GatewayName] = {}
        self._present: set[GatewayName] = set()
        self._missing: dict[str, dict[GatewayName, Gateway]] = {name: {} for name in self._pools}
        self._surplus: dict[GatewayName, str] = {}
        # What was asked for and not confirmed yet, and until when to wait for that; in the order of asking.
        self._adding: dict[GatewayName, float] = {}
        self._removing: dict[GatewayName, float] = {}
        self._paces = {name: self._pace(pool.policy.registration_interval_ms) for name, pool in self._pools.items()}
        self._orphans_pace = self._pace(0)
        self._connected = False
        self._reconcile_due = False
        self._retry = Backoff(_RETRY_MIN_S, _RETRY_MAX_S)

    def gateway_of(self, account: AccountId) -> GatewayName | None:
        """The name of an account's gateway, while FreeSWITCH has it."""
        name = self._name_of.get(account)
        return name if name in self._present else None

    def account_behind(self, gateway: str) -> SipUri | None:
        """The URI of the account that a gateway was made for."""
        line = self._line(gateway)
        return line.account.uri if line else None

    @property
    def pending_removals(self) -> int:
        """Gateways that are there and should not be."""
        return len(self._surplus) + len(self._removing)

    def reconcile(self) -> None:
        """Find out which gateways the switch has, after a link is up or a profile has started.

        Raises:
            SwitchLost: the link broke again; the next one reconciles.
        """
        salt = self._switch.gateway_salt()
        if salt != self._salt:
            self._salt = salt
            self._desired = {gateway.name: gateway for gateway in self._make_gateways(salt)}
            self._name_of = {gateway.account_id: name for name, gateway in self._desired.items()}
        try:
            up, down = self._switch.gateways()
        except CommandRefused as error:
            _log.warning("the provider profile is not running: %s", error.reply.strip())
            up, down = set(), set()
        self._present = {GatewayName(name) for name in up | down if name.startswith(GATEWAY_PREFIX)}
        self._adding.clear()
        self._removing.clear()
        self._replan()
        for name, gateway in self._desired.items():
            status = _REGISTERED if name in up else _IN_PROGRESS if name in down else _NONE
            self._account_line(gateway).set_registration(status)
        self._connected = True
        self._reconcile_due = False
        self._retry.succeeded()
        _log.info("%d of %d gateways are in FreeSWITCH", len(self._present & self._desired.keys()), len(self._desired))

    def disconnect(self) -> None:
        """The link is lost: what is known stays as it is, and nothing is changed until it is back."""
        self._connected = False

    def on_gateway_state(self, changed: GatewayStateChanged) -> None:
        """Note where the registration of an account stands."""
        line = self._line(changed.name)
        if line is None:
            return
        before = line.registration
        after = next_registration(before, changed.state, changed.sip_status, changed.phrase)
        if after == before:
            return
        line.set_registration(after)
        if after.status is RegistrationStatus.FAILED:
            _log.warning("account %s cannot register: %s", line.account.uri, after.reason)
        elif before.status is RegistrationStatus.FAILED:
            _log.info("account %s: %s", line.account.uri, after.status.value)

    def on_gateway_added(self, added: GatewayAdded) -> None:
        """Note that FreeSWITCH took a gateway; one that does not register is ready with that."""
        name = GatewayName(added.name)
        if not name.startswith(GATEWAY_PREFIX):
            return
        self._adding.pop(name, None)
        self._present.add(name)
        gateway = self._desired.get(name)
        if gateway is None:
            self._surplus.setdefault(name, "")
        else:
            self._missing[gateway.pool].pop(name, None)
            self._account_line(gateway).set_registration(_IN_PROGRESS if gateway.register else _REGISTERED)

    def on_gateway_deleted(self, deleted: GatewayDeleted) -> None:
        """Note that a gateway is gone; a step adds it again if it should be there."""
        name = GatewayName(deleted.name)
        self._present.discard(name)
        self._surplus.pop(name, None)
        self._removing.pop(name, None)
        gateway = self._desired.get(name)
        if gateway is not None:
            self._missing[gateway.pool][name] = gateway
            self._account_line(gateway).set_registration(_NONE)

    def on_profile_started(self, started: ProfileStarted) -> None:
        """Have the next step ask what is left of the gateways: a profile that starts has none of the spool's."""
        _log.info("sofia profile %s has started", started.name)
        self._reconcile_due = True

    def step(self) -> None:
        """Do what is due: remove and add, at most as much as the pools' paces allow.

        A failure is logged once and tried again later, at growing intervals.
        """
        now = self._clock.monotonic()
        if not self._connected or not self._retry.is_due(now):
            return
        try:
            if self._reconcile_due:
                self.reconcile()
            self._confirm(now)
            self._remove(now)
            self._add(now)
        except (SwitchLost, CommandRefused, OSError) as error:
            if self._retry.failed(now) == 1:
                _log.error("gateways cannot be changed: %s", error)
        else:
            self._retry.succeeded()

    def begin_shutdown(self) -> None:
        """No longer want the gateways of the pools that unregister at shutdown; steps remove them."""
        for name, gateway in list(self._desired.items()):
            if self._pools[gateway.pool].policy.unregister_on_shutdown:
                del self._desired[name]
                if name in self._present:
                    self._surplus[name] = gateway.pool
        for missing in self._missing.values():
            missing.clear()

    def _replan(self) -> None:
        plan = plan_gateways(self._desired.values(), self._present)
        self._surplus = dict.fromkeys(plan.remove, "")
        for missing in self._missing.values():
            missing.clear()
        for gateway in plan.add:
            self._missing[gateway.pool][gateway.name] = gateway

    def _confirm(self, now: float) -> None:
        """Ask what became of changes whose events are overdue."""
        if not any(next(iter(waiting.values()), now + 1) <= now for waiting in (self._adding, self._removing)):
            return
        up, down = self._switch.gateways()
        present = up | down
        for name in _overdue(self._adding, now):
            if name in present:
                self.on_gateway_added(GatewayAdded(name))
            else:
                _log.error("FreeSWITCH did not take gateway %s: its log says why; trying again", name)
                self._give_up_adding([self._desired[name]] if name in self._desired else [])
        for name in _overdue(self._removing, now):
            if name in present:
                self._surplus[name] = ""
                del self._removing[name]
            else:
                self.on_gateway_deleted(GatewayDeleted(name))

    def _remove(self, now: float) -> None:
        for name, pool in list(islice(self._surplus.items(), _BATCH)):
            if self._paces.get(pool, self._orphans_pace).take(now):
                self._switch.remove_gateway(name)
                del self._surplus[name]
                self._removing[name] = now + self._settings.confirm_timeout_s

    def _add(self, now: float) -> None:
        # A gateway that replaces another is added after that one is gone: the old one's unREGISTER comes up to a second
        # later, and would take the new one's binding with it.
        leaving = {_stem(name) for name in chain(self._surplus, self._removing)}
        batch = [gateway for pool in self._missing for gateway in self._due(pool, leaving, now)]
        if not batch:
            return
        for gateway in batch:
            del self._missing[gateway.pool][gateway.name]
            self._adding[gateway.name] = now + self._settings.confirm_timeout_s
        try:
            self._switch.add_gateways(batch)
        except BaseException:
            self._give_up_adding(batch)
            raise

    def _due(self, pool: str, leaving: Container[str], now: float) -> Iterator[Gateway]:
        pace = self._paces[pool]
        for gateway in islice(self._missing[pool].values(), _BATCH):
            if gateway.register and not pace.take(now):
                return
            if _stem(gateway.name) not in leaving:
                yield gateway

    def _give_up_adding(self, gateways: Iterable[Gateway]) -> None:
        for gateway in gateways:
            if self._adding.pop(gateway.name, None) is not None:
                self._missing[gateway.pool][gateway.name] = gateway

    def _make_gateways(self, salt: bytes) -> Iterator[Gateway]:
        for pool in self._pools.values():
            for line in pool:
                yield gateway_for(line.id, line.account, pool.policy, salt, self._settings.expires_s)

    def _line(self, gateway_name: str) -> Line | None:
        gateway = self._desired.get(GatewayName(gateway_name))
        return self._account_line(gateway) if gateway else None

    def _account_line(self, gateway: Gateway) -> Line:
        line = self._pools[gateway.pool].get(gateway.account_id)
        if line is None:
            raise AssertionError(f"gateway {gateway.name} without an account")
        return line

    def _pace(self, interval_ms: int) -> Pace:
        return Pace(max(interval_ms / 1000, 1 / self._settings.max_registrations_per_s))


def _stem(name: GatewayName) -> str:
    """What the gateways of one account have in common, before and after it was changed."""
    return name.rpartition(".")[0]


def _overdue(waiting: dict[GatewayName, float], now: float) -> list[GatewayName]:
    return [name for name, until in waiting.items() if until <= now]

"""What the switch tells of gateways becomes where they and their accounts stand, and who has to wait. Logs."""

from __future__ import annotations

import logging
from typing import assert_never

from sipbridge.core.accounts.account import AccountId
from sipbridge.core.calls.events import GatewayAdded, GatewayDeleted, GatewayStateChanged
from sipbridge.core.gateways.gateway import GATEWAY_PREFIX, GatewayName
from sipbridge.core.gateways.registration import REFUSED_STATUSES, RegistrationStatus
from sipbridge.core.pools.account_pool import Line
from sipbridge.ports import Clock
from sipbridge.services.gateways.desired_gateways import DesiredGateways
from sipbridge.services.gateways.gateway_changes import GatewayChanges
from sipbridge.services.gateways.refused_accounts import RefusedAccounts

_log = logging.getLogger(__name__)

GatewayEvent = GatewayStateChanged | GatewayAdded | GatewayDeleted
"""What the switch tells about one gateway."""


class GatewayStates:
    """Notes what becomes of gateways; an account whose credentials are refused is taken out for a while."""

    def __init__(self, desired: DesiredGateways, changes: GatewayChanges, clock: Clock) -> None:
        self._desired = desired
        self._changes = changes
        self._clock = clock
        self._refused = RefusedAccounts()
        # Accepted by their registrars a moment ago.
        self._accepted: set[GatewayName] = set()

    def note(self, event: GatewayEvent) -> None:
        """Note it where it changes something; harmless when it was told before."""
        match event:
            case GatewayStateChanged():
                self._note_state(event)
            case GatewayAdded():
                self._note_added(GatewayName(event.name))
            case GatewayDeleted():
                self._note_deleted(GatewayName(event.name))
            case unknown:
                assert_never(unknown)

    def is_overtaken(self, event: GatewayEvent) -> bool:
        """Whether FreeSWITCH has forgotten that a registration was accepted; told each event, in order.

        It notes that it has sent a REGISTER after it has done so. When the answer is quicker than that, it goes on to
        wait for one, and that for a minute. Source: mod_sofia, sofia_reg_check_gateway.
        """
        if not isinstance(event, GatewayStateChanged):
            return False
        name = GatewayName(event.name)
        if event.state == "REGISTER":
            self._accepted.add(name)
            return False
        was_accepted = name in self._accepted
        self._accepted.discard(name)
        return was_accepted and event.state == "TRYING"

    def miss(self, line: Line) -> None:
        """The gateway of a line is not there: a step adds it, unless its account has to wait."""
        if line.gateway is not None and line.id not in self._refused:
            self._changes.miss(line.gateway, line.pool.policy.name)

    def forgive(self, account: AccountId) -> None:
        """Let an account try at once: it has other credentials now, or is gone."""
        self._refused.forgive(account)

    def forgive_due(self, now: float) -> None:
        """Let refused accounts try again whose time has come."""
        for account in self._refused.take_due(now):
            line = self._desired.line_of(account)
            if line is not None and line.gateway is not None and not self._changes.is_present(line.gateway):
                self.miss(line)

    def next_try_s(self, account: AccountId) -> float | None:
        """Seconds until a refused account may try again; None for one that does not wait."""
        at = self._refused.next_try(account)
        return None if at is None else max(0.0, at - self._clock.monotonic())

    def _note_state(self, changed: GatewayStateChanged) -> None:
        """A registration went on; one that was refused ends for a while."""
        name = GatewayName(changed.name)
        if changed.state == "DOWN":
            self._changes.note_unregistered(name)
        known = self._desired.line(name)
        if known is not None and known.id in self._refused and changed.state != "REGED":
            # It is on its way out; why it was refused is what matters until it tries again.
            return
        now = self._clock.monotonic()
        line = self._desired.note_state(changed, now)
        if line is None:
            return
        if line.registration.status is RegistrationStatus.REGISTERED:
            self._refused.forgive(line.id)
        elif line.registration.status is RegistrationStatus.FAILED and changed.sip_status in REFUSED_STATUSES:
            pause = self._refused.refuse(line.id, now)
            _log.warning("account %s was refused and tries again in %d min", line.account.uri, pause / 60)
            self._changes.remove(name, line.pool.policy.name)

    def _note_added(self, name: GatewayName) -> None:
        """FreeSWITCH took a gateway."""
        if not name.startswith(GATEWAY_PREFIX):
            return
        self._changes.note_added(name)
        line = self._desired.line(name)
        if line is not None:
            self._desired.note_added(line)

    def _note_deleted(self, name: GatewayName) -> None:
        """A gateway is gone; a step adds it again if it should be there."""
        self._changes.note_deleted(name)
        line = self._desired.line(name)
        if line is not None:
            self._desired.note_deleted(line)
            self.miss(line)

"""Records what FreeSWITCH reports about gateways, and pauses accounts whose credentials were rejected. Logs."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import assert_never

from sipbridge.core.accounts.account import AccountId
from sipbridge.core.calls.events import GatewayAdded, GatewayDeleted, GatewayStateChanged
from sipbridge.core.gateways.gateway import GATEWAY_PREFIX, GatewayName
from sipbridge.core.gateways.gateway_life import GatewayEvent, Wish
from sipbridge.core.gateways.refusals import Refusals
from sipbridge.core.gateways.registration import (
    ADDED,
    DELETED,
    LISTED_DOWN,
    LISTED_UP,
    NOT_LISTED,
    READY,
    REFUSED_STATUSES,
    RegistrationStatus,
    next_registration,
)
from sipbridge.core.pools.account_pool import Line
from sipbridge.ports import Clock
from sipbridge.services.gateways.gateway_roster import GatewayRoster

_log = logging.getLogger(__name__)

SwitchGatewayEvent = GatewayStateChanged | GatewayAdded | GatewayDeleted
"""What the switch reports about one gateway."""


class Registrations:
    """Keeps the registration of every line, and when rejected accounts may retry.

    Args:
        line_of: returns the line of an account; None if it was removed.
    """

    def __init__(self, roster: GatewayRoster, clock: Clock, line_of: Callable[[AccountId], Line | None]) -> None:
        self._roster = roster
        self._clock = clock
        self._line_of = line_of
        self._refusals = Refusals()
        # Gateways that their registrars accepted a moment ago.
        self._accepted: set[GatewayName] = set()

    def note(self, event: SwitchGatewayEvent) -> GatewayName | None:
        """Record an event; idempotent.

        Returns:
            The gateway that must register again, because FreeSWITCH missed the 200 OK.
        """
        name = GatewayName(event.name)
        match event:
            case GatewayStateChanged():
                self._note_state(name, event)
                return name if self._is_overtaken(name, event.state) else None
            case GatewayAdded():
                self._note_added(name)
            case GatewayDeleted():
                self._roster.note(name, GatewayEvent.GONE)
                if line := self._roster.line(name):
                    self._set(line, DELETED)
            case unknown:
                assert_never(unknown)
        return None

    def note_listed(self, name: GatewayName, *, is_up: bool, is_down: bool) -> None:
        """Record whether FreeSWITCH lists a gateway as up, as down, or not at all."""
        self._roster.note(name, GatewayEvent.LISTED if is_up or is_down else GatewayEvent.GONE)
        if line := self._roster.line(name):
            self._set(line, LISTED_UP if is_up else LISTED_DOWN if is_down else NOT_LISTED)

    def is_backing_off(self, account: AccountId) -> bool:
        """Return whether an account was rejected and may not retry yet."""
        return account in self._refusals

    def clear_refusal(self, account: AccountId) -> None:
        """Let an account retry at once, because it has new credentials or was removed."""
        self._refusals.clear(account)

    def retry_due(self, now: float) -> None:
        """Let rejected accounts retry whose pause is over."""
        for account in self._refusals.take_due(now):
            line = self._line_of(account)
            if line is not None and line.gateway is not None:
                self._roster.note(line.gateway, GatewayEvent.RETRY)

    def next_try_s(self, account: AccountId) -> float | None:
        """Seconds until a refused account may try again; None for one that does not wait."""
        at = self._refusals.next_try(account)
        return None if at is None else max(0.0, at - self._clock.monotonic())

    def _note_state(self, name: GatewayName, changed: GatewayStateChanged) -> None:
        if changed.state == "DOWN":
            self._roster.note(name, GatewayEvent.SENT_UNREGISTER)
        line = self._roster.line(name)
        if line is None:
            return
        backs_off = self._roster.state(name).wish is Wish.BACKING_OFF
        if backs_off and changed.state != "REGED":
            # The gateway is leaving; keep the reason of the rejection until the account retries.
            return
        before = line.registration
        after = next_registration(before, changed.state, changed.sip_status, changed.phrase, self._clock.monotonic())
        if after == before:
            return
        line.set_registration(after)
        self._log(line, before.status)
        if after.status is RegistrationStatus.REGISTERED:
            self._refusals.clear(line.id)
            self._roster.note(name, GatewayEvent.RETRY)
        elif after.status is RegistrationStatus.FAILED and changed.sip_status in REFUSED_STATUSES:
            pause_s = self._refusals.refuse(line.id, self._clock.monotonic())
            _log.warning("account %s was rejected; retrying in %d min", line.account.uri, pause_s / 60)
            self._roster.note(name, GatewayEvent.REFUSE)

    def _is_overtaken(self, name: GatewayName, state: str) -> bool:
        """Remember accepted gateways, and return whether FreeSWITCH missed the acceptance of one.

        FreeSWITCH sets TRYING after sending a REGISTER. If the reply arrives first, TRYING overwrites it, and the
        gateway waits a minute. Source: mod_sofia, sofia_reg_check_gateway.
        """
        if state == "REGISTER":
            self._accepted.add(name)
            return False
        was_accepted = name in self._accepted
        self._accepted.discard(name)
        return was_accepted and state == "TRYING"

    def _note_added(self, name: GatewayName) -> None:
        if not name.startswith(GATEWAY_PREFIX):
            return
        self._roster.note(name, GatewayEvent.ADDED)
        if line := self._roster.line(name):
            self._set(line, ADDED if line.pool.policy.registration_required else READY)

    def _set(self, line: Line, signal: str) -> None:
        line.set_registration(next_registration(line.registration, signal))

    def _log(self, line: Line, before: RegistrationStatus) -> None:
        after = line.registration
        if after.status is RegistrationStatus.FAILED:
            _log.warning("account %s cannot register: %s", line.account.uri, after.reason)
        elif before is RegistrationStatus.FAILED:
            _log.info("account %s: %s", line.account.uri, after.status.value)

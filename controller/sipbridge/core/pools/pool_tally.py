"""Keeps the totals of a pool up to date, so that nothing has to count a hundred thousand lines. Pure."""

from __future__ import annotations

from collections import Counter
from typing import Generic, Protocol, TypeVar

from sipbridge.core.accounts.account import AccountId
from sipbridge.core.gateways.registration import Registration, RegistrationStatus


class Counted(Protocol):
    """What the tally needs of a line."""

    id: AccountId
    registration: Registration
    is_drained: bool


LineT = TypeVar("LineT", bound=Counted)


class PoolTally(Generic[LineT]):
    """The counts of one pool. Only the pool and its lines change them.

    Attributes:
        calls: calls in progress, including those of removed accounts.
        registrations: accounts by registration status.
        failed: the accounts that cannot register, longest failing first.
        failures: failing accounts by reason.
        drained: the accounts that an operator has drained.
    """

    __slots__ = ("calls", "drained", "failed", "failures", "registrations")

    def __init__(self) -> None:
        self.calls = 0
        self.registrations = dict.fromkeys(RegistrationStatus, 0)
        self.failed: dict[AccountId, LineT] = {}
        self.failures: Counter[str] = Counter()
        self.drained: dict[AccountId, LineT] = {}

    def add(self, line: LineT) -> None:
        """Add a new account."""
        self._enter(line, line.registration)
        self.set_drained(line, line.is_drained)

    def remove(self, line: LineT) -> None:
        """Remove an account; its calls still count."""
        self._leave(line, line.registration)
        self.drained.pop(line.id, None)

    def change(self, line: LineT, registration: Registration) -> None:
        """Update the registration of an account."""
        self._leave(line, line.registration, stays_failed=registration.status is RegistrationStatus.FAILED)
        self._enter(line, registration)

    def set_drained(self, line: LineT, is_drained: bool) -> None:
        """Add an account to the drained ones, or remove it."""
        if is_drained:
            self.drained[line.id] = line
        else:
            self.drained.pop(line.id, None)

    def _enter(self, line: LineT, registration: Registration) -> None:
        self.registrations[registration.status] += 1
        if registration.status is RegistrationStatus.FAILED:
            self.failed[line.id] = line
            self.failures[registration.reason] += 1

    def _leave(self, line: LineT, registration: Registration, *, stays_failed: bool = False) -> None:
        self.registrations[registration.status] -= 1
        if registration.status is not RegistrationStatus.FAILED:
            return
        if not stays_failed:
            del self.failed[line.id]
        self.failures[registration.reason] -= 1
        if not self.failures[registration.reason]:
            del self.failures[registration.reason]

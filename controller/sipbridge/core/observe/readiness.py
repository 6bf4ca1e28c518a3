"""Determines whether the daemon can accept calls, and if not, why. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sipbridge.core.gateways.registration import RegistrationStatus
from sipbridge.core.pools.account_pool import AccountPool


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition for readiness.

    Attributes:
        name: for machines, such as ``event_socket``.
        detail: its state, for people.
    """

    name: str
    holds: bool
    detail: str


@dataclass(frozen=True, slots=True)
class Readiness:
    """All conditions."""

    conditions: Sequence[Condition]

    @property
    def is_ready(self) -> bool:
        """Whether all conditions hold."""
        return all(condition.holds for condition in self.conditions)


def registered_condition(pools: Iterable[AccountPool], least_percent: float) -> Condition:
    """Return whether enough accounts are registered; true if no account has to register."""
    required = [pool for pool in pools if pool.policy.registration_required]
    accounts = sum(len(pool) for pool in required)
    registered = sum(pool.tally.registrations[RegistrationStatus.REGISTERED] for pool in required)
    detail = f"{registered} of {accounts} accounts registered, {least_percent:g} % required"
    return Condition("registered", 100 * registered >= least_percent * accounts, detail)


def loaded_condition(not_loaded: Sequence[str]) -> Condition:
    """Return whether every pool has been loaded.

    Args:
        not_loaded: the pools whose database has not been read completely yet.
    """
    detail = f"not loaded yet: {', '.join(not_loaded)}" if not_loaded else "all pools are loaded"
    return Condition("accounts_loaded", not not_loaded, detail)

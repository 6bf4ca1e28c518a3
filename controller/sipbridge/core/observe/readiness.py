"""Facts about the daemon become the answer to whether it can take calls, and why not. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sipbridge.core.gateways.registration import RegistrationStatus
from sipbridge.core.pools.account_pool import AccountPool


@dataclass(frozen=True, slots=True)
class Condition:
    """Something without which the bridge is not ready.

    Attributes:
        name: for machines: ``event_socket``.
        detail: for people: how it stands.
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
        """Whether all of them hold."""
        return all(condition.holds for condition in self.conditions)


def registered_condition(pools: Iterable[AccountPool], least_percent: float) -> Condition:
    """Whether enough of the accounts that have to register are registered; without such accounts they are."""
    required = [pool for pool in pools if pool.policy.registration_required]
    accounts = sum(len(pool) for pool in required)
    registered = sum(pool.tally.registrations[RegistrationStatus.REGISTERED] for pool in required)
    detail = f"{registered} of {accounts} accounts registered, {least_percent:g} % required"
    return Condition("registered", 100 * registered >= least_percent * accounts, detail)


def loaded_condition(not_loaded: Sequence[str]) -> Condition:
    """Whether every pool has its accounts.

    Args:
        not_loaded: the pools whose database has not been read to its end yet.
    """
    detail = f"not loaded yet: {', '.join(not_loaded)}" if not_loaded else "all pools are loaded"
    return Condition("accounts_loaded", not not_loaded, detail)

"""The state of the bridge becomes what is told of it: SIP_BRIDGE INFO of the specification, and counts. Pure."""

from __future__ import annotations

from collections import Counter
from typing import Any

from sipbridge.core.account_pool import AccountPool, Line
from sipbridge.core.gateway import RegistrationStatus
from sipbridge.core.routing import RoutingTable
from sipbridge.services.account_sync import SyncState


def bridge_info(table: RoutingTable) -> dict[str, Any]:
    """The providers in order, each with the accounts of its pool.

    Returns:
        ``{"providers": [{"accounts": [{"address": "sip:…", "freeSlots": 3, …}], "name": "…"}]}``
    """
    return {
        "providers": [
            {"accounts": [_account_info(line) for line in table.pools[provider.account_pool]], "name": provider.name}
            for provider in table.providers
        ]
    }


def _account_info(line: Line) -> dict[str, Any]:
    if line.is_usable:
        return {
            "address": line.account.uri.text,
            "freeSlots": line.free_slots,
            "registerEnabled": line.pool.policy.registration_required,
            "status": RegistrationStatus.REGISTERED.value,
        }
    registration = line.registration
    status = registration.status.value
    return {
        "address": line.account.uri.text,
        "status": f"{status}: {registration.reason}" if registration.reason else status,
    }


def pool_status(pool: AccountPool, sync: SyncState | None) -> dict[str, Any]:
    """How a pool is doing, in counts.

    Args:
        sync: how it gets on with its database; None for a pool whose accounts are in the file.

    Returns:
        ``{"accounts": 3, "available": 2, "registrations": {"OK": 2, "Registration failed": 1}, "calls": 5, …}``
    """
    registrations = Counter(line.registration.status.value for line in pool)
    told: dict[str, Any] = {
        "accounts": len(pool),
        "available": pool.available_count,
        "registrations": dict(sorted(registrations.items())),
        "calls": sum(line.calls for line in pool),
    }
    if sync is not None:
        told["source"] = {"status": sync.status.value, "skippedRows": sync.skipped, "problem": sync.problem}
    return told

"""Formats the state of all accounts as the specification's SIP_BRIDGE INFO. Pure."""

from __future__ import annotations

from typing import Any

from sipbridge.core.calls.routing import RoutingTable
from sipbridge.core.gateways.registration import RegistrationStatus
from sipbridge.core.pools.account_pool import Line


def bridge_info(table: RoutingTable) -> dict[str, Any]:
    """Return the providers in order, each with the accounts of its pool.

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
    # An account that need not register waits for its gateway. SIP_BRIDGE INFO has no word for that, and "Should
    # register" would be wrong.
    waits = not line.pool.policy.registration_required
    status = (RegistrationStatus.IN_PROGRESS if waits else registration.status).value
    return {
        "address": line.account.uri.text,
        "status": f"{status}: {registration.reason}" if registration.reason else status,
    }

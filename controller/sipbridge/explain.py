"""A call that nobody makes is decided by the live decision code, and the decision told step by step. Pure.

Nothing runs, so every account counts as registered and free: what is explained is the file, not the moment.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

from sipbridge.config.load import BridgeConfig
from sipbridge.config.routing_table import routing_table
from sipbridge.core.call import CallRequest
from sipbridge.core.dial_string import format_dial_string
from sipbridge.core.gateway import GatewayName, Registration, RegistrationStatus, gateway_stem
from sipbridge.core.routing import Bridge, DeclineReason, MediaDefaults, TraceStep, Verdict, route

_REGISTERED = Registration(RegistrationStatus.REGISTERED)


def explain(
    config: BridgeConfig,
    call: CallRequest,
    media: MediaDefaults,
    status_lines: Mapping[DeclineReason, str],
    sofia_profile: str,
) -> dict[str, Any]:
    """Decide a call and tell how.

    Returns:
        ``decision`` (``bridge`` or ``decline``), ``provider``, ``account``, ``request_uri``, ``to``, ``from``,
        ``next_hop``, ``dial_string``, ``sip_status`` (of a decline) and ``trace``; what does not apply is None.
    """
    table = routing_table(config, media)
    for pool in table.pools.values():
        for line in pool:
            line.set_registration(_REGISTERED)
    decision = route(call, table, secrets.randbelow)
    told: dict[str, Any] = {
        "decision": "bridge" if isinstance(decision, Bridge) else "decline",
        "provider": decision.provider.name if decision.provider else None,
        "account": decision.line.account.uri.text if decision.line else None,
        "request_uri": None,
        "to": None,
        "from": None,
        "next_hop": None,
        "dial_string": None,
        "sip_status": None,
        "trace": [_step(step) for step in decision.trace],
    }
    if isinstance(decision, Bridge):
        # In FreeSWITCH a keyed hash follows; the key is FreeSWITCH's.
        gateway = GatewayName(f"{gateway_stem(decision.line.account)}.*")
        told |= {
            "request_uri": decision.to.uri.text,
            "to": str(decision.to),
            "from": str(decision.from_),
            "next_hop": decision.next_hop.text,
            "dial_string": format_dial_string(decision, gateway, sofia_profile),
        }
    else:
        told["sip_status"] = status_lines[decision.reason]
        if decision.provider is None:
            told["trace"].append({"provider": None, "verdict": decision.detail, "detail": ""})
    return told


def _step(step: TraceStep) -> dict[str, Any]:
    detail = step.detail
    if step.verdict in (Verdict.NO_ACCOUNT, Verdict.BRIDGE) and detail:
        detail = f"looked for {detail}"
    return {"provider": step.provider, "verdict": step.verdict.value, "detail": detail}

"""Explains how the live decision code would decide a hypothetical call, step by step. Pure.

Also explains which accounts of a file go through the edge. Nothing is running, so every account counts as registered
and free: the explanation is about the file, not about the current state.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from sipbridge.core.bridge_config import BridgeConfig, PoolConfig
from sipbridge.core.calls.dial_string import format_dial_string, sent_address
from sipbridge.core.calls.routing import Bridge, DeclineReason, MediaDefaults, TraceStep, Verdict, route
from sipbridge.core.calls.routing_table import routing_table
from sipbridge.core.gateways.gateway import GatewayName, gateway_stem
from sipbridge.core.gateways.registration import Registration, RegistrationStatus
from sipbridge.core.providers.edge import Edge, edge_reason
from sipbridge.core.providers.media import media_offer
from sipbridge.core.providers.provider import SqlLoader
from sipbridge.core.sip.call import CallRequest

_OWN_MEDIA = "the provider needs media that FreeSWITCH alone cannot offer"
_REGISTERED = Registration(RegistrationStatus.REGISTERED)


def explain(
    config: BridgeConfig,
    call: CallRequest,
    media: MediaDefaults,
    status_lines: Mapping[DeclineReason, str],
    sofia_profile: str,
) -> dict[str, Any]:
    """Decide a call and explain the decision.

    Returns:
        ``decision`` (``bridge`` or ``decline``), ``provider``, ``account``, ``request_uri``, ``to``, ``from``,
        ``next_hop``, ``path`` (``direct`` or ``edge``), ``path_reason``, ``dial_string``, ``sip_status`` (of a decline)
        and ``trace``; values that do not apply are None.
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
        "path": None,
        "path_reason": None,
        "dial_string": None,
        "sip_status": None,
        "trace": [_step(step) for step in decision.trace],
    }
    if isinstance(decision, Bridge):
        # In FreeSWITCH, a keyed hash follows; the key is stored in FreeSWITCH.
        gateway = GatewayName(f"{gateway_stem(decision.line.account)}.*")
        told |= {
            "request_uri": decision.to.uri.text,
            "to": sent_address(decision.to),
            "from": sent_address(decision.from_),
            "next_hop": decision.next_hop.text,
            "path": "direct" if decision.edge is None else "edge",
            "path_reason": _path_reason(decision),
            "dial_string": format_dial_string(decision, gateway, sofia_profile),
        }
    else:
        told["sip_status"] = status_lines[decision.reason]
        if decision.provider is None:
            told["trace"].append({"provider": None, "verdict": decision.detail, "detail": ""})
    return told


def explain_edge(config: BridgeConfig, media: MediaDefaults) -> Iterator[str]:
    """Yield which accounts and calls of a providers file go through the edge, and why; nothing if none do."""
    for name, pool in config.pools.items():
        if pool.policy.edge is not None:
            for what, why in _through_edge(pool, pool.policy.edge):
                yield f"pool {name}: {what} through the edge{why and ': '}{why}"
    for provider in config.providers:
        invite = provider.outgoing_invite
        offer = media_offer(*media.fill_in(invite.media_encryption, invite.enable_avpf), has_edge=True)
        has_edge = config.pools[provider.account_pool].policy.edge is not None
        if has_edge and offer is not None and offer.edge and invite.outbound_proxy is not None:
            yield f"provider {provider.name}: calls through the edge: {_OWN_MEDIA}"


def _through_edge(pool: PoolConfig, edge: Edge) -> Iterator[tuple[str, str]]:
    """Yield which accounts of a pool go through the edge, and why, if that is not obvious."""
    if isinstance(pool.loader, SqlLoader):
        yield ("accounts go", edge.takes_all.value) if edge.takes_all else ("accounts with a digest hash go", "")
        return
    for reason, count in Counter(edge_reason(account, edge) for account in pool.loader).items():
        if reason is not None:
            all_ = len(pool.loader)
            yield f"{count} of {all_} account{'' if all_ == 1 else 's'}", reason.value


def _path_reason(bridge: Bridge) -> str | None:
    if bridge.edge is None:
        return None
    reason = edge_reason(bridge.line.account, bridge.line.pool.policy.edge) if bridge.uses_gateway else None
    return reason.value if reason else _OWN_MEDIA


def _step(step: TraceStep) -> dict[str, Any]:
    detail = step.detail
    if step.verdict in (Verdict.NO_ACCOUNT, Verdict.BRIDGE) and detail:
        detail = f"looked for {detail}"
    return {"provider": step.provider, "verdict": step.verdict.value, "detail": detail}

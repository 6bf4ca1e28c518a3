"""Formats a decision as JSON-able values, with the addresses as on the wire. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sipbridge.core.calls.dial_string import sent_address
from sipbridge.core.calls.routing import Bridge, Decision, Decline, DeclineReason, TraceStep, Verdict
from sipbridge.core.providers.edge import edge_reason
from sipbridge.core.sip.call import Side
from sipbridge.explain.paths import OWN_MEDIA

Told = dict[str, Any]
"""``decision`` (``bridge``, ``decline`` or ``unknown``), ``basis`` (the basis of the decision), ``side``, ``provider``,
``account``, ``request_uri``, ``to``, ``from``, ``next_hop``, ``path`` (``direct`` or ``edge``), ``path_reason``,
``dial_string``, ``sip_status`` (of a decline), ``needs`` (what would tell the unknown) and ``trace``; what does not
apply is None."""

_NOTHING: Told = dict.fromkeys(
    [
        "provider",
        "account",
        "request_uri",
        "to",
        "from",
        "next_hop",
        "path",
        "path_reason",
        "dial_string",
        "sip_status",
        "needs",
    ]
)


def tell(
    decision: Decision, dial_string: str, status_lines: Mapping[DeclineReason, str], basis: str, side: Side | None
) -> Told:
    """Format a decision.

    Args:
        dial_string: the dial string of a bridge.
        status_lines: the response for each decline reason.
        basis: what the decision is based on, for people.
        side: the side from which the call arrives; None if it makes no difference.
    """
    told: Told = {"decision": "bridge" if isinstance(decision, Bridge) else "decline", "basis": basis}
    told |= {"side": side.value if side else None} | _NOTHING
    told["provider"] = decision.provider.name if decision.provider else None
    told["account"] = decision.line.account.uri.text if decision.line else None
    told["trace"] = trace_of(decision.trace)
    if isinstance(decision, Bridge):
        told |= {
            "request_uri": decision.to.uri.text,
            "to": sent_address(decision.to),
            "from": sent_address(decision.from_),
            "next_hop": decision.next_hop.text,
            "path": "direct" if decision.edge is None else "edge",
            "path_reason": _path_reason(decision),
            "dial_string": dial_string,
        }
        return told
    return told | _declined(decision, status_lines, told["trace"])


def tell_unknown(needs: str, basis: str, trace: list[dict[str, Any]], side: Side | None = None) -> Told:
    """Format an unknown decision, because something was not looked up.

    Args:
        needs: what would be needed to decide.
    """
    told: Told = {"decision": "unknown", "basis": basis, "side": side.value if side else None} | _NOTHING
    return told | {"needs": needs, "trace": trace}


def trace_of(trace: tuple[TraceStep, ...]) -> list[dict[str, Any]]:
    """Format the steps of a decision, one per provider."""
    return [_step(step) for step in trace]


def _declined(decline: Decline, status_lines: Mapping[DeclineReason, str], trace: list[dict[str, Any]]) -> Told:
    if decline.provider is None:
        trace.append({"provider": None, "verdict": decline.detail, "detail": ""})
    return {"sip_status": status_lines[decline.reason], "trace": trace}


def _path_reason(bridge: Bridge) -> str | None:
    if bridge.edge is None:
        return None
    reason = edge_reason(bridge.line.account, bridge.line.pool.policy.edge) if bridge.uses_gateway else None
    return reason.value if reason else OWN_MEDIA


def _step(step: TraceStep) -> dict[str, Any]:
    detail = step.detail
    if step.verdict in (Verdict.NO_ACCOUNT, Verdict.BRIDGE) and detail:
        detail = f"looked for {detail}"
    return {"provider": step.provider, "verdict": step.verdict.value, "detail": detail}

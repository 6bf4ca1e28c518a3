"""Explains a call whose side may not be known: both sides must lead to the same decision. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from sipbridge.core.providers.provider import Provider
from sipbridge.core.sip.call import Side
from sipbridge.explain.told import Told, tell_unknown


def explain_side(side: Side | None, providers: Iterable[Provider], explain: Callable[[Side], Told]) -> Told:
    """Explain a call from a side, or from either if it is None.

    Args:
        providers: those that may take the call.
        explain: explains the call as one from a side.
    """
    if side is not None:
        return explain(side)
    inside = explain(Side.INSIDE)
    if any(provider.side for provider in providers):
        outside = explain(Side.PROVIDERS)
        if _outcome(inside) != _outcome(outside):
            needs = f"--side: {inside['decision']} from the inside, {outside['decision']} from providers"
            return tell_unknown(needs, inside["basis"], inside["trace"])
    return inside | {"side": None}


def _outcome(told: Told) -> tuple[Any, ...]:
    """What makes a decision another one, apart from a random account."""
    return told["decision"], told["provider"], told["to"], told["next_hop"]

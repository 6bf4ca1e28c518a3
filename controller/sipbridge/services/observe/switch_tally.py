"""Counts switch events and passes them on. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from sipbridge.core.calls.events import (
    CallEnded,
    CallParked,
    GatewayAdded,
    GatewayDeleted,
    GatewayStateChanged,
    Heartbeat,
    ProfileStarted,
    SwitchEvent,
)
from sipbridge.core.gateways.registration import NO_ANSWER_STATUSES, REFUSED_STATUSES
from sipbridge.core.observe import metrics
from sipbridge.core.observe.metric import Metric
from sipbridge.ports import SwitchListener

_KINDS: dict[type[SwitchEvent], str] = {
    CallParked: "call_parked",
    CallEnded: "call_ended",
    GatewayStateChanged: "gateway_state",
    GatewayAdded: "gateway_added",
    GatewayDeleted: "gateway_deleted",
    ProfileStarted: "profile_started",
    Heartbeat: "heartbeat",
}
_RESULTS = ("sent", "accepted", "refused", "no_answer", "failed")


class SwitchTally:
    """A switch listener that counts events and passes them on.

    Args:
        listener: receives all events.
    """

    def __init__(self, listener: SwitchListener) -> None:
        self._listener = listener
        self._events = dict.fromkeys(_KINDS, 0)
        self._registrations: Counter[str] = Counter(dict.fromkeys(_RESULTS, 0))
        self._connections = 0
        self._losses = 0

    def on_switch_up(self) -> None:
        """Count a connection."""
        self._connections += 1
        self._listener.on_switch_up()

    def on_switch_down(self, reason: str) -> None:
        """Count a loss."""
        self._losses += 1
        self._listener.on_switch_down(reason)

    def on_switch_event(self, event: SwitchEvent) -> None:
        """Count an event, and the result of a REGISTER."""
        self._events[type(event)] += 1
        if isinstance(event, GatewayStateChanged) and (result := _result(event)):
            self._registrations[result] += 1
        self._listener.on_switch_event(event)

    def metrics(self) -> Iterator[Metric]:
        """All of it."""
        yield metrics.CONNECTIONS.one(self._connections)
        yield metrics.LOSSES.one(self._losses)
        yield metrics.EVENTS.of({(name,): self._events[kind] for kind, name in _KINDS.items()})
        yield metrics.REGISTRATIONS.of({(result,): count for result, count in self._registrations.items()})


def _result(changed: GatewayStateChanged) -> str | None:
    """Return the result of a REGISTER that a gateway state shows; None if nothing new. Source: sofia_reg.c."""
    match changed.state:
        case "TRYING":
            return "sent"
        case "REGISTER":
            return "accepted"
        case "TIMEOUT":
            return "no_answer"
        case "FAILED" if changed.sip_status in REFUSED_STATUSES:
            return "refused"
        case "FAILED" if changed.sip_status in NO_ANSWER_STATUSES:
            return "no_answer"
        case "FAILED" if changed.sip_status:
            return "failed"
        case _:
            # A FAILED without a status follows a TIMEOUT, which was counted.
            return None

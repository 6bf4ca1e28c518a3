"""A listener that records what a switch reports, and waits for more."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from contract_world import eventually

from sipbridge.core.calls.events import SwitchEvent

_E = TypeVar("_E", bound=SwitchEvent)


class Listener:
    """Notes what the switch tells."""

    def __init__(self) -> None:
        self.ups = 0
        self.downs: list[str] = []
        self.events: list[SwitchEvent] = []

    def on_switch_up(self) -> None:
        self.ups += 1

    def on_switch_down(self, reason: str) -> None:
        self.downs.append(reason)

    def on_switch_event(self, event: SwitchEvent) -> None:
        self.events.append(event)

    def of(self, kind: type[_E]) -> list[_E]:
        """The events of one kind so far."""
        return [event for event in self.events if isinstance(event, kind)]

    def wait_for(self, kind: type[_E], is_wanted: Callable[[_E], bool] = lambda _: True, timeout_s: float = 10) -> _E:
        """The first event of a kind that is wanted, as soon as it is there."""
        return eventually(f"a wanted {kind.__name__}", lambda: next(filter(is_wanted, self.of(kind)), None), timeout_s)

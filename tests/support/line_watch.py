"""What must hold of every line after whatever happens, held against the simulator, which knows the calls."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from sipbridge.app import App
from sipbridge.core.account import AccountId
from sipbridge.core.account_pool import AccountPool, Line
from sipbridge.core.dial_string import ACCOUNT_VARIABLE
from sipbridge.core.events import CallEnded, SwitchEvent
from sipbridge.services.dispatch import Dispatch
from sipbridge.services.registrar import Registrar
from sipbridge.simulator import CallState, SimulatedCall

_TALKING = (CallState.CALLING, CallState.ANSWERED)


class LineWatch:
    """Looks at every line after each event of the switch, each reconciliation and each change of an account.

    The controller hears of a call a moment later than it happens. So a line has to count every call that talks, and all
    lines together count no more than those and the ones that are under way: parked and not bridged yet, or ended and
    not told of yet. When none is, that leaves no room.

    Args:
        monkeypatch: lets the services tell; nothing of what they do is changed. To be made before they are.

    Attributes:
        checks: how often all lines were looked at.
        exact_checks: how often no call was under way.
        came_back: how many accounts came back while they still had calls.
        reconciliations: how often the controller found out what it had missed.
        violations: what was wrong, the first things of it; a check runs where an exception would be caught.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.checks = 0
        self.exact_checks = 0
        self.came_back = 0
        self.reconciliations = 0
        self.violations: list[str] = []
        self._app: App | None = None
        self._calls: dict[str, SimulatedCall] = {}
        # Removed from the pool, and still with calls.
        self._removed: dict[AccountId, Line] = {}
        _after(monkeypatch, Dispatch, "on_switch_event", self._on_switch_event)
        _after(monkeypatch, Registrar, "on_account_changed", self._on_account_changed)
        _after(monkeypatch, Registrar, "on_account_removed", self._on_account_removed)
        self._watch_reconciliations(monkeypatch)

    def __str__(self) -> str:
        return (
            f"{self.checks} checks, {self.exact_checks} of them exact, {self.reconciliations} reconciliations, "
            f"{self.came_back} accounts came back to their calls"
        )

    def begin(self, app: App, calls: dict[str, SimulatedCall]) -> None:
        """Watch the only pool of `app`.

        Args:
            calls: by their UUIDs. Who places one puts it there; it is taken out when the controller knows of its end.
        """
        self._app = app
        self._calls = calls

    def check(self) -> None:
        """Hold every line against the calls that there are."""
        if self._app is None:
            return
        self.checks += 1
        (pool,) = self._app.table.pools.values()
        talking, under_way = self._count_calls()
        self.exact_checks += not under_way
        for line in pool:
            self._check_line(line, talking[line.id])
            expected = line.is_usable and line.calls < pool.policy.max_calls_per_line
            self._expect(line.is_available == expected, "%s is available: %s", line, line.is_available)
        for line in self._removed.values():
            self._check_line(line, talking[line.id])
            self._expect(not line.is_available, "%s is removed and available", line)
        self._check_sums(pool, talking.total(), under_way)
        self._removed = {id_: line for id_, line in self._removed.items() if line.calls}

    def _check_line(self, line: Line, talking: int) -> None:
        limit = line.pool.policy.max_calls_per_line
        self._expect(line.calls >= talking, "%s, and %d talk", line, talking)
        self._expect(line.calls <= limit, "%s has more calls than %d", line, limit)
        self._expect(line.free_slots + line.calls == limit, "%s has %d free", line, line.free_slots)

    def _check_sums(self, pool: AccountPool, talking: int, under_way: int) -> None:
        assert self._app is not None
        used = sum(line.calls for line in (*pool, *self._removed.values()))
        held = self._app.calls_in_progress
        self._expect(used == held, "%d lines are taken by %d calls", used, held)
        is_right = talking <= used <= talking + under_way
        self._expect(is_right, "%d lines are taken, %d calls talk, %d are under way", used, talking, under_way)
        available = sum(line.is_available for line in pool)
        self._expect(pool.available_count == available, "%d of %d available", pool.available_count, available)

    def _count_calls(self) -> tuple[Counter[str], int]:
        """How many calls talk with each account, and how many are under way."""
        talking = Counter(
            call.channel.get(ACCOUNT_VARIABLE) or "" for call in self._calls.values() if call.state in _TALKING
        )
        return talking, len(self._calls) - talking.total()

    def _expect(self, is_so: bool, otherwise: str, *values: object) -> None:
        if not is_so and len(self.violations) < 10:
            self.violations.append(otherwise % values)

    def _on_switch_event(self, event: SwitchEvent) -> None:
        if isinstance(event, CallEnded):
            self._calls.pop(event.channel_uuid, None)
        self.check()

    def _on_account_changed(self, line: Line) -> None:
        before = self._removed.pop(line.id, None)
        self._expect(before is None or before is line, "%s came back without its calls", before)
        self.came_back += before is not None
        self.check()

    def _on_account_removed(self, line: Line) -> None:
        self._removed[line.id] = line
        self.check()

    def _watch_reconciliations(self, monkeypatch: pytest.MonkeyPatch) -> None:
        original = Dispatch.on_switch_up

        def reconcile(dispatch: Dispatch) -> None:
            ended = [uuid for uuid, call in self._calls.items() if call.state is CallState.ENDED]
            original(dispatch)
            for uuid in ended:
                self._calls.pop(uuid, None)
            self.reconciliations += 1
            self.check()

        monkeypatch.setattr(Dispatch, "on_switch_up", reconcile)


def _after(monkeypatch: pytest.MonkeyPatch, service: type, name: str, tell: Callable[[Any], None]) -> None:
    """Have `tell` told what a method of `service` was told, each time it has done its work."""
    original = getattr(service, name)

    def told(self: object, what: Any) -> None:
        original(self, what)
        tell(what)

    monkeypatch.setattr(service, name, told)

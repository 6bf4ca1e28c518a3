"""Checks the invariants of every line against the simulator, which knows the calls."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from sipbridge.core.accounts.account import AccountId
from sipbridge.core.calls.dial_string import ACCOUNT_VARIABLE
from sipbridge.core.calls.events import CallEnded, CallParked, SwitchEvent
from sipbridge.core.pools.account_pool import AccountPool, Line
from sipbridge.daemon.app import App
from sipbridge.services.gateways.gateway_keeper import GatewayKeeper
from sipbridge.services.switch_session import SwitchSession
from sipbridge.simulator import CallState, SimulatedCall

_TALKING = (CallState.CALLING, CallState.ANSWERED)


class LineWatch:
    """Looks at every line after each event of the switch, each reconciliation and each change of an account.

    The controller hears of a call a moment later than it happens. So a line has to count every call that talks, and all
    lines together count no more than those and the ones that are under way: the controller heard of them, and they are
    not bridged yet, or have ended and it does not know yet. When none is, that leaves no room.

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
        self._heard_of: set[str] = set()
        # Removed from the pool, and still with calls.
        self._removed: dict[AccountId, Line] = {}
        _after(monkeypatch, SwitchSession, "on_switch_event", self._on_switch_event)
        _after(monkeypatch, GatewayKeeper, "on_account_changed", self._on_account_changed)
        _after(monkeypatch, GatewayKeeper, "on_account_removed", self._on_account_removed)
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
        limit = pool.policy.max_calls_per_line
        for line in (*pool, *self._removed.values()):
            calls = line.calls
            if not (talking[line.id] <= calls <= limit and line.free_slots == limit - calls):
                self._note("%d calls talk, %d lines are free: %s", talking[line.id], line.free_slots, line)
            may_be_taken = calls < limit and line.is_usable and line.id not in self._removed
            if line.is_available != may_be_taken:
                self._note("available: %s, removed: %s, %s", line.is_available, line.id in self._removed, line)
        self._check_sums(pool, talking.total(), under_way)
        self._removed = {id_: line for id_, line in self._removed.items() if line.calls}

    def _check_sums(self, pool: AccountPool, talking: int, under_way: int) -> None:
        assert self._app is not None
        used = sum(line.calls for line in (*pool, *self._removed.values()))
        if used != (held := self._app.calls_in_progress):
            self._note("%d lines are taken by %d calls", used, held)
        if not talking <= used <= talking + under_way:
            self._note("%d lines are taken, %d calls talk, %d are under way", used, talking, under_way)
        if pool.available_count != (available := sum(line.is_available for line in pool)):
            self._note("%d of %d available", pool.available_count, available)

    def _count_calls(self) -> tuple[Counter[str], int]:
        """How many calls talk with each account, and how many are under way."""
        talking: Counter[str] = Counter()
        under_way = 0
        for uuid, call in self._calls.items():
            if call.state in _TALKING:
                talking[call.channel.get(ACCOUNT_VARIABLE) or ""] += 1
            else:
                under_way += uuid in self._heard_of
        return talking, under_way

    def _note(self, violation: str, *values: object) -> None:
        if len(self.violations) < 10:
            self.violations.append(violation % values)

    def _on_switch_event(self, event: SwitchEvent) -> None:
        if isinstance(event, CallParked):
            self._heard_of.add(event.channel_uuid)
        elif isinstance(event, CallEnded):
            self._forget(event.channel_uuid)
        self.check()

    def _forget(self, uuid: str) -> None:
        self._calls.pop(uuid, None)
        self._heard_of.discard(uuid)

    def _on_account_changed(self, line: Line) -> None:
        before = self._removed.pop(line.id, None)
        if before is not None and before is not line:
            self._note("came back without its calls: %s", before)
        self.came_back += before is not None
        self.check()

    def _on_account_removed(self, line: Line) -> None:
        self._removed[line.id] = line
        self.check()

    def _watch_reconciliations(self, monkeypatch: pytest.MonkeyPatch) -> None:
        original = SwitchSession.on_switch_up

        def reconcile(session: SwitchSession) -> None:
            ended = [uuid for uuid, call in self._calls.items() if call.state is CallState.ENDED]
            original(session)
            for uuid in ended:
                self._forget(uuid)
            self.reconciliations += 1
            self.check()

        monkeypatch.setattr(SwitchSession, "on_switch_up", reconcile)


def _after(monkeypatch: pytest.MonkeyPatch, service: type, name: str, tell: Callable[[Any], None]) -> None:
    """Have `tell` told what a method of `service` was told, each time it has done its work."""
    original = getattr(service, name)

    def told(self: object, what: Any) -> None:
        original(self, what)
        tell(what)

    monkeypatch.setattr(service, name, told)

"""Schedules commands: ``sched_api`` and ``sched_del``. Uses timers."""

from __future__ import annotations

from collections.abc import Callable

from sipbridge.simulator.clock import Clock, Timer


class Schedule:
    """Scheduled commands by id, each in a group."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._last_id = 0
        self._tasks: dict[int, tuple[str, Timer]] = {}

    def add(self, delay_s: float, group: str, action: Callable[[], object]) -> int:
        """Run `action` in `delay_s` simulated seconds; returns the id of the task."""
        self._last_id += 1
        task_id = self._last_id

        def run() -> None:
            self._tasks.pop(task_id, None)
            action()

        self._tasks[task_id] = (group, self._clock.after(delay_s, run))
        return task_id

    def remove(self, id_or_group: str) -> int:
        """Remove one task or a whole group; return how many were removed."""
        if id_or_group.isdigit():
            found = [task_id for task_id in self._tasks if task_id == int(id_or_group)]
        else:
            found = [task_id for task_id, (group, _) in self._tasks.items() if group == id_or_group]
        for task_id in found:
            self._tasks.pop(task_id)[1].cancel()
        return len(found)

"""Starts every greenlet that the daemon runs, and has the daemon stop when one of them fails."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeAlias

import gevent

_log = logging.getLogger(__name__)

_MORE_AT_ONCE_S = 0.01
"""Pause after a step that leaves more to do at once: others run, and events are read."""

Task: TypeAlias = "gevent.Greenlet[..., None]"


class Supervisor:
    """Knows all greenlets of the daemon, but for those that a connection starts and ends by itself.

    Args:
        on_failed: called when a greenlet ended with an exception, which is a defect.
    """

    def __init__(self, on_failed: Callable[[], None]) -> None:
        self._on_failed = on_failed
        self._running: set[Task] = set()
        self._failure: BaseException | None = None

    @property
    def has_failed(self) -> bool:
        """Whether any greenlet ended with an exception."""
        return self._failure is not None

    def spawn(self, run: Callable[..., None], *arguments: object) -> Task:
        """Run something that goes on by itself."""
        greenlet = gevent.spawn(run, *arguments)
        self._running.add(greenlet)
        greenlet.link_value(self._running.discard)
        greenlet.link_exception(self._note_failure)
        return greenlet

    def spawn_steps(self, step: Callable[[], bool | None], every_s: float) -> Task:
        """Do steps for ever, with a pause after each.

        Args:
            step: returns True where more is to be done at once.
        """
        return self.spawn(_keep_stepping, step, every_s)

    def stop(self, greenlet: Task) -> None:
        """End a greenlet, wherever it waits."""
        self._running.discard(greenlet)
        greenlet.kill()

    def stop_all(self) -> None:
        """End all that still run.

        Raises:
            Exception: what one of them ended with before.
        """
        gevent.killall(list(self._running))
        self._running.clear()
        if self._failure is not None:
            raise self._failure

    def _note_failure(self, greenlet: Task) -> None:
        self._running.discard(greenlet)
        # Better to stop, in order, and be started again by systemd than to continue degraded.
        _log.critical("stopping: %r failed", greenlet)
        self._failure = self._failure or greenlet.exception
        self._on_failed()


def _keep_stepping(step: Callable[[], bool | None], every_s: float) -> None:
    while True:
        more = step()
        gevent.sleep(_MORE_AT_ONCE_S if more else every_s)

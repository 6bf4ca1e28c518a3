"""Asks the SIP profiles with OPTIONS, again and again, and notices when one answers too late or not at all.

The Event Socket answers promptly while FreeSWITCH reads one huge SIP message for seconds: only SIP tells how SIP is.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence

from sipbridge.ports import Clock, CommandRefused, SofiaProfiles, SwitchLost

_log = logging.getLogger(__name__)

INTERVAL_S = 2.0
LIMIT_S = 2.0
"""An answer takes milliseconds, and tens of them under load. A caller sends its INVITE again after 0.5 s."""

AnswerTime = Callable[[str, int, float], float | None]


class SipHealth:
    """How the profiles answer.

    Args:
        names: the profiles that are asked.
        answer_time_s: asks an address and port; gives the seconds until the answer, None without one.
        is_connected: whether the Event Socket is; nothing is asked while it is not.
    """

    def __init__(
        self,
        profiles: SofiaProfiles,
        names: Sequence[str],
        answer_time_s: AnswerTime,
        clock: Clock,
        is_connected: Callable[[], bool],
    ) -> None:
        self._profiles = profiles
        self._names = names
        self._answer_time_s = answer_time_s
        self._clock = clock
        self._is_connected = is_connected
        self._ports: dict[str, tuple[str, int]] = {}
        self._answers_s: dict[str, float | None] = {}
        self._due_at = 0.0

    @property
    def answers_s(self) -> Mapping[str, float | None]:
        """Seconds that the last answer of each profile took; None if it came too late or not at all."""
        return self._answers_s

    @property
    def problem(self) -> str:
        """Which profiles do not answer in time; empty when all do."""
        silent = [name for name, took_s in self._answers_s.items() if took_s is None]
        return f"no answer to OPTIONS within {LIMIT_S:g} s on: {', '.join(silent)}" if silent else ""

    def step(self) -> None:
        """Ask the profiles when it is time to; waits for their answers."""
        now = self._clock.monotonic()
        if now < self._due_at:
            return
        self._due_at = now + INTERVAL_S
        if not self._is_connected():
            self._ports.clear()
            self._answers_s.clear()
            return
        for name in self._names:
            self._ask(name)

    def _ask(self, name: str) -> None:
        try:
            port = self._ports.get(name) or self._profiles.udp_port(name)
        except (SwitchLost, CommandRefused):
            return
        if port is None:
            # It does not run, which others notice, or does not take UDP.
            self._answers_s.pop(name, None)
            return
        self._ports[name] = port
        took_s = self._answer_time_s(*port, LIMIT_S)
        if took_s is None:
            # It may have another address by now.
            self._ports.pop(name)
        if (took_s is None) != (self._answers_s.get(name, 0.0) is None):
            if took_s is None:
                _log.warning("profile %s does not answer OPTIONS within %g s: not ready", name, LIMIT_S)
            else:
                _log.warning("profile %s answers OPTIONS again", name)
        self._answers_s[name] = took_s

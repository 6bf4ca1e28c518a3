"""Matches replies to waiting commands; FreeSWITCH replies in the order of the commands. Reads the clock."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from sipbridge.adapters.event_socket.command_tally import CommandTally
from sipbridge.ports import NotSent, SwitchLost, Unconfirmed

_log = logging.getLogger(__name__)


class Reply(NamedTuple):
    """The answer to a command: ``+OK accepted``, or the output of an ``api``."""

    text: str

    @property
    def is_error(self) -> bool:
        """Whether FreeSWITCH refused the command."""
        return self.text.startswith("-ERR") or self.text.startswith("-USAGE")


OnReply = Callable[[Reply | SwitchLost], None]


class _Command(NamedTuple):
    on_reply: OnReply
    is_api: bool
    timeout_s: float
    since: float


class Unanswered:
    """The commands of one connection without a reply yet, oldest first.

    Args:
        where: the far side, for messages.
        timeout_s: longest wait for a reply, unless the command sets its own.
        tally: counts the commands.
    """

    def __init__(self, where: str, timeout_s: float, tally: CommandTally) -> None:
        self._where = where
        self._timeout_s = timeout_s
        self._tally = tally
        self._commands: deque[_Command] = deque()
        self._last_reply_at = 0.0

    def __len__(self) -> int:
        return len(self._commands)

    def add(self, on_reply: OnReply, timeout_s: float | None, *, is_api: bool) -> None:
        """Expect one more reply; ``api`` is answered with another kind of frame than other commands."""
        now = time.monotonic()
        if not self._commands:
            self._last_reply_at = now
        self._commands.append(_Command(on_reply, is_api, timeout_s or self._timeout_s, now))

    def overdue_s(self) -> float | None:
        """Return the timeout of the oldest command if it has passed since it was sent or its predecessor was answered.

        FreeSWITCH answers in order, so only the oldest command can be overdue.
        """
        if not self._commands or time.monotonic() - self._last_reply_at <= self._commands[0].timeout_s:
            return None
        return self._commands[0].timeout_s

    def expects(self, *, is_api: bool) -> bool:
        """Return whether a reply of this kind can belong to the oldest command.

        If not, a reply was lost, and every later reply would be matched to the wrong command.
        """
        return bool(self._commands) and self._commands[0].is_api is is_api

    def answer(self, text: str) -> None:
        """Pass a reply to the oldest command.

        Raises:
            IndexError: no command is waiting.
        """
        command, reply = self._commands.popleft(), Reply(text)
        self._last_reply_at = time.monotonic()
        self._tally.note(self._last_reply_at - command.since, is_error=reply.is_error)
        self._tell(command, reply)

    def lose(self, reason: str, unsent: int) -> None:
        """Fail all waiting commands.

        Args:
            unsent: how many of the newest commands were never sent.
        """
        waiting = list(self._commands)
        self._commands.clear()
        self._tally.lost += len(waiting)
        for index, command in enumerate(waiting):
            kind = NotSent if index >= len(waiting) - unsent else Unconfirmed
            self._tell(command, kind(f"{self._where}: {reason}"))

    def _tell(self, command: _Command, outcome: Reply | SwitchLost) -> None:
        try:
            command.on_reply(outcome)
        except Exception:  # noqa: BLE001 - one reply that cannot be handled must not affect the others
            _log.exception("handling reply %r from %s failed", outcome, self._where)

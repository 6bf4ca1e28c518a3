"""Commands that wait for their replies, which FreeSWITCH sends in the order of the commands. Reads the clock."""

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
    """The answer to a command: ``+OK accepted``, or whatever an ``api`` printed."""

    text: str

    @property
    def is_error(self) -> bool:
        """Whether FreeSWITCH refused."""
        return self.text.startswith("-ERR") or self.text.startswith("-USAGE")


OnReply = Callable[[Reply | SwitchLost], None]


class _Command(NamedTuple):
    on_reply: OnReply
    is_api: bool
    timeout_s: float
    since: float


class Unanswered:
    """The commands of one connection that have no reply yet, oldest first.

    Args:
        where: the far side, for messages.
        timeout_s: longest silence before a reply, where the command says nothing else.
        tally: where commands are counted.
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
        """Wait for one more reply; to ``api`` it is another frame than to all else."""
        now = time.monotonic()
        if not self._commands:
            self._last_reply_at = now
        self._commands.append(_Command(on_reply, is_api, timeout_s or self._timeout_s, now))

    def overdue_s(self) -> float | None:
        """How long the oldest command was given, if that is over: since it was sent, or the one before was answered.

        FreeSWITCH answers in order, so only the oldest can be overdue.
        """
        if not self._commands or time.monotonic() - self._last_reply_at <= self._commands[0].timeout_s:
            return None
        return self._commands[0].timeout_s

    def expects(self, *, is_api: bool) -> bool:
        """Whether the oldest command is one that a reply of this kind can belong to.

        When it is not, a reply was lost: from then on each would be taken for that to the command before.
        """
        return bool(self._commands) and self._commands[0].is_api is is_api

    def answer(self, text: str) -> None:
        """Give a reply to the oldest.

        Raises:
            IndexError: there is none.
        """
        command, reply = self._commands.popleft(), Reply(text)
        self._last_reply_at = time.monotonic()
        self._tally.note(self._last_reply_at - command.since, is_error=reply.is_error)
        self._tell(command, reply)

    def lose(self, reason: str, unsent: int) -> None:
        """Tell all of them that there will be no reply.

        Args:
            unsent: how many, of the newest, never left.
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
        except Exception:  # noqa: BLE001 - nor must one reply that we fail at
            _log.exception("handling the reply %r of %s failed", outcome, self._where)

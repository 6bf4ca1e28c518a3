"""Keeps the lease, by which FreeSWITCH accepts calls for a few more seconds after each renewal. Sends commands.

The dialplan checks the lease variable. When the lease ends, the SIP stack is paused too, so that it answers 503 to
OPTIONS as well, which proxies use to choose where to send calls. Source: mod_sofia, sofia_event_callback.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from typing import Protocol

from sipbridge.adapters.event_socket.unanswered import OnReply, Reply
from sipbridge.ports import SwitchLost

_log = logging.getLogger(__name__)

LEASE_VARIABLE = "sipbridge_lease"
PAUSE, RESUME = "fsctl pause inbound", "fsctl resume inbound"


class Commands(Protocol):
    """A connection that accepts commands."""

    def post(self, command: str, on_reply: OnReply) -> None:
        """Send a command without waiting."""


class Lease:
    """The lease of one FreeSWITCH.

    Args:
        lease_s: seconds for which FreeSWITCH accepts calls after `renew`.
    """

    def __init__(self, lease_s: int) -> None:
        self._lease_s = lease_s
        self._is_leaving = False

    def renew(self, commands: Commands) -> None:
        """Extend the lease, unless FreeSWITCH is waiting for its calls to end before it shuts down.

        In that case the lease is ended: ``fsctl shutdown elegant`` would never finish while new calls arrive, and
        resuming would undo half of ``asap``.
        """

        def on_reply(reply: Reply | SwitchLost) -> None:
            if isinstance(reply, Reply):
                self._note(is_leaving=reply.text.strip() == "true")
                if self._is_leaving:
                    self.end(commands)

        # The lease commands do not wait for the answer, so that they keep their order with later commands.
        commands.post("api fsctl shutdown_check", on_reply)
        if not self._is_leaving:
            self._post(commands, self._extend())

    def end(self, commands: Commands) -> None:
        """End the lease at once."""
        self._post(commands, (f"sched_del {LEASE_VARIABLE}", f"global_setvar {LEASE_VARIABLE}=false", PAUSE))

    def _extend(self) -> Iterator[str]:
        """Yield the commands that cancel the scheduled end and schedule a new one."""
        yield f"global_setvar {LEASE_VARIABLE}=true"
        yield RESUME
        yield f"sched_del {LEASE_VARIABLE}"
        for end in (f"global_setvar {LEASE_VARIABLE}=false", PAUSE):
            yield f"sched_api +{self._lease_s} {LEASE_VARIABLE} {end}"

    def _post(self, commands: Commands, wishes: Iterable[str]) -> None:
        for wish in wishes:
            commands.post(f"api {wish}", _ignore)

    def _note(self, *, is_leaving: bool) -> None:
        if is_leaving and not self._is_leaving:
            _log.warning("FreeSWITCH shutdown pending: no new calls")
        elif self._is_leaving and not is_leaving:
            _log.warning("FreeSWITCH shutdown cancelled: accepting calls")
        self._is_leaving = is_leaving


def _ignore(reply: Reply | SwitchLost) -> None:
    """Ignore the reply: the commands are repeated every few seconds."""

"""The lease: FreeSWITCH takes calls for some seconds more, each time that it is asked to. Commands to FreeSWITCH.

The variable is what the dialplan looks at. The SIP stack is paused along with it: it then answers 503 to OPTIONS as
well, by which a proxy finds out where to send calls. Source: mod_sofia, sofia_event_callback.
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
    """A connection that takes commands."""

    def post(self, command: str, on_reply: OnReply) -> None:
        """Send a command without waiting."""


class Lease:
    """The lease of one FreeSWITCH.

    Args:
        lease_s: seconds for which it takes calls after `renew`.
    """

    def __init__(self, lease_s: int) -> None:
        self._lease_s = lease_s
        self._is_leaving = False

    def renew(self, commands: Commands) -> None:
        """Put the end of the lease off, unless FreeSWITCH is to end as soon as its calls are over.

        Then the lease is taken back: ``fsctl shutdown elegant`` would not end while calls come, and resuming would undo
        half of ``asap``.
        """

        def on_reply(reply: Reply | SwitchLost) -> None:
            if isinstance(reply, Reply):
                self._note(is_leaving=reply.text.strip() == "true")
                if self._is_leaving:
                    self.end(commands)

        # Nothing of the lease waits for the answer: what was asked for later must not be overtaken.
        commands.post("api fsctl shutdown_check", on_reply)
        if not self._is_leaving:
            self._post(commands, self._extend())

    def end(self, commands: Commands) -> None:
        """Take the lease back at once."""
        self._post(commands, (f"sched_del {LEASE_VARIABLE}", f"global_setvar {LEASE_VARIABLE}=false", PAUSE))

    def _extend(self) -> Iterator[str]:
        """The old end is taken back and a new one scheduled."""
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
            _log.warning("FreeSWITCH is to shut down when its calls are over: it takes no new ones")
        elif self._is_leaving and not is_leaving:
            _log.warning("FreeSWITCH is not to shut down any more: it takes calls again")
        self._is_leaving = is_leaving


def _ignore(reply: Reply | SwitchLost) -> None:
    """All of it is wanted anew every few seconds."""

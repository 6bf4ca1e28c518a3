"""The claim: which controller this FreeSWITCH belongs to. Two would make every call twice. Commands to FreeSWITCH.

A global variable of FreeSWITCH names the controller. It is set only where it is free, which FreeSWITCH does in one step
(``global_setvar NAME=NEW=OLD``), and a timer in FreeSWITCH frees it unless the controller renews the claim.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable

from sipbridge.adapters.event_socket.lease import Commands
from sipbridge.adapters.event_socket.unanswered import Reply
from sipbridge.adapters.process_identity import is_running, own_identity, pid_in
from sipbridge.ports import SwitchLost, SwitchTaken

_log = logging.getLogger(__name__)

CLAIM_VARIABLE = "sipbridge_controller"
CLAIM_EVENT = "sipbridge::controller"
"""Subclass of the CUSTOM event that a takeover sends, so that the other controller need not wait for its next look."""
_FREE = "free"
_MARGIN_S = 1.0
Api = Callable[[str], str]


class Claim:
    """The claim of this process on one FreeSWITCH.

    Args:
        lease_s: seconds after which the claim of a controller that no longer renews it is free.
        takes_over: whether the first `take` puts another controller out.

    Attributes:
        owner: the name of this controller, as FreeSWITCH keeps it.
    """

    def __init__(self, lease_s: int, *, takes_over: bool = False) -> None:
        self.owner = f"{own_identity()}.{secrets.token_hex(8)}"
        self._lease_s = lease_s
        self._takes_over = takes_over
        self._waits_for: tuple[str, float] | None = None
        self._holds_until = float("-inf")

    @property
    def holds(self) -> bool:
        """Whether no other controller can have taken this FreeSWITCH without being asked to.

        After a pause of this process as long as the lease, it may have: the events that were waiting are its own then.
        """
        return time.monotonic() < self._holds_until

    def take(self, api: Api) -> bool:
        """Take this FreeSWITCH, or keep it.

        Returns:
            Whether a controller that may still run was put out, and has to be told.

        Raises:
            SwitchTaken: another controller lives.
            SwitchLost: another controller may live; it is told by the next calls of this within the lease.
        """
        began = time.monotonic()
        before = self._current(api)
        is_other, puts_out = self.is_other(before), False
        if is_other and is_running(_process(before)) is False:
            self._replace(api, before)
        elif is_other and self._takes_over:
            _log.warning("taking FreeSWITCH over from another controller pid=%s", _pid(before))
            self._replace(api, before)
            puts_out = True
        elif not is_other and before != _FREE:
            # FreeSWITCH has just started; or it is ours.
            self._set(api)
        self._replace(api, _FREE)
        if self.is_other(now := self._current(api)):
            self._refuse(now)
        self._takes_over, self._waits_for = False, None
        self._holds_until = began + self._lease_s
        for command in self._extend():
            api(command)
        return puts_out

    def keep(self, commands: Commands, on_taken: Callable[[SwitchTaken], None]) -> None:
        """Renew the claim without waiting; `on_taken` is called if another controller has taken this FreeSWITCH."""

        def on_reply(reply: Reply | SwitchLost) -> None:
            if isinstance(reply, SwitchLost):
                return
            if reply.text.strip() == self.owner:
                self._holds_until = began + self._lease_s
            elif self.is_other(reply.text.strip()):
                on_taken(SwitchTaken(_TAKEN.format(pid=_pid(reply.text))))
            else:
                # Somebody has deleted it: the next renewal finds it ours.
                commands.post(f"api global_setvar {CLAIM_VARIABLE}={self.owner}", _ignore)

        began = time.monotonic()
        # It is free after this process was stopped for longer than the lease.
        commands.post(f"api global_setvar {CLAIM_VARIABLE}={self.owner}={_FREE}", _ignore)
        commands.post(f"api global_getvar {CLAIM_VARIABLE}", on_reply)
        for command in self._extend():
            commands.post(f"api {command}", _ignore)

    def release(self, commands: Commands) -> None:
        """Let the next controller have this FreeSWITCH at once."""
        commands.post(f"api sched_del {self._timer}", _ignore)
        commands.post(f"api global_setvar {CLAIM_VARIABLE}={_FREE}={self.owner}", _ignore)

    def is_other(self, owner: str) -> bool:
        """Whether this is the name of another controller."""
        return _is_owner(owner) and owner != self.owner

    @property
    def _timer(self) -> str:
        """The group of the scheduled command: our own, so that the timer of another controller stays."""
        return f"{CLAIM_VARIABLE}.{self.owner}"

    def _extend(self) -> tuple[str, ...]:
        end = f"global_setvar {CLAIM_VARIABLE}={_FREE}={self.owner}"
        return f"sched_del {self._timer}", f"sched_api +{self._lease_s} {self._timer} {end}"

    def _set(self, api: Api) -> None:
        api(f"global_setvar {CLAIM_VARIABLE}={self.owner}")

    def _replace(self, api: Api, owner: str) -> None:
        api(f"global_setvar {CLAIM_VARIABLE}={self.owner}={owner}")

    def _current(self, api: Api) -> str:
        return api(f"global_getvar {CLAIM_VARIABLE}").strip()

    def _refuse(self, other: str) -> None:
        now = time.monotonic()
        if self._waits_for is None or self._waits_for[0] != other:
            self._waits_for = other, now
        left_s = self._waits_for[1] + self._lease_s + _MARGIN_S - now
        if left_s > 0 and is_running(_process(other)) is None:
            raise SwitchLost(
                f"another controller (PID {_pid(other)} elsewhere) has it, alive or not; its claim ends within "
                f"{left_s:.0f} s unless it is renewed"
            )
        raise SwitchTaken(_OTHER.format(pid=_pid(other)))


_OTHER = (
    "another controller (PID {pid}) has this FreeSWITCH, and two would make every call twice; "
    "stop that one, or take over with `sipbridge run --take-over`"
)
_TAKEN = "another controller (PID {pid}) has taken this FreeSWITCH over"


def _is_owner(text: str) -> bool:
    return len(_process(text)) > 1 and text.count(".") == 1


def _process(owner: str) -> str:
    return owner.partition(".")[0] if "." in owner else ""


def _pid(owner: str) -> str:
    return pid_in(_process(owner))


def _ignore(reply: Reply | SwitchLost) -> None:
    """The next renewal repeats it."""

"""Callers from all accounts, present or not, who call all the time; what became of their calls is counted. I/O: SIP."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from random import Random

from soak.far_side import ANSWERS, REJECTS, RINGS, callee_uri
from support.sip_message import SipMessage, sdp
from support.sip_peer import SipPeer

OUR_DOMAIN = "flexisip.example.org"
_CALLS_PER_PEER = 40
_WHAT_BECOMES_OF_CALLS = (ANSWERS,) * 8 + (REJECTS, RINGS)
_PATIENCE_S = 60.0


class Callers:
    """Some callers, each with one call at a time.

    Args:
        to: ``ip:port`` where they call.

    Attributes:
        statuses: final statuses of all calls; 0 for a call that got none.
        carried: when the last call was begun that was answered, by user.
        favoured: those whose calls somebody waits for.
    """

    def __init__(self, count: int, users: Sequence[str], to: str, random: Random) -> None:
        self.statuses: Counter[int] = Counter()
        self.carried: dict[str, float] = {}
        self.favoured: Sequence[str] = ()
        self._users = users
        self._to = to
        self._random = random
        self._stopping = threading.Event()
        self._threads = [threading.Thread(target=self._call_all_the_time, daemon=True) for _ in range(count)]

    def start(self) -> None:
        """Call."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Hang up, and call no more."""
        self._stopping.set()
        for thread in self._threads:
            thread.join(_PATIENCE_S)

    def _call_all_the_time(self) -> None:
        while not self._stopping.is_set():
            # A peer keeps all that it has received.
            with SipPeer() as caller:
                for _ in range(_CALLS_PER_PEER):
                    if self._stopping.is_set():
                        return
                    self._call(caller)

    def _call(self, caller: SipPeer) -> None:
        began = time.monotonic()
        user = self._random.choice(self.favoured or self._users)
        fate = self._random.choice(_WHAT_BECOMES_OF_CALLS)
        uri = callee_uri(fate, began, OUR_DOMAIN)
        invite = caller.new_request("INVITE", uri, from_=f"<sip:{user}@{OUR_DOMAIN}>", to=f"<{uri}>", body=sdp())
        answer = self._ring_and_give_up(caller, invite) if fate == RINGS else self._ask(caller, invite)
        self.statuses[answer.status if answer else 0] += 1
        if answer is None:
            self._send(caller, caller.within_dialog("CANCEL", invite, invite))
            self._stopping.wait(0.2)
            return
        caller.send(caller.within_dialog("ACK", invite, answer), self._to)
        if answer.status != 200:
            self._stopping.wait(0.1)
            return
        self.carried[user] = max(self.carried.get(user, 0.0), began)
        self._stopping.wait(self._random.uniform(0.05, 1.0))
        self._ask(caller, caller.within_dialog("BYE", invite, answer, cseq=2))

    def _ring_and_give_up(self, caller: SipPeer, invite: SipMessage) -> SipMessage | None:
        """Let it ring for a moment, if it does; the final response, which may be any."""
        self._send(caller, invite)
        with contextlib.suppress(TimeoutError):  # FreeSWITCH is away, or the far side is
            said = caller.wait_for(_is_response_to(invite), timeout_s=2.0)
            if said.status >= 200:
                return said
        self._stopping.wait(self._random.uniform(0.0, 0.3))
        self._ask(caller, caller.within_dialog("CANCEL", invite, invite))
        return self._final(caller, invite, 4.0)

    def _ask(self, caller: SipPeer, request: SipMessage) -> SipMessage | None:
        """Send a request, a few times if need be; its final response, or None."""
        for timeout_s in (1.0, 2.0, 4.0):
            self._send(caller, request)
            if final := self._final(caller, request, timeout_s):
                return final
        return None

    def _final(self, caller: SipPeer, request: SipMessage, timeout_s: float) -> SipMessage | None:
        try:
            return caller.final_response(request, timeout_s=timeout_s)
        except TimeoutError:  # FreeSWITCH is away, or starts
            return None

    def _send(self, caller: SipPeer, request: SipMessage) -> None:
        caller.send(request, self._to)


def _is_response_to(request: SipMessage) -> Callable[[SipMessage], bool]:
    return lambda one: one.status >= 180 and one.transaction == request.transaction

"""The far side of the soak: registers the accounts, takes their calls, and counts how many each has at once."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from support.digest import DigestProvider
from support.sip_message import SipMessage, sdp, sdp_profile
from support.sip_peer import SipPeer
from support.sip_rule import Reply

DOMAIN = "jabiru.example.org"
ANSWERS, REJECTS, RINGS = "answers", "rejects", "rings"
"""What becomes of a call: the callee's user part begins with one of these."""


class Limit:
    """The most calls that an account may have, and what it was before: a call is decided a moment before it arrives."""

    def __init__(self, calls: int) -> None:
        self._in_force = [(0.0, calls)]

    @property
    def calls(self) -> int:
        """What it is now."""
        return self._in_force[-1][1]

    def change(self, calls: int) -> None:
        """Another one holds: from before it is told to the bridge if it is higher, from after that if it is lower."""
        self._in_force.append((time.monotonic(), calls))

    def highest_since(self, moment: float) -> int:
        """The highest that held at that moment or later."""
        ends = [began for began, _ in self._in_force[1:]] + [float("inf")]
        return max(calls for (_, calls), end in zip(self._in_force, ends, strict=True) if end >= moment)


@dataclass(frozen=True, slots=True)
class TakenCall:
    """A call that arrived: from which account, and when the caller began it."""

    account: str
    began: float


class FarSide:
    """A provider with a registrar.

    Attributes:
        taken: the calls that it answered, rang for or rejected, in order.
        oversold: what was wrong, once for each call that an account had no line for.
        refuses: what it answers to every request; 0 while it does its work, -1 for nothing at all.
        refuses_registers: the same, to REGISTER alone.
        unsure_of: accounts whose calls may have ended without its knowing; it takes none of theirs then.
    """

    def __init__(self, limit: Limit, realm: str) -> None:
        self.provider = DigestProvider(realm, {}, self._answer)
        self.peer: SipPeer | None = None
        self.taken: list[TakenCall] = []
        self.oversold: list[str] = []
        self.refuses = 0
        self.refuses_registers = 0
        self.unsure_of: Collection[str] = ()
        self._limit = limit
        self._calls: dict[str, TakenCall] = {}
        self._ringing: dict[str, SipMessage] = {}
        self._unanswered: set[str] = set()
        self._lock = threading.Lock()

    def rule(self, request: SipMessage) -> Iterable[Reply]:
        """What it answers."""
        with self._lock:
            call_id = request["Call-ID"]
            if request.method in ("BYE", "CANCEL"):
                # Counted before anybody is asked who he is, and while nothing is answered.
                self._calls.pop(call_id, None)
            status = self.refuses or (request.method == "REGISTER" and self.refuses_registers)
            if status < 0 and request.method == "INVITE":
                self._unanswered.add(call_id)
            if status < 0 or request.method == "ACK":
                return []
            if status and not request.in_dialog:
                return [Reply(status, "Forbidden" if status == 403 else "Service Unavailable")]
            return self.provider.rule(request)

    @property
    def in_progress(self) -> Counter[str]:
        """Calls that it has not heard the end of, by account."""
        with self._lock:
            return Counter(call.account for call in self._calls.values())

    def keep(self, call_ids: set[str]) -> None:
        """Only these go on; the ends of others were lost on the way."""
        with self._lock:
            self._calls = {id_: call for id_, call in self._calls.items() if id_ in call_ids}
            self.unsure_of = ()

    def _answer(self, request: SipMessage) -> list[Reply]:
        match request.method:
            case "INVITE" if not request.in_dialog:
                return self._take(request)
            case "CANCEL":
                self._end_ringing(request["Call-ID"])
        return [Reply(200, "OK")]

    def _take(self, invite: SipMessage) -> list[Reply]:
        call_id = invite["Call-ID"]
        callee = _user(invite["To"])
        if _user(invite["From"]) in self.unsure_of or call_id in self._unanswered:
            # Whoever sent it may have given it up meanwhile.
            return [Reply(503, "Service Unavailable")]
        if call_id not in self._calls:
            self._count(call_id, TakenCall(_user(invite["From"]), float(callee.partition("-")[2]) / 1000))
        if callee.startswith(REJECTS):
            del self._calls[call_id]
            return [Reply(486, "Busy Here")]
        if callee.startswith(RINGS):
            self._ringing[call_id] = invite
            return [Reply(180, "Ringing")]
        body = sdp().replace("RTP/AVP", sdp_profile(invite.body) or "RTP/AVP")
        return [Reply(180, "Ringing"), Reply(200, "OK", body=body)]

    def _count(self, call_id: str, call: TakenCall) -> None:
        present = sum(other.account == call.account for other in self._calls.values())
        limit = self._limit.highest_since(call.began)
        if present >= limit:
            self.oversold.append(f"{call.account} calls and has {present} calls of {limit} already: {call_id}")
        self._calls[call_id] = call
        self.taken.append(call)

    def _end_ringing(self, call_id: str) -> None:
        invite = self._ringing.pop(call_id, None)
        if invite is not None and self.peer is not None:
            self.peer.respond(invite, Reply(487, "Request Terminated"))


def callee_uri(what_becomes_of_it: str, began: float, domain: str) -> str:
    """Whom to call so that it becomes of the call; when it began is in it, in milliseconds."""
    return f"sip:{what_becomes_of_it}-{int(began * 1000)}@{domain}"


def _user(address: str) -> str:
    return address.partition("sip:")[2].partition("@")[0]

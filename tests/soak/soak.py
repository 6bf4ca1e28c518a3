"""Steady calls through FreeSWITCH and the bridge, and faults at random moments; counts what became of both."""

from __future__ import annotations

import statistics
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from random import Random
from typing import Any

from soak.far_side import Callee
from support.bridge import Bridge
from support.digest import DigestProvider
from support.freeswitch import FreeSwitch
from support.processes import wait_until
from support.relay import Relay
from support.sip_message import sdp
from support.sip_peer import SipPeer

DOMAIN, OUR_DOMAIN = "jabiru.example.org", "flexisip.example.org"
USERS = ("alice", "bob", "carol")
CALLS_PER_LINE = 2
_CALLERS = 10
"""Two thirds more than there are lines, so that the limit is always met."""
_CALLS_PER_PEER = 40
_PASSWORD = "a password"
_PATIENCE_S = 60.0


class Soak:
    """The whole, for as long as the ``with`` block of `soak` lasts.

    Attributes:
        statuses: final statuses of all calls; 0 for a call that got none.
        recovery_s: by fault, the seconds from its end until a call that began later was carried.
    """

    def __init__(self, freeswitch: FreeSwitch, bridge: Bridge, relay: Relay, callee: Callee, random: Random) -> None:
        self.callee = callee
        self.statuses: Counter[int] = Counter()
        self.recovery_s: dict[str, list[float]] = defaultdict(list)
        self._freeswitch = freeswitch
        self._bridge = bridge
        self._relay = relay
        self._random = random
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._carried_since = 0.0
        self._callers = [threading.Thread(target=self._call_all_the_time, daemon=True) for _ in range(_CALLERS)]

    def run(self, seconds: float) -> None:
        """Carry calls, and have something break again and again.

        Raises:
            TimeoutError: it did not recover.
        """
        for caller in self._callers:
            caller.start()
        ends_at = time.monotonic() + seconds
        self._wait_until_carried(time.monotonic())
        while time.monotonic() < ends_at:
            time.sleep(self._random.uniform(0.5, 3.0))
            fault = self._random.choice((self._cut, self._kill_bridge, self._kill_freeswitch, self._restart_profile))
            fault()
            ended_at = time.monotonic()
            self._wait_until_carried(ended_at)
            name = fault.__name__.strip("_").replace("_", " ")
            self.recovery_s[name].append(self._carried_since_end(ended_at))
        self._stopping.set()
        for caller in self._callers:
            caller.join(_PATIENCE_S)

    def wait_until_free(self) -> None:
        """Every account is registered, and has all its lines.

        Raises:
            TimeoutError: naming those that have not.
        """
        wait_until("every line is free", lambda: not self.lines_taken(), timeout_s=_PATIENCE_S)

    def lines_taken(self) -> dict[str, Any]:
        """The accounts that are not registered and free."""
        accounts = self._bridge.accounts()
        return {name: one for name, one in accounts.items() if one.get("freeSlots") != CALLS_PER_LINE}

    def report(self) -> Iterator[str]:
        """What came of it, in lines."""
        yield f"calls carried {self.callee.answered}, by final status {dict(sorted(self.statuses.items()))}"
        yield f"lines oversold {len(self.callee.oversold)}, lines leaked {len(self.lines_taken())}"
        yield f"{'fault':20} {'times':>5} {'median':>7} {'worst':>7}  seconds until a call is carried"
        for fault, times in sorted(self.recovery_s.items()):
            yield f"{fault:20} {len(times):5} {statistics.median(times):7.2f} {max(times):7.2f}"

    # What breaks.

    def _cut(self) -> None:
        self._relay.cut()
        time.sleep(self._random.uniform(0.1, 2.0))
        self._relay.mend()

    def _kill_bridge(self) -> None:
        self._bridge.kill()
        time.sleep(self._random.uniform(0.0, 1.0))
        self._bridge.start()

    def _kill_freeswitch(self) -> None:
        self._freeswitch.kill()
        self.callee.forget()
        self._freeswitch.start()

    def _restart_profile(self) -> None:
        self._freeswitch.event_socket.api("sofia profile providers restart")

    # Calls.

    def _wait_until_carried(self, since: float) -> None:
        wait_until("a call is carried", lambda: self._carried_since >= since, timeout_s=_PATIENCE_S)

    def _carried_since_end(self, ended_at: float) -> float:
        return max(0.0, time.monotonic() - ended_at)

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
        user = self._random.choice(USERS)
        invite = caller.new_request(
            "INVITE",
            f"sip:callee@{OUR_DOMAIN}",
            from_=f"<sip:{user}@{OUR_DOMAIN}>",
            to=f"<sip:callee@{OUR_DOMAIN}>",
            body=sdp(),
        )
        status = self._ask(caller, lambda: caller.send(invite, self._freeswitch.inside), invite)
        with self._lock:
            self.statuses[status] += 1
        if status == 0:
            self._stopping.wait(0.2)
            return
        answer = caller.final_response(invite)
        caller.send(caller.within_dialog("ACK", invite, answer), self._freeswitch.inside)
        if status != 200:
            self._stopping.wait(0.1)
            return
        self._carried_since = max(self._carried_since, began)
        self._stopping.wait(self._random.uniform(0.05, 1.0))
        bye = caller.within_dialog("BYE", invite, answer, cseq=2)
        self._ask(caller, lambda: caller.send(bye, self._freeswitch.inside), bye)

    def _ask(self, caller: SipPeer, send: Callable[[], None], request: Any) -> int:
        """Send a request, a few times if need be; the final status, or 0."""
        for timeout_s in (1.0, 2.0, 4.0):
            send()
            try:
                return caller.final_response(request, timeout_s=timeout_s).status
            except TimeoutError:  # FreeSWITCH is away, or starts
                continue
        return 0


@contextmanager
def soak(directory: Path, seed: int) -> Iterator[Soak]:
    """FreeSWITCH, the bridge, a registrar that asks for digests, and callers; all gone at the end."""
    callee = Callee(CALLS_PER_LINE)
    provider = DigestProvider(DOMAIN, dict.fromkeys(USERS, _PASSWORD), callee.rule, challenges=("REGISTER",))
    with ExitStack() as stack:
        far = stack.enter_context(SipPeer(provider.rule))
        freeswitch = FreeSwitch(directory / "freeswitch")
        stack.callback(freeswitch.kill)
        relay = stack.enter_context(Relay(freeswitch.event_socket_port))
        settings = "[calls]\nmax_calls_per_s = 10000"
        bridge = Bridge(directory / "bridge", freeswitch, _providers(far.hostport), relay.port, settings)
        stack.callback(bridge.kill)
        for user in USERS:
            bridge.wait_for_status(f"sip:{user}@{DOMAIN}", "OK")
        yield Soak(freeswitch, bridge, relay, callee, Random(seed))


def _providers(far: str) -> dict[str, Any]:
    accounts = [
        {
            "uri": f"sip:{user}@{DOMAIN}",
            "alias": f"sip:{user}@{OUR_DOMAIN}",
            "secretType": "clrtxt",
            "secret": _PASSWORD,
        }
        for user in USERS
    ]
    provider = {
        "name": "far side",
        "triggerCondition": {"strategy": "Always"},
        "accountToUse": {"strategy": "FindInPool", "source": "{from}", "by": "alias"},
        "onAccountNotFound": "decline",
        "outgoingInvite": {"to": f"sip:callee@{DOMAIN}", "from": "{account.uri}"},
        "accountPool": "pool",
    }
    pool = {
        "outboundProxy": f"<sip:{far}>",
        "registrationRequired": True,
        "maxCallsPerLine": CALLS_PER_LINE,
        "loader": accounts,
    }
    return {"schemaVersion": 2, "providers": [provider], "accountPools": {"pool": pool}}

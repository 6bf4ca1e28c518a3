"""The surroundings of a switch for contract tests: a caller, callees, a registrar; simulated and real.

Who is called decides what happens: ``answers``, ``busy`` and ``rings``, whatever the domain. The registrar takes the
password ``right`` and refuses all others with 403.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import NamedTuple, Protocol, TypeVar

import gevent
import gevent.socket

from sipbridge.adapters.event_socket.link import LinkSettings
from sipbridge.simulator import CalleeRule, CallState, Refuse, RegistrarRule, SimulatedCall, SimulatedInvite, Simulator
from support.digest import DigestProvider
from support.freeswitch import FreeSwitch
from support.sip_message import SipMessage, sdp, without_tag
from support.sip_peer import SipPeer
from support.sip_rule import Reply, answers, replies

RIGHT_PASSWORD = "right"
_SHUTDOWN = {False: "fsctl shutdown elegant", True: "fsctl shutdown cancel"}
_T = TypeVar("_T")


def eventually(what: str, found: Callable[[], _T], timeout_s: float = 10.0) -> _T:
    """The first true result of `found`; everything else runs on meanwhile.

    Raises:
        AssertionError: naming `what` and the last result.
    """
    deadline = time.monotonic() + timeout_s
    while not (result := found()):
        assert time.monotonic() < deadline, f"not within {timeout_s:g} s: {what} (last: {result!r})"
        gevent.sleep(0.01)
    return result


class ArrivedInvite(NamedTuple):
    """The INVITE of a B leg, as the far side got it; From without its tag."""

    request_uri: str
    to: str
    from_: str


class PlacedCall(Protocol):
    """A call, as its caller sees it."""

    def statuses(self) -> list[int]:
        """Every SIP status so far, 100 left out."""

    def retry_after(self) -> str | None:
        """What the final response says in Retry-After; None without one."""

    def hang_up(self) -> None:
        """Send BYE."""

    def give_up(self) -> None:
        """Send CANCEL."""


class World(Protocol):
    """A switch with the configuration of this repository, and everybody around it.

    Attributes:
        far_side: ``host:port`` where providers are.
        slowness: how many real seconds a second of the switch takes.
    """

    link: LinkSettings
    spool_file: Path
    far_side: str
    slowness: float

    def call(self, request_uri: str, from_: str, to: str) -> PlacedCall:
        """Place a call on our side."""

    def call_contact(self, gateway: str, from_: str, to: str) -> PlacedCall:
        """Place a call on the providers' side, to the contact that a gateway registers."""

    def invites(self) -> list[ArrivedInvite]:
        """Every INVITE that the far side has got, those that it asked for a digest left out."""

    def shut_down_when_free(self, *, cancel: bool = False) -> None:
        """Ask the switch to end as soon as there are no calls, or not to."""

    def restart_switch(self) -> None:
        """Have the switch crash and start again."""

    def restart_provider_profile(self) -> None:
        """Have the sofia profile of the providers restart."""


def link_settings(port: int, password: str) -> LinkSettings:
    """Patient enough for a real one, and quick to come back."""
    return LinkSettings(
        host="127.0.0.1",
        port=port,
        password=password,
        connect_timeout_s=5.0,
        command_timeout_s=10.0,
        silence_timeout_s=45.0,
        backoff_min_s=0.05,
        backoff_max_s=0.2,
    )


class SimulatedWorld:
    """The simulator, with time running twenty times as fast."""

    slowness = 0.05
    far_side = "127.0.0.1:5999"

    def __init__(self, directory: Path) -> None:
        self.spool_file = directory / "gateways.xml"
        self.simulator = Simulator(spool_file=self.spool_file, tick_s=self.slowness, time_scale=self.slowness)
        self.simulator.far_side.rules += [
            CalleeRule(_calls("busy"), rings_s=None, status=486, phrase="Busy Here"),
            CalleeRule(_calls("rings"), final_s=None),
        ]
        self.simulator.registrar.rules.append(RegistrarRule(Refuse(), lambda it: it.password != RIGHT_PASSWORD))
        self.simulator.start()
        self.link = link_settings(self.simulator.port, self.simulator.password)

    def call(self, request_uri: str, from_: str, to: str) -> PlacedCall:
        """See `World`."""
        return _SimulatedCall(self.simulator.place_call(request_uri, from_, to))

    def call_contact(self, gateway: str, from_: str, to: str) -> PlacedCall:
        """See `World`."""
        return _SimulatedCall(self.simulator.place_call_to_gateway(gateway, from_, to))

    def invites(self) -> list[ArrivedInvite]:
        """See `World`."""
        return [ArrivedInvite(one.request_uri, one.to, one.from_) for one in self.simulator.far_side.invites]

    def shut_down_when_free(self, *, cancel: bool = False) -> None:
        """See `World`."""
        with closing(gevent.socket.create_connection(("127.0.0.1", self.simulator.port))) as client:
            client.sendall(f"auth {self.simulator.password}\n\napi {_SHUTDOWN[cancel]}\n\n".encode())
            answers = b""
            while answers.count(b"+OK") < 2:
                answers += client.recv(1024)

    def restart_switch(self) -> None:
        """See `World`."""
        self.simulator.restart_switch()

    def restart_provider_profile(self) -> None:
        """See `World`."""
        self.simulator.restart_profile()

    def close(self) -> None:
        """Stop the simulator; fails if it failed."""
        assert self.simulator.injections == []
        self.simulator.stop()


class _SimulatedCall:
    def __init__(self, call: SimulatedCall) -> None:
        self._call = call

    def statuses(self) -> list[int]:
        return self._call.responses[1:]

    def retry_after(self) -> str | None:
        return self._call.channel.get("sip_rh_Retry-After")

    def hang_up(self) -> None:
        assert self._call.state is CallState.ANSWERED
        self._call.hang_up()

    def give_up(self) -> None:
        assert self._call.state is not CallState.ANSWERED
        self._call.hang_up()


class RealWorld:
    """A real FreeSWITCH, and SIP peers around it."""

    slowness = 1.0

    def __init__(self, directory: Path) -> None:
        self._freeswitch = FreeSwitch(directory)
        self._caller = SipPeer()
        self._provider = DigestProvider("far.example.org", {"alice": RIGHT_PASSWORD}, _callee)
        self._far_side = SipPeer(self._provider.rule)
        self.far_side = self._far_side.hostport
        self.spool_file = self._freeswitch.spool
        self.link = link_settings(self._freeswitch.event_socket_port, self._freeswitch.password)

    def call(self, request_uri: str, from_: str, to: str) -> PlacedCall:
        """See `World`."""
        return self._place(self._freeswitch.inside, request_uri, from_, to)

    def call_contact(self, gateway: str, from_: str, to: str) -> PlacedCall:
        """See `World`."""
        called = self._freeswitch.providers
        return self._place(called, f"sip:gw+{gateway}@{called};transport=udp;gw={gateway}", from_, to)

    def _place(self, called: str, request_uri: str, from_: str, to: str) -> PlacedCall:
        invite = self._caller.new_request("INVITE", request_uri, from_=from_, to=to, body=sdp())
        self._caller.send(invite, called)
        return _RealCall(self._caller, called, invite)

    def invites(self) -> list[ArrivedInvite]:
        """See `World`."""
        return [
            ArrivedInvite(one.request_uri, one["To"], without_tag(one["From"]))
            for one in self._far_side.received
            if one.method == "INVITE" and not one.in_dialog and self._provider.accepts(one)
        ]

    def shut_down_when_free(self, *, cancel: bool = False) -> None:
        """See `World`."""
        # In the background: it answers when it is about to end.
        self._freeswitch.event_socket.command(f"bgapi {_SHUTDOWN[cancel]}")

    def restart_switch(self) -> None:
        """See `World`."""
        self._freeswitch.kill()
        self._freeswitch.start()

    def restart_provider_profile(self) -> None:
        """See `World`."""
        self._freeswitch.restart_profile("providers")

    def close(self) -> None:
        """End all of it."""
        self._freeswitch.kill()
        self._caller.close()
        self._far_side.close()


class _RealCall:
    def __init__(self, caller: SipPeer, called: str, invite: SipMessage) -> None:
        self._caller = caller
        self._called = called
        self._invite = invite

    def statuses(self) -> list[int]:
        statuses = [status for status in self._caller.statuses(self._invite) if status != 100]
        if statuses and statuses[-1] >= 200:
            self._send("ACK", cseq=1)
        return statuses

    def retry_after(self) -> str | None:
        return self._caller.final_response(self._invite)["Retry-After"] or None

    def hang_up(self) -> None:
        self._send("BYE", cseq=2)

    def give_up(self) -> None:
        trying = self._caller.response(self._invite, 100)
        self._caller.send(self._caller.within_dialog("CANCEL", self._invite, trying), self._called)

    def _send(self, method: str, cseq: int) -> None:
        final = self._caller.final_response(self._invite)
        self._caller.send(self._caller.within_dialog(method, self._invite, final, cseq=cseq), self._called)


def _callee(request: SipMessage) -> list[Reply]:
    behaviour = {"busy": replies(Reply(486, "Busy Here")), "rings": replies(Reply(180, "Ringing"))}
    user = request.request_uri.partition(":")[2].partition("@")[0]
    rule = behaviour.get(user, answers(Reply(180, "Ringing"))) if request.method == "INVITE" else answers()
    return list(rule(request))


def _calls(user: str) -> Callable[[SimulatedInvite], bool]:
    return lambda invite: invite.request_uri.startswith(f"sip:{user}@")

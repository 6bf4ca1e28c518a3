"""The FreeSWITCH that faults befall, with the phones, the registrar and the provider around it: simulated, and real.

What takes a real one a while is done in a native thread, so that the daemon under test, in this process, goes on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

import gevent

from sipbridge.simulator import CallState, SimulatedCall, Simulator
from support.counting_callee import Callee
from support.freeswitch import FreeSwitch
from support.phone import Phone, PhoneCall
from support.registrar import Registrar
from support.sip_peer import SipPeer

OUR_DOMAIN = "example.org"
CALLS_PER_LINE = 10
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a daemon has to know of a switch.

    Attributes:
        registrar: ``host:port`` where accounts register, all with the same password.
        callee: ``host:port`` where their calls go.
        settings: how patient it should be, as variables of the environment.
    """

    event_socket_port: int
    event_socket_password: str
    spool_file: Path
    registrar: str
    callee: str
    settings: Mapping[str, str]


class PlacedCall(Protocol):
    """A call, as its caller sees it."""

    @property
    def is_carried(self) -> bool:
        """Whether it was answered, and goes on."""

    @property
    def is_over(self) -> bool:
        """Whether it was declined, or has ended."""

    def hang_up(self) -> None:
        """The caller has had enough."""


class Switch(Protocol):
    """One that runs, until it is told otherwise."""

    surroundings: Surroundings

    def call(self, user: str) -> PlacedCall:
        """Have a user of our side call."""

    def hang_up_all(self) -> None:
        """Have all callers hang up."""

    def calls(self) -> Counter[str]:
        """How many calls each account has, as the far side counts them."""

    def legs(self) -> int:
        """How many channels the switch says that it has; two for each call."""

    def await_restartable_profile(self) -> None:
        """Wait until the profile may be restarted."""

    def restart_profile(self) -> None:
        """Restart the sofia profile of the providers."""

    def break_configuration(self) -> None:
        """Have nothing of the configuration be readable any more."""

    def mend_configuration(self) -> None:
        """Undo it."""

    def kill(self) -> None:
        """End it without a word."""

    def shut_down(self) -> None:
        """Ask it to end, and wait for that."""

    def start(self) -> None:
        """Start it again, and wait until it takes connections."""

    def check(self) -> None:
        """Nothing happened that must never happen."""


class SimulatedSwitch:
    """The simulator: a tick takes 50 ms. All else takes its time, as the lease is renewed by the daemon's clock."""

    def __init__(self, simulator: Simulator, spool_file: Path) -> None:
        self._simulator = simulator
        self.surroundings = Surroundings(
            event_socket_port=simulator.port,
            event_socket_password=simulator.password,
            spool_file=spool_file,
            registrar="127.0.0.1",
            callee="127.0.0.1",
            settings={
                "SIPBRIDGE_EVENT_SOCKET__COMMAND_TIMEOUT_S": "0.5",
                "SIPBRIDGE_GATEWAYS__MAX_REGISTRATIONS_PER_S": "2000",
                "SIPBRIDGE_GATEWAYS__CONFIRM_TIMEOUT_S": "1",
                "SIPBRIDGE_GATEWAYS__RETRY_S": "1",
                "SIPBRIDGE_CALLS__LEASE_S": "2",
            },
        )

    def call(self, user: str) -> PlacedCall:
        """See `Switch`."""
        return _SimulatedCall(self._simulator.place_call(f"sip:bob@{OUR_DOMAIN}", *_from_and_to(user)))

    def hang_up_all(self) -> None:
        """See `Switch`."""
        for call in list(self._simulator.switch.calls.values()):
            call.hang_up()

    def calls(self) -> Counter[str]:
        """See `Switch`."""
        calls = self._simulator.switch.calls.values()
        invites = (call.invite for call in calls if call.state in (CallState.CALLING, CallState.ANSWERED))
        return Counter(_user(invite.from_) for invite in invites if invite is not None)

    def legs(self) -> int:
        """See `Switch`."""
        return sum(1 for _ in self._simulator.switch.channels)

    def await_restartable_profile(self) -> None:
        """See `Switch`."""

    def restart_profile(self) -> None:
        """See `Switch`."""
        self._simulator.restart_profile()

    def break_configuration(self) -> None:
        """See `Switch`."""
        self._simulator.switch.configuration_error = "[error near line 7]: mismatched tag"

    def mend_configuration(self) -> None:
        """See `Switch`."""
        self._simulator.switch.configuration_error = ""

    def kill(self) -> None:
        """See `Switch`."""
        self._simulator.shut_down_switch()

    def shut_down(self) -> None:
        """See `Switch`."""
        self._simulator.shut_down_switch(announces=True)

    def start(self) -> None:
        """See `Switch`."""
        self._simulator.start_switch()

    def check(self) -> None:
        """See `Switch`."""
        assert self._simulator.injections == []


class _SimulatedCall:
    def __init__(self, call: SimulatedCall) -> None:
        self._call = call

    @property
    def is_carried(self) -> bool:
        return self._call.state is CallState.ANSWERED

    @property
    def is_over(self) -> bool:
        return self._call.state is CallState.ENDED

    def hang_up(self) -> None:
        self._call.hang_up()


class RealSwitch:
    """A FreeSWITCH, with a Kamailio for a registrar."""

    def __init__(self, freeswitch: FreeSwitch, registrar: Registrar, phone: Phone, callee: Callee, far: str) -> None:
        self._freeswitch = freeswitch
        self._phone = phone
        self._callee = callee
        self.surroundings = Surroundings(
            event_socket_port=freeswitch.event_socket_port,
            event_socket_password=freeswitch.password,
            spool_file=freeswitch.spool,
            registrar=registrar.hostport,
            callee=far,
            settings={
                "SIPBRIDGE_EVENT_SOCKET__COMMAND_TIMEOUT_S": "2",
                "SIPBRIDGE_GATEWAYS__MAX_REGISTRATIONS_PER_S": "300",
                "SIPBRIDGE_GATEWAYS__CONFIRM_TIMEOUT_S": "5",
                "SIPBRIDGE_GATEWAYS__RETRY_S": "5",
                "SIPBRIDGE_CALLS__LEASE_S": "3",
            },
        )

    def call(self, user: str) -> PlacedCall:
        """See `Switch`."""
        return _RealCall(self._phone, self._phone.call(f"sip:bob@{OUR_DOMAIN}", *_from_and_to(user)))

    def hang_up_all(self) -> None:
        """See `Switch`."""
        self._phone.hang_up_all()

    def calls(self) -> Counter[str]:
        """See `Switch`."""
        return self._callee.calls

    def legs(self) -> int:
        """See `Switch`."""
        return len(self._freeswitch.channels())

    def await_restartable_profile(self) -> None:
        """See `Switch`."""
        _apart(self._freeswitch.await_restartable_profiles)

    def restart_profile(self) -> None:
        """See `Switch`."""
        _apart(lambda: self._freeswitch.restart_profile("providers"))

    def break_configuration(self) -> None:
        """See `Switch`."""
        self._broken_file.write_text("<mismatched>\n")

    def mend_configuration(self) -> None:
        """See `Switch`."""
        self._broken_file.unlink()

    @property
    def _broken_file(self) -> Path:
        return self._freeswitch.directory / "conf/dialplan/broken.xml"

    def kill(self) -> None:
        """See `Switch`."""
        self._freeswitch.kill()
        self._phone.forget()
        self._callee.forget()

    def shut_down(self) -> None:
        """See `Switch`."""
        _apart(self._freeswitch.shut_down)

    def start(self) -> None:
        """See `Switch`."""
        _apart(self._freeswitch.start)

    def check(self) -> None:
        """See `Switch`."""
        assert self._callee.oversold == []


class _RealCall:
    def __init__(self, phone: Phone, call: PhoneCall) -> None:
        self._phone = phone
        self._call = call

    @property
    def is_carried(self) -> bool:
        return self._call.is_answered

    @property
    def is_over(self) -> bool:
        return self._call.is_over

    def hang_up(self) -> None:
        self._phone.hang_up(self._call)


@contextmanager
def simulated_switch(folder: Path) -> Iterator[Switch]:
    """The simulator, until the end of the block; it fails if the simulator failed."""
    spool_file = folder / "gateways.xml"
    spool_file.write_text("<include>\n</include>\n")
    with Simulator(spool_file=spool_file, tick_s=0.05) as simulator:
        yield SimulatedSwitch(simulator, spool_file)


@contextmanager
def real_switch(folder: Path) -> Iterator[Switch]:
    """FreeSWITCH and all around it, until the end of the block."""
    callee = Callee(CALLS_PER_LINE)
    with ExitStack() as stack:
        far = stack.enter_context(SipPeer(callee.rule))
        registrar = Registrar(folder)
        stack.callback(registrar.kill)
        freeswitch = FreeSwitch(folder / "fs")
        stack.callback(freeswitch.kill)
        phone = stack.enter_context(Phone(freeswitch.inside))
        yield RealSwitch(freeswitch, registrar, phone, callee, far.hostport)


def _apart(work: Callable[[], _T]) -> _T:
    result: _T = gevent.get_hub().threadpool.apply(work)
    return result


def _from_and_to(user: str) -> tuple[str, str]:
    return f"<sip:{user}@{OUR_DOMAIN}>", f"<sip:bob@{OUR_DOMAIN}>"


def _user(address: str) -> str:
    return address.partition("sip:")[2].partition("@")[0]

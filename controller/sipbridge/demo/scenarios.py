"""The calls of the demo and their expected results. Pure, except for placing calls."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sipbridge.core.gateways.gateway import GATEWAY_PREFIX
from sipbridge.simulator.calls.call import SimulatedCall
from sipbridge.simulator.calls.far_side import BUSY, CalleeRule, SimulatedInvite
from sipbridge.simulator.simulator import Simulator
from sipbridge.simulator.sofia.registrar import Accept, RegistrarRule

PASSWORD = "demo"  # noqa: S105 - of accounts that exist in demo/providers.json only
TALK_S = 0.5
ANSWER_AFTER_S = 0.2


@dataclass(frozen=True, slots=True)
class Scenario:
    """A kind of call.

    Attributes:
        weight: how often it is placed, relative to the others.
        place: places one such call.
        expected: the final SIP status that the caller must receive.
        request_uri: the Request-URI that must arrive at the far side, with ``{}`` for any account; empty if no INVITE
            may arrive.
        through_edge: whether the call must go through the edge.
    """

    name: str
    weight: int
    place: Callable[[Simulator, int], SimulatedCall]
    expected: int
    request_uri: str = ""
    through_edge: bool = False

    def went_right(self, call: SimulatedCall) -> bool:
        """Return whether an answered or ended call has the expected result."""
        arrived = call.invite.request_uri if call.invite else ""
        through_edge = call.invite is not None and call.invite.edge is not None
        return (call.sip_status, arrived, through_edge) == (self.expected, self.request_uri, self.through_edge)


def _from_inside(caller: str, callee: str) -> Callable[[Simulator, int], SimulatedCall]:
    def place(simulator: Simulator, number: int) -> SimulatedCall:
        return simulator.place_call(
            f"sip:{callee}@bridge.example.org",
            f'"{caller.capitalize()}" <sip:{caller}@flexisip.example.org>;tag={number}',
            f"<sip:{callee}@flexisip.example.org>",
        )

    return place


def _from_jabiru(callee: str) -> Callable[[Simulator, int], SimulatedCall]:
    """Place calls from the far side to an account's contact, which only FreeSWITCH and the registrar know."""

    def place(simulator: Simulator, number: int) -> SimulatedCall:
        contact = next(name for name in simulator.registrar.bindings if name.startswith(f"{GATEWAY_PREFIX}{callee}."))
        return simulator.place_call_to_gateway(
            contact, f'"Zed" <sip:zed@jabiru.example.org>;tag={number}', f"<sip:{callee}@jabiru.example.org>"
        )

    return place


SCENARIOS = (
    Scenario(
        "Flexisip → Jabiru, by caller's alias",
        40,
        _from_inside("alice", "yvonne"),
        200,
        "sip:yvonne@jabiru.example.org",
    ),
    Scenario(
        "Jabiru → Flexisip, by callee's URI",
        30,
        _from_jabiru("bob"),
        200,
        "sip:bob@flexisip.example.org",
    ),
    Scenario(
        "a phone number, one of two accounts",
        20,
        _from_inside("anyone", "+33612345678"),
        200,
        "sip:+33612345678@some.provider.example.com",
    ),
    Scenario(
        "digest hash, through the edge",
        10,
        _from_inside("dora", "yvonne"),
        200,
        "sip:yvonne@jabiru.example.org",
        through_edge=True,
    ),
    Scenario(
        "the callee is busy",
        4,
        _from_inside("bob", "busy"),
        486,
        "sip:busy@jabiru.example.org",
    ),
    Scenario(
        "the account's password is wrong",
        3,
        _from_inside("mallory", "yvonne"),
        488,
    ),
    Scenario(
        "the account's only line is taken",
        2,
        _from_inside("carol", "yvonne"),
        488,
    ),
    Scenario(
        "no provider knows the caller",
        1,
        _from_inside("stranger", "yvonne"),
        488,
    ),
)


def occupy_the_line(simulator: Simulator) -> SimulatedCall:
    """Place carol's first call, which lasts for the whole demo."""
    return _from_inside("carol", "hold")(simulator, 0)


def script(simulator: Simulator) -> None:
    """Configure the far side: passwords, a busy callee, calls that end after a while."""
    simulator.registrar.rules.append(RegistrarRule(Accept(PASSWORD)))
    busy = CalleeRule(_calls("busy"), rings_s=BUSY.rings_s, status=BUSY.status, phrase=BUSY.phrase)
    stays = CalleeRule(_calls("hold"))
    answers = CalleeRule(final_s=ANSWER_AFTER_S, hangs_up_s=TALK_S)
    simulator.far_side.rules += [busy, stays, answers]


def _calls(user: str) -> Callable[[SimulatedInvite], bool]:
    return lambda invite: invite.request_uri.startswith(f"sip:{user}@")

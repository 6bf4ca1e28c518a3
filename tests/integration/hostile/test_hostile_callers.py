"""What a caller writes into names, users and headers stays text: nothing runs, is forged, or breaks.

FreeSWITCH runs here with `api-expansion` and with `system`, both of which the shipped configuration turns off: this
shows that the bridge does not lean on that.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hostile_world import ACCOUNT, LINES, everything_goes_out, freeswitch_that_expands

from sipbridge.core.sip.uri import parse_name_addr, parse_sip_uri
from support.bridge import Bridge
from support.freeswitch import FreeSwitch
from support.parked_call import place_call
from support.processes import wait_until
from support.sip_message import SipMessage, sdp, without_tag
from support.sip_peer import SipPeer
from support.sip_rule import Reply, replies


@dataclass(frozen=True, slots=True)
class Target:
    """What is attacked.

    Attributes:
        trap: a file that exists once an attack has run.
    """

    freeswitch: FreeSwitch
    bridge: Bridge
    caller: SipPeer
    callee: SipPeer
    trap: Path

    def attack(self, user: str, from_: str, headers: list[tuple[str, str]]) -> tuple[int, SipMessage | None]:
        """Call, again if the machine was too slow to decide; the status, and the INVITE that the callee got, if any."""
        return wait_until("the call is decided", lambda: self._attack(user, from_, headers), timeout_s=60.0)

    def _attack(self, user: str, from_: str, headers: list[tuple[str, str]]) -> tuple[int, SipMessage | None] | None:
        heard = len(self.callee.received)
        fill = str(self.trap)
        invite = self.caller.new_request(
            "INVITE",
            f"sip:{user}@flexisip.example.org".replace("TRAP", fill),
            from_=from_.replace("TRAP", fill),
            to="<sip:bob@flexisip.example.org>",
            headers=[(name, value.replace("TRAP", fill)) for name, value in headers],
            body=sdp(),
        )
        self.caller.send(invite, self.freeswitch.inside)
        final = self.caller.final_response(invite)
        self.caller.send(self.caller.within_dialog("ACK", invite, final), self.freeswitch.inside)
        arrived = [one for one in self.callee.received[heard:] if one.method == "INVITE"]
        return None if final.status == 503 else (final.status, arrived[0] if arrived else None)


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    freeswitch = freeswitch_that_expands(tmp_path_factory)
    with SipPeer() as caller, SipPeer(replies(Reply(486, "Busy Here"))) as callee:
        try:
            bridge = Bridge(tmp_path_factory.mktemp("bridge"), freeswitch, everything_goes_out(callee))
            try:
                target = Target(freeswitch, bridge, caller, callee, freeswitch.directory / "trap")
                wait_until("calls are taken", lambda: target.attack("bob", ALICE, [])[0] == 486)
                yield target
            finally:
                bridge.kill()
        finally:
            freeswitch.kill()


RUN = "${system(touch TRAP)}"
ALICE = "<sip:alice@flexisip.example.org>"
FORGE = "sip_h_X-Forged=yes"


def assert_unharmed(target: Target) -> None:
    assert not target.trap.exists()
    assert target.attack("bob", ALICE, [])[0] == 486
    target.bridge.wait_for_free_slots(ACCOUNT, LINES)


@pytest.mark.parametrize(
    ("user", "from_", "headers"),
    [
        # As it was recorded: tests/recordings/park_hostile_headers.jsonl.
        pytest.param(
            "bob',x=1(a)b&c=$d",
            '"x%0AUnique-ID%3A%20victim\u2028y" <sip:ev%0Ail%7Bz%7D@flexisip.example.org;p=%0D%0AX>',
            [],
            id="recorded",
        ),
        pytest.param(
            "bob", "<sip:%24%7bsystem(touch%20TRAP)%7d@flexisip.example.org>", [], id="expansion in From's user"
        ),
        pytest.param(
            "bob", "<sip:alice@flexisip.example.org;x=%24%7Bsystem(touch%20TRAP)%7D>", [], id="in a parameter"
        ),
        pytest.param("bob", ALICE, [("X-Note", RUN), ("Subject", RUN), ("User-Agent", RUN)], id="expansion in headers"),
        pytest.param("bob", ALICE, [("P-Asserted-Identity", f'"{RUN}" {ALICE}')], id="expansion in PAI"),
        pytest.param("bob", f'"a|{FORGE}|b" {ALICE}', [], id="variable separator in the name"),
        pytest.param("bob", f'"a,{FORGE}" {ALICE}', [], id="comma in the name"),
        pytest.param(f"bob,{FORGE}", ALICE, [], id="comma in the user"),
        pytest.param(f"bob%7C{FORGE}%7C", ALICE, [], id="variable separator in the user"),
        pytest.param("bob", f'"x}}sofia/inside/sip:x@y" {ALICE}', [], id="end of the variables"),
        pytest.param("bob", f'"[{FORGE}]" {ALICE}', [], id="variables of a leg"),
        pytest.param("bob", f'"<{FORGE}>" {ALICE}', [], id="variables of an enterprise call"),
        pytest.param("bob", f'"^^:{FORGE}:a" {ALICE}', [], id="another separator"),
        pytest.param("bob", '"x:_:sofia/inside/sip:mallory@y" ' + ALICE, [], id="an enterprise call"),
        pytest.param("bob:_:sofia", ALICE, [], id="an enterprise call in the user"),
        pytest.param("bob", "\"it's 'quoted\" " + ALICE, [], id="quotes"),
        pytest.param("o'bob'", ALICE, [], id="quotes in the user"),
        pytest.param("bob", f'"\\"{FORGE}\\\\" {ALICE}', [], id="escaped quote and backslash"),
        pytest.param("bob%0d%0aX-Forged:%20yes", ALICE, [], id="line end in the user"),
        pytest.param("bob", '"x%0d%0aX-Forged: yes" ' + ALICE, [], id="escaped line end in the name"),
        pytest.param("bob", "<sip:a%0a%0aexit%0a%0a@flexisip.example.org>", [], id="a command after the command"),
        pytest.param("bob", '"\udcff\udcfe\udc80" ' + ALICE, [], id="not UTF-8"),
        pytest.param("bob", f'"{"n" * 5000}" {ALICE}', [], id="a long name"),
        pytest.param("b" * 1500, ALICE, [], id="a long user"),
    ],
)
def test_payload_arrives_as_text(target: Target, user: str, from_: str, headers: list[tuple[str, str]]) -> None:
    status, arrived = target.attack(user, from_, headers)
    assert status == 486
    assert arrived is not None
    assert [name for name, _ in arrived.headers if "forged" in name.lower()] == []
    # A password in a Request-URI is left out.
    sent = parse_sip_uri(f"sip:{user.partition(':')[0]}@jabiru.example.org")
    assert parse_sip_uri(arrived.request_uri).equivalent(sent)
    parse_name_addr(without_tag(arrived["From"]))
    assert_unharmed(target)


@pytest.mark.parametrize(
    "from_",
    [
        pytest.param(f'"{RUN}" {ALICE}', id="expansion"),
        pytest.param(f'"\\{RUN}" {ALICE}', id="escaped expansion"),
        pytest.param(f'"$\\{RUN[1:]}" {ALICE}', id="expansion put together by unescaping"),
    ],
)
def test_a_name_that_freeswitch_hides_from_the_controller_is_nobodys(target: Target, from_: str) -> None:
    """FreeSWITCH does not even tell the controller a value with an expansion in it: the caller cannot be named."""
    status, arrived = target.attack("bob", from_, [])
    assert status == 486
    assert arrived is not None
    assert without_tag(arrived["From"]) == '"Anonymous" <sip:anonymous@anonymous.invalid>'
    assert_unharmed(target)


@pytest.mark.parametrize(
    ("user", "from_"),
    [
        pytest.param("%24%7Bsystem(touch%20TRAP)%7D", ALICE, id="expansion in the user"),
        pytest.param("bob;x=%24%7Bsystem(touch%20TRAP)%7D", ALICE, id="expansion in a user's parameter"),
        pytest.param("%00bob", ALICE, id="NUL in the user"),
    ],
)
def test_payload_is_declined(target: Target, user: str, from_: str) -> None:
    """FreeSWITCH does not even tell the controller a value with an expansion in it, so there is no address to call."""
    assert target.attack(user, from_, []) == (488, None)
    assert_unharmed(target)


def test_what_is_tried_would_run(target: Target, caller: SipPeer) -> None:
    """The counter-check: in the argument of an application that FreeSWITCH executes, the payload does run."""
    target.bridge.kill()
    target.freeswitch.event_socket.command("event json CHANNEL_PARK")
    target.freeswitch.take_calls()
    call = place_call(target.freeswitch, caller)
    target.freeswitch.event_socket.execute(call.uuid, "respond", "488 " + RUN.replace("TRAP", str(target.trap)))
    caller.final_response(call.invite)
    assert target.trap.exists()


def test_shipped_configuration_runs_nothing(freeswitch: FreeSwitch, caller: SipPeer) -> None:
    trap = freeswitch.directory / "trap"
    call = place_call(freeswitch, caller)
    freeswitch.event_socket.execute(call.uuid, "respond", "488 " + RUN.replace("TRAP", str(trap)))
    assert call.final_response().status == 488
    assert not trap.exists()

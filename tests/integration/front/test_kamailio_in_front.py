"""The specification's PSTN fallback service: a Kamailio in front of two bridges, each with its FreeSWITCH."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from support import kamailio, sipp
from support.bridge import Bridge, Providers
from support.freeswitch import FreeSwitch
from support.front import DOMAIN, NUMBER, PASSWORD, Front, Phone, with_routes
from support.processes import wait_until
from support.sip_message import SipMessage, sdp
from support.sip_peer import SipPeer
from support.sip_rule import Reply, answers, replies
from support.sipp import Sipp

pytestmark = [pytest.mark.skipif(kamailio.PROGRAM is None, reason="no kamailio on the PATH")]

ACCOUNT = "sip:account1@provider.example.com"
DELAY_S = 3.0
SCENARIOS = Path(__file__).parents[1] / "scenarios"


def providers_file(provider: str, front: str) -> Providers:
    """The specification's second example, without registration, and the way back from the provider to alice."""
    return {
        "schemaVersion": 2,
        "providers": [
            {
                "name": "French telephone numbers",
                "triggerCondition": {"strategy": "MatchRegex", "source": "{requestUri}", "pattern": r"sip:\+33.*"},
                "accountToUse": {"strategy": "Random"},
                "onAccountNotFound": "decline",
                "outgoingInvite": {
                    "to": "sip:{incoming.requestUri.user}@{account.uri.hostport}{incoming.requestUri.uriParameters}"
                },
                "accountPool": "FrenchPSTN",
            },
            {
                "name": "Back to us",
                "triggerCondition": {"strategy": "Always"},
                "accountToUse": {"strategy": "FindInPool", "source": "{to}", "by": "uri"},
                "onAccountNotFound": "decline",
                "outgoingInvite": {
                    "to": "{account.alias}",
                    "from": "sip:{incoming.from.user}@{account.alias.hostport}",
                    "outboundProxy": f"<sip:{front}>",
                },
                "accountPool": "FrenchPSTN",
            },
        ],
        "accountPools": {
            "FrenchPSTN": {
                "outboundProxy": f"<sip:{provider}>",
                "registrationRequired": False,
                "maxCallsPerLine": 100,
                "loader": [{"uri": ACCOUNT, "alias": f"sip:alice@{DOMAIN}"}],
            }
        },
    }


@dataclass(frozen=True, slots=True)
class Service:
    """All of it; phones are the tests'."""

    front: Front
    switches: list[FreeSwitch]
    bridges: list[Bridge]
    provider: SipPeer
    directory: Path


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    directory = tmp_path_factory.mktemp("f")
    with ExitStack() as stack:
        provider = stack.enter_context(SipPeer())
        switches = [
            FreeSwitch(directory / name, sipbridge_providers_networks="127.0.0.1/32") for name in ("fs1", "fs2")
        ]
        for switch in switches:
            stack.callback(switch.kill)
        definitions = {"FALLBACK_DELAY_MS": str(round(1000 * DELAY_S)), "CALLS_PER_MINUTE": "1000"}
        front = Front(directory / "front", [switch.inside for switch in switches], ["alice", "bob"], definitions)
        stack.callback(front.kill)
        bridges = [
            Bridge(directory / f"bridge{number}", switch, providers_file(provider.hostport, front.hostport))
            for number, switch in enumerate(switches)
        ]
        for bridge in bridges:
            stack.callback(bridge.kill)
        yield Service(front, switches, bridges, provider, directory)


@pytest.fixture
def service(running: Service) -> Service:
    running.provider.rule = answers()
    running.front.wait_for_bridges(*(switch.inside for switch in running.switches))
    return running


@pytest.fixture
def alice(service: Service) -> Iterator[Phone]:
    with Phone(service.front, "alice") as phone:
        assert phone.register("*") in (200, 400)
        yield phone


@pytest.fixture
def bob(service: Service) -> Iterator[Phone]:
    with Phone(service.front, "bob") as phone:
        yield phone


def reach_number(service: Service, bob: Phone, invite: SipMessage, heard: int) -> float:
    """Wait until the provider has the call, talk, and hang up; return when it arrived."""
    arrived = service.provider.request("INVITE", since=heard, timeout_s=30)
    at = time.monotonic()
    assert arrived.request_uri == "sip:+33612345678@provider.example.com;user=phone"
    final = bob.outcome(invite)
    assert final.status == 200
    assert bob.hang_up(invite, final) == 200
    service.provider.request("BYE", since=heard, timeout_s=20)
    return at


def test_dialled_number_goes_to_the_provider(service: Service, bob: Phone) -> None:
    heard = len(service.provider.received)
    reach_number(service, bob, bob.call(NUMBER), heard)


def test_number_is_called_when_nobody_answers_in_time(service: Service, alice: Phone, bob: Phone) -> None:
    alice.rule = replies(Reply(180, "Ringing"))
    own = f"<sip:alice@{alice.hostport}>"
    assert alice.register(f"{own};q=1", f"<{NUMBER}>;q=0.1") == 200
    heard = len(service.provider.received)
    invite = bob.call(alice.address)
    rang = alice.request("INVITE", timeout_s=20)
    started = time.monotonic()
    bob.response(invite, 180, timeout_s=20)
    alice.request("CANCEL", timeout_s=30)
    alice.respond(rang, Reply(487, "Request Terminated"))
    assert reach_number(service, bob, invite, heard) - started >= DELAY_S - 0.5


@pytest.mark.parametrize("status", [480, 486])
def test_number_is_called_at_once_when_the_phone_cannot_take_the_call(
    service: Service, alice: Phone, bob: Phone, status: int
) -> None:
    alice.rule = replies(Reply(status, "Not Now"))
    assert alice.register(f"<sip:alice@{alice.hostport}>;q=1", f"<{NUMBER}>;q=0.1") == 200
    heard = len(service.provider.received)
    reach_number(service, bob, bob.call(alice.address), heard)


def test_number_is_called_when_no_phone_is_there(service: Service, alice: Phone, bob: Phone) -> None:
    assert alice.register(f"<{NUMBER}>;q=0.1") == 200
    heard = len(service.provider.received)
    reach_number(service, bob, bob.call(alice.address), heard)


def test_number_is_not_called_when_the_phone_answers_or_declines_for_all(
    service: Service, alice: Phone, bob: Phone
) -> None:
    assert alice.register(f"<sip:alice@{alice.hostport}>;q=1", f"<{NUMBER}>;q=0.1") == 200
    heard = len(service.provider.received)
    alice.rule = replies(Reply(603, "Decline"))
    assert bob.outcome(bob.call(alice.address)).status == 603
    alice.rule = answers()
    invite = bob.call(alice.address)
    final = bob.outcome(invite)
    assert final.status == 200
    assert bob.hang_up(invite, final) == 200
    assert [one.start_line for one in service.provider.received[heard:] if one.method == "INVITE"] == []


@pytest.mark.parametrize("number", [0, 1])
def test_call_from_the_provider_reaches_the_phone(service: Service, alice: Phone, number: int) -> None:
    assert alice.register() == 200
    switch = service.switches[number]
    invite = service.provider.new_request(
        "INVITE", f"sip:account1@{switch.providers}", from_="<sip:+33199999999@pstn>", to=f"<{ACCOUNT}>", body=sdp()
    )
    service.provider.send(invite, switch.providers)
    final = service.provider.final_response(invite, timeout_s=20)
    assert final.status == 200
    service.provider.send(service.provider.within_dialog("ACK", invite, final), switch.providers)
    arrived = alice.request("INVITE", timeout_s=20)
    assert arrived["To"] == f"<{alice.address}>"
    alice.request("ACK", timeout_s=20)
    bye = service.provider.within_dialog("BYE", invite, final, cseq=2)
    service.provider.send(bye, switch.providers)
    alice.request("BYE", timeout_s=20)


def test_bridge_is_not_told_to_talk(service: Service, bob: Phone) -> None:
    """FreeSWITCH answers the caller upon NOTIFY with Event talk, and has the call decided once more."""
    service.provider.rule = replies(Reply(180, "Ringing"))
    heard = len(service.provider.received)
    invite = bob.call(NUMBER)
    ringing = bob.response(invite, 180, timeout_s=20)
    for cseq in range(10, 13):
        notify = with_routes(
            bob.within_dialog("NOTIFY", invite, ringing, cseq=cseq, headers=[("Event", "talk")]), ringing
        )
        bob.send(notify, service.front.hostport)
        assert bob.wait_for(lambda one: one["CSeq"] == f"{cseq} NOTIFY", timeout_s=20).status == 489  # noqa: B023
    service.provider.respond(service.provider.request("INVITE", since=heard), Reply(486, "Busy Here"))
    assert bob.outcome(invite).status == 486
    assert [one.method for one in service.provider.received[heard:]].count("INVITE") == 1


@pytest.mark.skipif(sipp.PROGRAM is None, reason="no sipp on the PATH")
def test_one_bridge_is_drained_then_killed_and_only_its_own_calls_are_lost(service: Service, bob: Phone) -> None:
    held = [(invite, bob.outcome(invite)) for invite in (bob.call(NUMBER) for _ in range(6))]
    assert [final.status for _, final in held] == [200] * 6
    # Three calls each, of two legs; the table lags behind.
    for switch in service.switches:
        wait_until("three calls each", lambda switch=switch: len(switch.channels()) == 6)  # type: ignore[misc]
    carried = {row["uuid"] for row in service.switches[0].channels()}
    keys = {"user": "bob", "password": PASSWORD, "domain": DOMAIN, "request_uri": NUMBER}
    scenario = SCENARIOS / "dialler.xml"
    load = Sipp(
        scenario,
        service.directory,
        transport="udp",
        remote=service.front.hostport,
        calls=60,
        rate=4,
        keys=keys,
        digest_uri=NUMBER.removeprefix("sip:"),
    )
    try:
        assert service.bridges[0].command("drain").returncode == 0
        service.front.wait_for_bridges(service.switches[1].inside)
        wait_until(
            "the drained bridge carries only what is held",
            lambda: {row["uuid"] for row in service.switches[0].channels()} == carried,
        )
        service.bridges[0].kill()
        service.switches[0].kill()
        load.wait()
    finally:
        load.kill()
    # Those that the other one carries are there, and end as they should.
    assert sorted(bob.hang_up(invite, final) for invite, final in held) == [200, 200, 200, 408, 408, 408]

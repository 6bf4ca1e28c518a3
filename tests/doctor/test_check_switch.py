"""The doctor finds problems of FreeSWITCH, without false alarms."""

from __future__ import annotations

import dataclasses

import pytest
from doctor_examples import DIALPLAN, LOOPBACK, NETWORK, OURS, host, profile, switch, told

from sipbridge.core.freeswitch.known_holes import known_holes
from sipbridge.core.freeswitch.version import FreeSwitchVersion
from sipbridge.core.network import HostNetwork
from sipbridge.doctor.check_switch import check_dialplan, check_event_socket, check_switch
from sipbridge.doctor.facts import HostFacts, SwitchFacts
from sipbridge.doctor.finding import Finding, Verdict

WARN, FAIL, SKIP = Verdict.WARN, Verdict.FAIL, Verdict.SKIP


def holes_of(*version: int) -> list[tuple[str, Verdict]]:
    return [(f"known-hole.{hole.name}", WARN) for hole in known_holes(FreeSwitchVersion(*version))]


OPEN_HOLES = holes_of(1, 11, 2)
OLD_HOLES = [hole for hole in holes_of(1, 10, 12) if hole not in OPEN_HOLES]


def judged(facts: SwitchFacts, on: HostFacts) -> list[Finding]:
    """What is found, but for the holes that every version has."""
    findings = list(check_switch(facts, on))
    assert [one for one in told(findings) if one in OPEN_HOLES] == (OPEN_HOLES if facts.version[0].isdigit() else [])
    return [one for one in findings if (one.id, one.verdict) not in OPEN_HOLES]


@pytest.mark.parametrize(
    ("where", "problem", "password", "expected", "advice"),
    [
        pytest.param("127.0.0.1:8021", "", "own", [], "", id="good"),
        pytest.param(
            "127.0.0.1:8021",
            "127.0.0.1:8021 rejected the Event Socket password",
            "own",
            [("event-socket", FAIL)],
            "event_socket.conf.xml",
            id="wrong password",
        ),
        pytest.param(
            "127.0.0.1:8021",
            "cannot connect to 127.0.0.1:8021: Connection refused",
            "own",
            [("event-socket", FAIL)],
            "start FreeSWITCH",
            id="nobody listens",
        ),
        pytest.param(
            "127.0.0.1:8021",
            "127.0.0.1:8021: refused by FreeSWITCH's access list (event_socket.conf, apply-inbound-acl)",
            "own",
            [("event-socket", FAIL)],
            "apply-inbound-acl",
            id="not let in",
        ),
        pytest.param(
            "127.0.0.1:8021",
            "no greeting from 127.0.0.1:8021 within 5 s",
            "own",
            [("event-socket", FAIL)],
            "ss -ltn",
            id="something else listens",
        ),
        pytest.param(
            "127.0.0.1:8021",
            "",
            "ClueCon",
            [("event-socket-password", FAIL)],
            "sipbridge_event_socket_password",
            id="the password of everybody",
        ),
        pytest.param("192.0.2.9:8021", "", "own", [("event-socket-address", WARN)], "on 127.0.0.1", id="far away"),
    ],
)
def test_event_socket(
    where: str, problem: str, password: str, expected: list[tuple[str, Verdict]], advice: str
) -> None:
    findings = list(check_event_socket(where, problem, password))
    assert told(findings) == expected
    assert any(advice in one.advice for one in findings)


@pytest.mark.parametrize(
    ("facts", "on", "expected"),
    [
        pytest.param(switch(), host(), [], id="good"),
        pytest.param(switch(version="1.8.7"), host(), [("version", WARN), *OLD_HOLES], id="old"),
        pytest.param(switch(version="1.10.12-release"), host(), OLD_HOLES, id="tested, with known holes"),
        pytest.param(switch(version="1.100.0"), host(), [("version", WARN)], id="from the future"),
        pytest.param(switch(version="none of ours"), host(), [("version", SKIP)], id="unknown"),
        pytest.param(
            switch(modules={"mod_sofia": True, "mod_dptools": False}), host(), [("modules", FAIL)], id="a module less"
        ),
        pytest.param(switch(api_expansion=True), host(), [("api-expansion", FAIL)], id="api-expansion"),
        pytest.param(switch(lease=False), host(), [("lease", WARN)], id="a controller without the lease"),
        pytest.param(switch(lease=False), host(daemon=None), [("lease", WARN)], id="no controller"),
        pytest.param(
            switch(profiles=(profile("providers", bound=None),)),
            host(),
            [("profile-address.providers", FAIL)],
            id="a profile that does not run",
        ),
        pytest.param(
            switch(profiles=(profile("inside", parameters={"context": "inside", "sip-ip": OURS}),)),
            host(),
            [("profile-auto-restart.inside", WARN), ("profile-offers.inside", FAIL)],
            id="a profile that FreeSWITCH restarts, and that has codecs of its own",
        ),
    ],
)
def test_freeswitch(facts: SwitchFacts, on: HostFacts, expected: list[tuple[str, Verdict]]) -> None:
    assert told(judged(facts, on)) == expected


@pytest.mark.parametrize(
    ("bound", "network", "expected", "advice"),
    [
        pytest.param(OURS, NETWORK, [], "", id="good"),
        pytest.param(LOOPBACK, NETWORK, [], "", id="loopback"),
        pytest.param("192.0.2.99", NETWORK, [("profile-address.inside", FAIL)], "restart", id="an address of the past"),
        pytest.param(
            "192.0.2.99",
            dataclasses.replace(NETWORK, addresses=frozenset({LOOPBACK, "192.0.2.50"})),
            [("profile-address.inside", FAIL)],
            "one of 127.0.0.1, 192.0.2.50",
            id="an address of somebody else",
        ),
        pytest.param(OURS, None, [("profile-address.inside", SKIP)], "", id="an unknown network"),
    ],
)
def test_address_of_a_profile(
    bound: str, network: HostNetwork | None, expected: list[tuple[str, Verdict]], advice: str
) -> None:
    findings = list(judged(switch(profiles=(profile("inside", bound=bound),)), host(network=network)))
    assert told(findings) == expected
    assert any(advice in one.advice for one in findings)


@pytest.mark.parametrize(
    ("dialplan", "verdict", "said"),
    [
        pytest.param("", FAIL, "does not exist", id="none"),
        pytest.param(DIALPLAN.replace('"park"', '"answer"'), FAIL, "does not park", id="no park"),
        pytest.param(DIALPLAN.replace("sip_bridge=true|", ""), FAIL, "sip_bridge=true", id="no mark"),
        pytest.param(DIALPLAN.replace("hangup_after_bridge", "x"), FAIL, "hangup_after_bridge", id="no hangup"),
        pytest.param(DIALPLAN.replace("sipbridge_lease", "x"), WARN, "does not check the lease", id="no lease"),
        pytest.param(DIALPLAN.replace("park_timeout", "x"), WARN, "no park_timeout", id="no timeout"),
    ],
)
def test_dialplan(dialplan: str, verdict: Verdict, said: str) -> None:
    findings = list(check_dialplan(profile("inside", dialplan=dialplan)))
    assert told(findings) == [("dialplan.inside", verdict)]
    assert said in findings[0].text


def test_variables_may_be_set_one_by_one() -> None:
    single = '<action application="set" data="{}"></action>'
    variables = ("sip_bridge=true", "hangup_after_bridge=true", "park_timeout=3")
    actions = "".join(single.format(variable) for variable in variables)
    start, end = DIALPLAN.index("<action application"), DIALPLAN.index('<action application="park"')
    assert told(check_dialplan(profile("inside", dialplan=DIALPLAN[:start] + actions + DIALPLAN[end:]))) == []

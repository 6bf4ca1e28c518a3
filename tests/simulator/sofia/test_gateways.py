"""Gateways: how they are added, registered and removed, and the role of the registrar."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest
from simulator_client import Client, wait_until

from sipbridge.simulator import Accept, NobodyThere, Refuse, RegistrarRule, Silent, Simulator
from sipbridge.simulator.sofia.edge import SimulatedEdge
from sipbridge.simulator.sofia.gateways import Gateway

STATES = "event json CUSTOM sofia::gateway_state sofia::gateway_add sofia::gateway_delete sofia::profile_start"
RESCAN = "sofia profile providers rescan"


def definition(name: str, **parameters: str) -> str:
    given = {"username": "alice", "password": "secret", "proxy": "example.org", "retry_seconds": "5", **parameters}
    params = "".join(f'<param name="{key.replace("_", "-")}" value="{value}"/>' for key, value in given.items())
    return f'<gateway name="{name}">{params}</gateway>\n'


@pytest.fixture
def rescan(spool_file: Path, client: Client) -> Callable[..., str]:
    """Adds gateways as the controller does: write, rescan, empty. Returns the first line of the answer."""

    def add(*definitions: str) -> str:
        spool_file.write_text("<include>\n" + "".join(definitions) + "</include>\n")
        answer = client.api(RESCAN)
        spool_file.write_text("")
        return answer.split("\n")[0]

    return add


def find(simulator: Simulator, name: str) -> Gateway:
    gateway = simulator.switch.profiles["providers"].gateways.find(name)
    assert gateway is not None
    return gateway


def states_until(client: Client, last: str) -> list[tuple[str, str]]:
    states: list[tuple[str, str]] = []
    while not states or states[-1][0] != last:
        event = client.read_event("CUSTOM")
        if event["Event-Subclass"] == "sofia::gateway_state":
            states.append((event["State"], event.get("Status", "")))
    return states


@pytest.mark.parametrize(
    ("entry", "last"),
    [
        (f"md5|sip:x|{hashlib.md5(b'alice:example.org:secret').hexdigest()}", ("REGED", "")),
        (f"sha256|sip:x|{hashlib.sha256(b'alice:example.org:secret').hexdigest()}", ("REGED", "")),
        ("clear|sip:x|secret", ("REGED", "")),
        ("clear|sip:x|other", ("FAILED", "904")),
        (f"md5|sip:x|{'0' * 32}", ("FAILED", "904")),
        ("none|sip:x|", ("FAILED", "904")),
        (None, ("FAILED", "503")),
    ],
    ids=["MD5", "SHA-256", "password", "wrong password", "wrong hash", "no secret", "not told"],
)
def test_through_the_edge_what_it_knows_counts(
    simulator: Simulator,
    client: Client,
    rescan: Callable[..., str],
    tmp_path: Path,
    entry: str | None,
    last: tuple[str, str],
) -> None:
    simulator.registrar.rules.append(RegistrarRule(Accept("secret")))
    with SimulatedEdge(tmp_path / "rpc.sock") as edge:
        simulator.registrar.edge = edge
        if entry is not None:
            edge.table["acc"] = entry
        client.command(STATES)
        rescan(definition("acc", password="nobody's", register_proxy=f"sip:{edge.address}"))
        assert states_until(client, last[0])[-1] == last


@pytest.mark.parametrize(
    ("behaviour", "states"),
    [
        (Accept("secret"), [("TRYING", ""), ("REGISTER", "200"), ("REGED", "")]),
        (Accept("other"), [("TRYING", ""), ("FAILED", "904"), ("FAIL_WAIT", "")]),
        (Refuse(403), [("TRYING", ""), ("FAILED", "403"), ("FAIL_WAIT", "")]),
        (NobodyThere(), [("TRYING", ""), ("FAILED", "503"), ("FAIL_WAIT", "")]),
        # 908 is in FreeSWITCH's log alone.
        (Silent(), [("TRYING", ""), ("TIMEOUT", ""), ("FAILED", ""), ("FAIL_WAIT", "")]),
    ],
)
def test_states(
    simulator: Simulator,
    client: Client,
    rescan: Callable[..., str],
    behaviour: Accept | Refuse | NobodyThere | Silent,
    states: list[tuple[str, str]],
) -> None:
    simulator.registrar.rules = [RegistrarRule(behaviour)]
    client.command(STATES)
    rescan(definition("sipbridge.a", timeout_seconds="5"))
    assert states_until(client, states[-1][0]) == states
    assert find(simulator, "sipbridge.a").is_up is (states[-1][0] == "REGED")


def test_pause_grows_only_when_the_registrar_refuses(simulator: Simulator, rescan: Callable[..., str]) -> None:
    simulator.registrar.rules = [
        RegistrarRule(NobodyThere(), lambda gateway: gateway.name == "sipbridge.dead"),
        RegistrarRule(Refuse(403)),
    ]
    rescan(definition("sipbridge.refused"), definition("sipbridge.dead"))
    refused, dead = find(simulator, "sipbridge.refused"), find(simulator, "sipbridge.dead")
    wait_until(lambda: refused.failures == 3 and refused.state == "FAIL_WAIT" and dead.state == "FAIL_WAIT")
    assert dead.failures > refused.failures


def test_a_refresh_keeps_the_gateway_up(simulator: Simulator, client: Client, rescan: Callable[..., str]) -> None:
    client.command(STATES)
    rescan(definition("sipbridge.a", expire_seconds="4"))
    states_until(client, "REGED")
    assert states_until(client, "REGED") == [("UNREGED", ""), ("TRYING", ""), ("REGISTER", "200"), ("REGED", "")]
    assert simulator.registrar.register_count == 2


def test_a_known_gateway_is_never_changed(simulator: Simulator, rescan: Callable[..., str]) -> None:
    rescan(definition("sipbridge.a", username="first"))
    rescan(definition("sipbridge.a", username="second"), definition("sipbridge.b"))
    assert find(simulator, "sipbridge.a").definition.username == "first"
    assert find(simulator, "sipbridge.b").definition.username == "alice"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("<gateway name='x'><param></gateway>\n", "Reload XML [[error near line 2]: mismatched tag]"),
        ("\n<gateway name='x' & >\n", "Reload XML [[error near line 3]: not well-formed (invalid token)]"),
    ],
)
def test_malformed_spool_adds_nothing(
    simulator: Simulator, client: Client, spool_file: Path, text: str, line: str
) -> None:
    spool_file.write_text("<include>\n" + definition("sipbridge.a").strip() + text + "</include>\n")
    assert client.api(RESCAN) == f"{line}\n+OK scan complete\n"
    assert list(simulator.switch.profiles["providers"].gateways) == []


def test_the_preprocessor_swallows_what_stands_beside_include(
    simulator: Simulator, client: Client, spool_file: Path
) -> None:
    spool_file.write_text("<include>" + definition("sipbridge.a").strip() + "</include>\n")
    assert client.api(RESCAN) == "Reload XML [Success]\n+OK scan complete\n"
    assert list(simulator.switch.profiles["providers"].gateways) == []


@pytest.mark.parametrize(
    "refused", [definition("bad name"), definition("sipbridge.x", password=""), definition("sipbridge.x", username="")]
)
def test_gateways_that_freeswitch_refuses(simulator: Simulator, rescan: Callable[..., str], refused: str) -> None:
    assert rescan(refused) == "Reload XML [Success]"
    assert list(simulator.switch.profiles["providers"].gateways) == []


def test_no_gateway_is_told_in_words(client: Client) -> None:
    assert client.api("sofia profile providers gwlist up") == "-ERR no reply\n"


def test_killed_gateway_unregisters_and_is_deleted(
    simulator: Simulator, client: Client, rescan: Callable[..., str]
) -> None:
    client.command(STATES)
    rescan(definition("sipbridge.a"))
    states_until(client, "REGED")
    assert simulator.registrar.bindings == {"sipbridge.a"}
    assert client.api("sofia profile providers killgw sipbridge.a") == "+OK gateway marked for deletion.\n"
    assert client.api("sofia profile providers killgw sipbridge.a") == "-ERR no such gateway.\n"
    assert client.api("sofia xmlstatus gateway sipbridge.a") == "Invalid Gateway!\n"
    assert states_until(client, "DOWN") == [("DOWN", "")]
    assert client.read_event("CUSTOM")["Event-Subclass"] == "sofia::gateway_delete"
    assert simulator.registrar.bindings == set()


def test_added_again_too_early_it_loses_its_binding(
    simulator: Simulator, client: Client, spool_file: Path, rescan: Callable[..., str]
) -> None:
    client.command(STATES)
    rescan(definition("sipbridge.a"))
    states_until(client, "REGED")
    # Both between two ticks, as a controller in a hurry would.
    spool_file.write_text(definition("sipbridge.a"))
    client.write(f"api sofia profile providers killgw sipbridge.a\n\napi {RESCAN}\n\n")
    assert states_until(client, "REGED")[-1] == ("REGED", "")
    assert find(simulator, "sipbridge.a").is_up
    assert simulator.registrar.bindings == set()


def test_unregistered_gateway_counts_as_up_again(
    simulator: Simulator, client: Client, rescan: Callable[..., str]
) -> None:
    rescan(definition("sipbridge.a"))
    gateway = find(simulator, "sipbridge.a")
    wait_until(lambda: gateway.state == "REGED")
    assert client.api("sofia profile providers unregister sipbridge.a") == "+OK\n"
    wait_until(lambda: gateway.state == "DOWN" and not gateway.is_up)
    wait_until(lambda: gateway.is_up)
    assert simulator.registrar.bindings == set()


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        ("sofia profile nowhere rescan", "Invalid Profile [nowhere]"),
        ("sofia profile providers register nobody", "Invalid gateway!\n"),
        ("sofia profile providers unregister nobody", "Invalid gateway!\n"),
        ("sofia profile providers bogus", "-ERR Unknown command!\n"),
        ("sofia xmlstatus gateway nobody", "Invalid Gateway!\n"),
    ],
)
def test_errors(client: Client, command: str, answer: str) -> None:
    assert client.api(command) == answer


def test_restarted_profile_has_lost_its_gateways(
    simulator: Simulator, client: Client, rescan: Callable[..., str]
) -> None:
    client.command(STATES)
    rescan(definition("sipbridge.a"))
    states_until(client, "REGED")
    simulator.restart_profile()
    call = simulator.place_call_to_gateway("sipbridge.a", "<sip:x@example.org>", "<sip:a@example.org>")
    assert call.responses == [408]
    assert client.api("sofia profile providers gwlist up") == "Invalid Profile [providers]"
    assert states_until(client, "DOWN") == [("DOWN", "")]
    assert client.read_event("CUSTOM")["Event-Subclass"] == "sofia::gateway_delete"
    started = client.read_event("CUSTOM")
    assert (started["Event-Subclass"], started["profile_name"]) == ("sofia::profile_start", "providers")
    assert client.api("sofia profile providers gwlist up") == "-ERR no reply\n"

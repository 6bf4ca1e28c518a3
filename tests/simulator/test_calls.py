"""Calls: what the caller and the far side receive, and the events."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from simulator_client import Client, wait_until

from sipbridge.simulator import CalleeRule, CallState, SimulatedCall, Simulator
from sipbridge.simulator.calls.far_side import BUSY, NOT_FOUND, RINGS_FOR_EVER, SILENT, UNAVAILABLE

EVENTS = "event json CHANNEL_PARK CHANNEL_ANSWER CHANNEL_BRIDGE CHANNEL_UNBRIDGE CHANNEL_HANGUP_COMPLETE"
OUT = "sofia/providers/sip:bob@far.example.org"


def place(simulator: Simulator, **options: Any) -> SimulatedCall:
    return simulator.place_call(
        "sip:+33612345678@bridge.example.org;user=phone",
        '"Alice" <sip:alice@example.org>',
        "<sip:+33612345678@bridge.example.org>",
        **options,
    )


@pytest.fixture
def bridge(simulator: Simulator, client: Client) -> Callable[..., SimulatedCall]:
    """Places a call and bridges it, as a controller would."""

    def run(rule: CalleeRule | None = None, dial_string: str = OUT) -> SimulatedCall:
        simulator.far_side.rules = [rule] if rule else []
        call = place(simulator)
        assert client.execute(call.uuid, "bridge", dial_string) == "+OK"
        return call

    return run


def heard(client: Client, call: SimulatedCall) -> list[tuple[str, str]]:
    """The events of a call until its A leg is gone: their names, and whose they are."""
    told: list[tuple[str, str]] = []
    while told[-1:] != [("CHANNEL_HANGUP_COMPLETE", "A")]:
        event = client.read().event
        if event:
            told.append((event["Event-Name"], "A" if event["Unique-ID"] == call.uuid else "B"))
    return told


@pytest.mark.parametrize(
    ("rule", "cause", "responses"),
    [
        (CalleeRule(final_s=0.1, hangs_up_s=0.1), "NORMAL_CLEARING", [100, 180, 200]),
        (CalleeRule(rings_s=None, hangs_up_s=0.1), "NORMAL_CLEARING", [100, 200]),
        (CalleeRule(early_media_s=0.05, final_s=0.1, hangs_up_s=0.1), "NORMAL_CLEARING", [100, 180, 183, 200]),
        (CalleeRule(rings_s=None, early_media_s=0.0, final_s=0.1, status=486), "USER_BUSY", [100, 183, 486]),
        (BUSY, "USER_BUSY", [100, 486]),
        (NOT_FOUND, "UNALLOCATED_NUMBER", [100, 404]),
        (UNAVAILABLE, "NORMAL_TEMPORARY_FAILURE", [100, 503]),
        (CalleeRule(status=603, rings_s=None), "CALL_REJECTED", [100, 603]),
        (CalleeRule(status=480), "NO_USER_RESPONSE", [100, 180, 480]),
    ],
)
def test_callee_decides(
    bridge: Callable[..., SimulatedCall], rule: CalleeRule, cause: str, responses: list[int]
) -> None:
    call = bridge(rule).wait_until_ended()
    assert (call.hangup_cause, call.responses) == (cause, responses)


@pytest.mark.parametrize(
    ("rule", "cause", "status"), [(RINGS_FOR_EVER, "NO_ANSWER", 480), (SILENT, "RECOVERY_ON_TIMER_EXPIRE", 408)]
)
def test_nobody_answers(
    simulator: Simulator,
    bridge: Callable[..., SimulatedCall],
    monkeypatch: pytest.MonkeyPatch,
    rule: CalleeRule,
    cause: str,
    status: int,
) -> None:
    # Time passes so quickly that it would be over before it is bridged.
    monkeypatch.setattr("sipbridge.simulator.calls.call.PARK_TIMEOUT_S", 10_000)
    simulator.switch.clock.time_scale = 0.001
    call = bridge(rule).wait_until_ended()
    assert (call.hangup_cause, call.sip_status) == (cause, status)


@pytest.mark.parametrize(
    ("dial_string", "cause", "status"),
    [
        ("sofia/gateway/sipbridge.nobody/bob@example.org", "NORMAL_TEMPORARY_FAILURE", 503),
        ("sofia/nowhere/sip:bob@example.org", "NORMAL_TEMPORARY_FAILURE", 503),
        ("sofia/gateway/sipbridge.nobody", "INVALID_URL", 484),
        ("loopback/bob", "CHAN_NOT_IMPLEMENTED", 480),
        ("{a=1", "ORIGINATOR_CANCEL", 487),
    ],
)
def test_no_invite_at_all(bridge: Callable[..., SimulatedCall], dial_string: str, cause: str, status: int) -> None:
    call = bridge(None, dial_string).wait_until_ended()
    assert (call.hangup_cause, call.sip_status, call.invite) == (cause, status, None)


def test_gateway_that_is_down(simulator: Simulator, spool_file: Path, bridge: Callable[..., SimulatedCall]) -> None:
    spool_file.write_text(
        '<gateway name="sipbridge.a"><param name="username" value="a"/><param name="password" value="b"/></gateway>'
    )
    profile = simulator.switch.profiles["providers"]
    profile.rescan()
    gateway = profile.gateways.find("sipbridge.a")
    assert gateway is not None
    call = bridge(None, "sofia/gateway/sipbridge.a/bob@example.org")
    gateway.is_up = False
    assert call.wait_until_ended().hangup_cause == "GATEWAY_DOWN"
    wait_until(lambda: gateway.state == "REGED")
    call = bridge(None, "sofia/gateway/sipbridge.a/bob@example.org").wait_for_state(CallState.ANSWERED)
    assert call.invite is not None
    assert call.invite.gateway == "sipbridge.a"


def test_invite_is_what_the_dial_string_says(bridge: Callable[..., SimulatedCall]) -> None:
    call = bridge(
        None,
        "{^^|sip_invite_req_uri=sip:bob@far.example.org;a=b|sip_force_full_to=<sip:bob@far.example.org>"
        '|sip_force_full_from="A, B" <sip:a%2Cb@example.org>|sip_route_uri=sip:proxy;transport=tcp}' + OUT,
    ).wait_for_state(CallState.ANSWERED)
    assert call.invite is not None
    assert call.invite.request_uri == "sip:bob@far.example.org;a=b"
    assert call.invite.to == "<sip:bob@far.example.org>"
    assert call.invite.from_ == '"A, B" <sip:a%2Cb@example.org>'
    assert call.invite.next_hop == "sip:proxy;transport=tcp"
    assert call.injections == []


def test_injection_is_noticed(simulator: Simulator, bridge: Callable[..., SimulatedCall]) -> None:
    call = bridge(BUSY, "{^^|sip_force_full_from=${system(id)}}" + OUT).wait_until_ended()
    assert call.injections == simulator.injections == ["system(id)"]


@pytest.mark.parametrize(
    ("rule", "ends", "told"),
    [
        (
            CalleeRule(),
            lambda call: call.wait_for_state(CallState.ANSWERED).hang_up(),
            ["PARK A", "ANSWER B", "ANSWER A", "BRIDGE A", "HANGUP_COMPLETE B", "UNBRIDGE A", "HANGUP_COMPLETE A"],
        ),
        (
            CalleeRule(rings_s=None, early_media_s=0.0, final_s=0.1, status=486),
            lambda call: call.wait_until_ended(),
            ["PARK A", "BRIDGE A", "HANGUP_COMPLETE B", "UNBRIDGE A", "HANGUP_COMPLETE A"],
        ),
        (BUSY, lambda call: call.wait_until_ended(), ["PARK A", "HANGUP_COMPLETE B", "HANGUP_COMPLETE A"]),
        (
            RINGS_FOR_EVER,
            lambda call: call.wait(lambda call: call.sip_status == 180).hang_up(),
            ["PARK A", "HANGUP_COMPLETE A"],
        ),
    ],
    ids=["answered", "early media", "busy", "cancelled"],
)
def test_order_of_events(
    simulator: Simulator,
    client: Client,
    bridge: Callable[..., SimulatedCall],
    connect: Callable[[], Client],
    rule: CalleeRule,
    ends: Callable[[SimulatedCall], None],
    told: list[str],
) -> None:
    listener = connect()
    listener.command(EVENTS)
    call = bridge(rule)
    ends(call)
    assert [f"{name.removeprefix('CHANNEL_')} {leg}" for name, leg in heard(listener, call)] == told


def test_filter_hides_the_b_leg(
    client: Client, connect: Callable[[], Client], bridge: Callable[..., SimulatedCall]
) -> None:
    listener = connect()
    listener.command("event json CHANNEL_HANGUP_COMPLETE")
    listener.command("filter variable_sip_bridge true")
    call = bridge(BUSY)
    assert heard(listener, call) == [("CHANNEL_HANGUP_COMPLETE", "A")]


def test_caller_cancels(bridge: Callable[..., SimulatedCall]) -> None:
    call = bridge(RINGS_FOR_EVER).wait(lambda call: call.sip_status == 180)
    call.hang_up()
    assert (call.hangup_cause, call.responses) == ("ORIGINATOR_CANCEL", [100, 180, 487])


def test_without_a_lease_503_at_once(simulator: Simulator, client: Client) -> None:
    client.api("global_setvar sipbridge_lease=false")
    call = place(simulator)
    assert (call.state, call.responses) == (CallState.ENDED, [100, 503])


def test_paused_it_refuses_and_tells_nobody(simulator: Simulator, client: Client) -> None:
    client.command("event json ALL")
    assert client.api("fsctl pause inbound") == "+OK\n"
    assert client.api("fsctl pause_check inbound") == "true"
    assert place(simulator).responses == [100, 503]
    assert client.api("show channels as json") == '{"row_count": 0}\n'
    assert client.api("fsctl resume inbound") == "+OK\n"
    assert place(simulator).state is CallState.PARKED


def test_lease_that_nobody_renews_runs_out(simulator: Simulator, client: Client) -> None:
    assert client.api("sched_api +1 sipbridge_lease global_setvar sipbridge_lease=false").startswith("+OK Added: ")
    wait_until(lambda: simulator.switch.variables["sipbridge_lease"] == "false")
    assert place(simulator).sip_status == 503


def test_renewed_lease_does_not_run_out(simulator: Simulator, client: Client) -> None:
    client.api("sched_api +1 sipbridge_lease global_setvar sipbridge_lease=false")
    assert client.api("sched_del sipbridge_lease") == "+OK Deleted: 1\n"
    client.api("sched_api +2 other global_setvar other=done")
    wait_until(lambda: simulator.switch.variables.get("other") == "done")
    assert simulator.switch.variables["sipbridge_lease"] == "true"


def test_call_that_nobody_controls(simulator: Simulator) -> None:
    call = place(simulator).wait_until_ended()
    assert (call.hangup_cause, call.sip_status) == ("NORMAL_TEMPORARY_FAILURE", 503)


def test_strangers_are_refused(simulator: Simulator) -> None:
    call = place(simulator, profile="providers")
    assert (call.state, call.responses) == (CallState.ENDED, [100, 403])
    call = simulator.place_call_to_gateway("sipbridge.nobody", "<sip:x@y.org>", "<sip:a@b.org>")
    assert call.responses == [100, 403]


def test_responses_of_respond(simulator: Simulator, client: Client) -> None:
    call = place(simulator)
    client.execute(call.uuid, "respond", "404 Not Found")
    assert call.wait_until_ended().responses == [100, 404]


def test_uuid_commands(simulator: Simulator, client: Client) -> None:
    call = place(simulator)
    assert client.api(f"uuid_exists {call.uuid}") == "true"
    assert client.api(f"uuid_setvar {call.uuid} colour dark blue") == "+OK\n"
    assert client.api(f"uuid_getvar {call.uuid} colour") == "dark blue"
    assert client.api(f"uuid_getvar {call.uuid} shape") == "_undef_"
    assert client.api(f"uuid_kill {call.uuid} USER_BUSY") == "+OK\n"
    assert call.wait_until_ended().sip_status == 486
    assert client.api(f"uuid_exists {call.uuid}") == "false"
    assert client.api(f"uuid_kill {call.uuid}") == "-ERR No such channel!\n"
    assert client.command(f"sendmsg {call.uuid}\ncall-command: hangup") == f"-ERR invalid session id [{call.uuid}]"


@pytest.mark.parametrize(
    ("rule", "leg", "told"),
    [
        (CalleeRule(), "A", [("NORMAL_CLEARING", "B"), ("MANAGER_REQUEST", "A")]),
        (CalleeRule(), "B", [("MANAGER_REQUEST", "B"), ("MANAGER_REQUEST", "A")]),
        (RINGS_FOR_EVER, "A", [("MANAGER_REQUEST", "A"), ("ORIGINATOR_CANCEL", "B")]),
        (RINGS_FOR_EVER, "B", [("MANAGER_REQUEST", "B"), ("MANAGER_REQUEST", "A")]),
    ],
)
def test_killed_leg_takes_the_other_along(
    client: Client,
    connect: Callable[[], Client],
    bridge: Callable[..., SimulatedCall],
    rule: CalleeRule,
    leg: str,
    told: list[tuple[str, str]],
) -> None:
    listener = connect()
    listener.command("event json CHANNEL_HANGUP_COMPLETE")
    call = bridge(rule).wait(lambda call: call.sip_status == (200 if rule.final_s is not None else 180))
    assert call.outgoing_leg is not None
    uuids = {"A": call.uuid, "B": call.outgoing_leg.channel.uuid}
    client.api(f"uuid_kill {uuids[leg]} MANAGER_REQUEST")
    events = [listener.read_event("CHANNEL_HANGUP_COMPLETE") for _ in told]
    assert [(event["Hangup-Cause"], "A" if event["Unique-ID"] == call.uuid else "B") for event in events] == told


def test_account_code_shows_once_an_application_started_after_it(simulator: Simulator, client: Client) -> None:
    def rows() -> list[dict[str, str]]:
        answer = json.loads(client.api("show channels as json"))
        assert answer["row_count"] == len(answer.get("rows", []))
        rows: list[dict[str, str]] = answer.get("rows", [])
        return rows

    call = place(simulator)
    client.api(f"uuid_setvar {call.uuid} accountcode 0123456789abcdef")
    assert [row["accountcode"] for row in rows()] == [""]
    client.execute(call.uuid, "bridge", OUT)
    call.wait_for_state(CallState.ANSWERED)
    assert [(row["direction"], row["accountcode"]) for row in rows()] == [
        ("inbound", "0123456789abcdef"),
        ("outbound", ""),
    ]
    assert {row["call_uuid"] for row in rows()} == {call.uuid}
    assert client.api("show calls count") == "\n1 total.\n"
    assert client.api("show channels count") == "\n2 total.\n"
    call.hang_up()
    assert rows() == []


def test_bytes_that_are_not_utf8_go_through(simulator: Simulator, client: Client) -> None:
    name = b"caf\xe9".decode("utf-8", "surrogateescape")
    client.command("event json CHANNEL_PARK")
    simulator.place_call("sip:bob@example.org", f'"{name}" <sip:alice@example.org>', "<sip:bob@example.org>")
    assert client.read_event("CHANNEL_PARK")["variable_sip_from_display"] == name
    assert json.loads(client.api("show channels as json"))["rows"][0]["cid_name"] == name


def test_waiting_has_an_end(simulator: Simulator) -> None:
    call = place(simulator)
    with pytest.raises(TimeoutError, match="parked"):
        call.wait_for_state(CallState.ANSWERED, timeout_s=0.01)

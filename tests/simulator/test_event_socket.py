"""The Event Socket: framing, subscriptions, filters, and the order of what is sent."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from simulator_client import Client

from sipbridge.simulator import Simulator
from sipbridge.simulator.wire.protocol import Command, CommandReader, Event, format_json_event, format_plain_event
from sipbridge.simulator.wire.subscription import Filter, Subscription


def place(simulator: Simulator, from_header: str = "<sip:alice@example.org>") -> None:
    simulator.place_call("sip:bob@example.org", from_header, "<sip:bob@example.org>")


@pytest.mark.parametrize(
    ("command", "reply"),
    [
        ("nonsense", "-ERR command not found"),
        ("api", "-ERR command not found"),
        ("auth ClueCon", "-ERR command not found"),
        ("filter", "-ERR command not found"),
        ("filter x", "-ERR invalid syntax"),
        ("filter delete x", "+OK filter deleted. [x][]"),
        ("filter add Event-Name HEARTBEAT", "+OK filter added. [Event-Name]=[HEARTBEAT]"),
        ("event json", "-ERR no keywords supplied"),
        ("event json NOPE", "-ERR no keywords supplied"),
        ("event json nope HEARTBEAT", "+OK event listener enabled json"),
        ("event plain HEARTBEAT", "+OK event listener enabled plain"),
        ("nixevent HEARTBEAT", "+OK events nixed"),
        ("noevents", "+OK no longer listening for events"),
        ("sendmsg", "-ERR invalid session id []"),
    ],
)
def test_replies(client: Client, command: str, reply: str) -> None:
    assert client.command(command) == reply


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        ("nonsense x", "-ERR nonsense Command not found!\n"),
        ("global_getvar nothing", "-ERR no reply\n"),
        ("global_setvar colour=blue", "+OK"),
        ("global_setvar", "-USAGE: <var>=<value> [=<value2>]\n"),
        ("sched_del nothing", "+OK Deleted: 0\n"),
        ("sched_api +soon group global_getvar x", "+OK Added: 1\n"),
        ("sched_api", "-ERR Invalid syntax. USAGE: [+@]<time> <group_name> <command_string>[&]\n"),
        ("uuid_exists nobody", "false"),
        ("uuid_setvar", "-USAGE: <uuid> <var> [value]\n"),
        ("uuid_setvar nobody x y", "-ERR No such channel!\n"),
        ("uuid_kill", "-USAGE: <uuid> [cause]\n"),
        ("show channels as json", '{"row_count": 0}\n'),
    ],
)
def test_answers(client: Client, command: str, answer: str) -> None:
    assert client.api(command) == answer


def test_pipelined_commands_are_answered_in_order(client: Client) -> None:
    client.write("".join(f"api global_setvar n{i}={i}\n\napi global_getvar n{i}\n\n" for i in range(200)))
    answers = [client.read().text for _ in range(400)]
    assert answers[1::2] == [str(i) for i in range(200)]


def test_background_job_tells_its_result(client: Client) -> None:
    client.command("event json BACKGROUND_JOB")
    assert client.command("bgapi global_getvar hostname\nJob-UUID: mine") == "+OK Job-UUID: mine"
    event = client.read_event("BACKGROUND_JOB")
    assert (event["Job-UUID"], event["Job-Command"], event["_body"]) == ("mine", "global_getvar", "simulator")


def test_every_connection_has_its_own_subscription(simulator: Simulator, connect: Callable[[], Client]) -> None:
    listening, deaf, filtering = connect(), connect(), connect()
    listening.command("event json CHANNEL_PARK")
    filtering.command("event json CHANNEL_PARK")
    filtering.command("filter Caller-Username nobody")
    place(simulator)
    assert listening.read_event("CHANNEL_PARK")["variable_sip_bridge"] == "true"
    assert deaf.is_silent(0.02)
    assert filtering.is_silent(0.02)


def test_heartbeat(client: Client) -> None:
    client.command("event json HEARTBEAT")
    client.command("filter Event-Name HEARTBEAT")
    assert client.read_event("HEARTBEAT")["Event-Info"] == "System Ready"


def test_plain_events_are_escaped(simulator: Simulator, client: Client) -> None:
    client.command("event plain CHANNEL_PARK")
    place(simulator, '"x\u00e9" <sip:a%0Ab@example.org>')
    frame = client.read()
    assert frame.content_type == "text/event-plain"
    lines = frame.text.split("\n")
    assert "Event-Name: CHANNEL_PARK" in lines
    assert "variable_sip_from_user: a%0Ab" in lines
    assert "variable_sip_from_display: x%C3%A9" in lines


@pytest.mark.parametrize("received", [b"api version\n\n", b"\n\napi version\n\n", b"api version\r\n\r\n"])
def test_reader_takes_any_line_end(received: bytes) -> None:
    assert list(CommandReader().feed(received)) == [Command("api version")]


def test_reader_waits_for_the_rest() -> None:
    reader = CommandReader()
    text = b"sendmsg u\ncall-command: execute\ncontent-length: 5\n\nhelloexit\n\n"
    commands = [command for i in range(len(text)) for command in reader.feed(text[i : i + 1])]
    assert [(command.line, command.body) for command in commands] == [("sendmsg u", "hello"), ("exit", "")]


def test_what_is_not_utf8_goes_out_as_it_came_in() -> None:
    text = b"caf\xe9".decode("utf-8", "surrogateescape")
    assert b'{"a":"caf\xe9"}' in format_json_event({"a": text})
    assert b"a: caf%E9\n" in format_plain_event({"a": text})


@pytest.mark.parametrize(
    ("filters", "passes"),
    [
        ([], True),
        ([("variable_sip_bridge", "true")], True),
        ([("Variable_SIP_bridge", "TRUE")], True),
        ([("variable_sip_bridge", "false")], False),
        ([("variable_none", "true")], False),
        ([("variable_none", "true"), ("Event-Name", "CHANNEL_PARK")], True),
        ([("Event-Name", "/CHANNEL_.*/")], True),
        ([("Event-Name", "CHANNEL_PARK"), ("variable_sip_bridge", "-true")], False),
        ([("array", "first")], True),
    ],
)
def test_filters(filters: list[tuple[str, str]], passes: bool) -> None:
    subscription = Subscription()
    subscription.add(["CHANNEL_PARK"])
    subscription.filters = [Filter(name, value) for name, value in filters]
    event: Event = {"Event-Name": "CHANNEL_PARK", "variable_sip_bridge": "true", "array": ["first", "second"]}
    assert subscription.wants(event) is passes


def test_all_words_after_custom_are_subclasses() -> None:
    subscription = Subscription()
    subscription.add(["HEARTBEAT", "CUSTOM", "sofia::gateway_state", "CHANNEL_PARK"])
    assert subscription.names == {"HEARTBEAT", "CUSTOM"}
    assert subscription.wants({"Event-Name": "CUSTOM", "Event-Subclass": "sofia::gateway_state"})
    assert not subscription.wants({"Event-Name": "CUSTOM", "Event-Subclass": "sofia::gateway_add"})
    assert not subscription.wants({"Event-Name": "CHANNEL_PARK"})

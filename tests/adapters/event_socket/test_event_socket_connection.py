"""One connection: commands are answered in order, and every fault of the far side is reported soon."""

from __future__ import annotations

import gc
import re
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import gevent
import pytest
from event_socket_examples import new_connection
from scripted_server import (
    ACCEPTED,
    AUTH_REQUEST,
    DISCONNECT,
    PASSWORD,
    Client,
    event,
    hold,
    raw_event,
    reply,
    response,
    serving,
    until,
)

from sipbridge.adapters.event_socket.command_tally import CommandTally
from sipbridge.adapters.event_socket.connection import MAX_PENDING_COMMANDS, EventSocketConnection
from sipbridge.adapters.event_socket.unanswered import Reply
from sipbridge.ports import NotSent, SwitchLost, Unconfirmed

Script = Callable[[Client], None]

MORE_THAN_FITS = "x" * 16 * 1024 * 1024
"""Into the buffers of a connection."""


def echo(command: str) -> bytes:
    """Answers ``api X`` with X."""
    return response(command.removeprefix("api "))


def answering(answers: Callable[[str], bytes | None] = echo) -> Script:
    """Authenticates, and answers every command until ``exit``."""

    def script(client: Client) -> None:
        client.authenticate()
        client.answer(answers)
        if client.commands[-1] == "exit":
            client.send(reply("+OK bye") + DISCONNECT)

    return script


def sending(*data: bytes) -> Script:
    """Authenticates, sends this in one go, and holds."""

    def script(client: Client) -> None:
        client.authenticate()
        client.send(b"".join(data))
        client.answer(lambda _: None)

    return script


@contextmanager
def connected(script: Script, **settings: Any) -> Iterator[EventSocketConnection]:
    with serving(script) as server:
        connection = new_connection(server.port, **settings)
        connection.connect()
        try:
            yield connection
        finally:
            connection.lose("the test is over")


# Connecting


def test_it_authenticates_and_says_goodbye() -> None:
    with serving(answering()) as server:
        connection = new_connection(server.port)
        connection.connect()
        assert connection.connected
        connection.stop()
        assert not connection.connected
        until(lambda: server.clients[0].commands == [f"auth {PASSWORD}", "exit"])


def test_what_was_posted_before_stop_is_carried_out() -> None:
    outcomes: list[Any] = []
    with connected(answering()) as connection:
        for command in ("api a", "api b"):
            connection.post(command, outcomes.append)
        connection.stop()
        assert outcomes == [Reply("a"), Reply("b")]


def test_stop_does_not_wait_long_for_a_peer_that_does_not_answer() -> None:
    def script(client: Client) -> None:
        client.authenticate()
        hold(client)

    with connected(script) as connection:
        outcomes: list[Any] = []
        connection.post("api a", outcomes.append)
        connection.stop()
        assert [type(each) for each in outcomes] == [Unconfirmed]
        assert connection.wait_lost() == "closed by sipbridge"


def _refuses(client: Client) -> None:
    client.send(AUTH_REQUEST)
    client.command()
    client.send(reply("-ERR invalid") + DISCONNECT)


def _is_rude(client: Client) -> None:
    client.send(b"Content-Type: text/rude-rejection\nContent-Length: 24\n\nAccess Denied, go away.\n")


def _is_no_event_socket(client: Client) -> None:
    client.send(b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n\n\n")


def _closes(_client: Client) -> None:
    pass


def _closes_after_the_greeting(client: Client) -> None:
    client.send(AUTH_REQUEST)


def _never_answers_the_password(client: Client) -> None:
    client.send(AUTH_REQUEST)
    hold(client)


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (_refuses, "rejected the Event Socket password"),
        (_is_rude, "refused by FreeSWITCH's access list"),
        (_is_no_event_socket, "protocol error: header line without a colon"),
        (_closes, "closed by FreeSWITCH"),
        (_closes_after_the_greeting, "closed by FreeSWITCH|reset by peer"),
        (hold, "no greeting from 127.0.0.1:[0-9]+ within 0.2 s"),
        (_never_answers_the_password, "no greeting from 127.0.0.1:[0-9]+ within 0.2 s"),
    ],
    ids=lambda each: getattr(each, "__name__", ""),
)
def test_why_it_cannot_connect(script: Script, reason: str) -> None:
    with serving(script) as server:
        connection = new_connection(server.port, connect_timeout_s=0.2)
        with pytest.raises(SwitchLost, match=reason) as raised:
            connection.connect()
        assert not connection.connected
        assert PASSWORD not in str(raised.value)
        connection.stop()


def test_nobody_listens() -> None:
    with serving(hold) as server:
        port = server.port
    connection = new_connection(port)
    with pytest.raises(SwitchLost, match=r"cannot connect to 127.0.0.1:\d+: .*refused"):
        connection.connect()
    connection.stop()


def test_one_that_was_stopped_does_not_connect_any_more() -> None:
    with serving(answering()) as server:
        connection = new_connection(server.port)
        connection.stop()
        with pytest.raises(SwitchLost, match="closed by sipbridge"):
            connection.connect()
        assert not connection.connected


def test_stop_ends_a_connect_that_is_under_way() -> None:
    with serving(hold) as server:
        connection = new_connection(server.port)
        connecting = gevent.spawn(connection.connect)
        until(lambda: connection.connected)
        connection.stop()
        with pytest.raises(SwitchLost, match="closed by sipbridge"):
            connecting.get()


# Commands


def test_replies_find_their_commands_in_order() -> None:
    with connected(answering()) as connection:
        assert [each.text for each in connection.send_all([f"api {number}" for number in range(500)])] == [
            str(number) for number in range(500)
        ]
        assert connection.send("api last") == Reply("last")


def test_many_commands_are_under_way_at_once() -> None:
    def script(client: Client) -> None:
        client.authenticate()
        commands = [client.command() for _ in range(3)]
        for command in commands:
            client.send(echo(str(command)))
        hold(client)

    with connected(script) as connection:
        assert [each.text for each in connection.send_all(["api a", "api b", "api c"])] == ["a", "b", "c"]


def test_replies_may_come_in_any_pieces() -> None:
    def script(client: Client) -> None:
        client.authenticate()
        while (command := client.command()) is not None:
            for byte in echo(command):
                client.send(bytes([byte]))
                gevent.sleep(0)

    with connected(script) as connection:
        assert [each.text for each in connection.send_all(["api a\nb: c", "api \u00e9"])] == ["a\nb: c", "\u00e9"]


def test_a_large_command_and_a_large_reply_are_whole() -> None:
    text = "x" * 3_000_000
    with connected(answering()) as connection:
        assert connection.send(f"api {text}").text == text


@pytest.mark.parametrize(
    ("text", "is_error"), [("+OK", False), ("-ERR no", True), ("-USAGE: x", True), ("true", False)]
)
def test_which_replies_are_errors(text: str, is_error: bool) -> None:
    assert Reply(text).is_error is is_error


@pytest.mark.parametrize(("command", "answer"), [("api status", reply("+OK")), ("noevents", response("+OK"))])
def test_a_reply_of_the_wrong_kind_means_that_one_was_lost(command: str, answer: bytes) -> None:
    with serving(answering(lambda _: answer)) as server:
        connection = new_connection(server.port)
        connection.connect()
        with pytest.raises(Unconfirmed, match="unexpected reply"):
            connection.send(command)
        assert not connection.connected


def test_a_body_may_hold_anything() -> None:
    body = "line\n\napi reload\r\n\n'\u00e9\udcff"
    replies: list[Any] = []
    with serving(answering(lambda _: reply("+OK"))) as server:
        connection = new_connection(server.port)
        connection.connect()
        connection.post("sendmsg x", replies.append, body=body)
        assert connection.send("noevents").text == "+OK"
        assert replies == [Reply("+OK")]
        assert server.clients[0].commands[1].endswith(f"\n\n{body}")
        connection.lose("the test is over")


@pytest.mark.parametrize(
    "command", ["api a\n\napi b", "api a\r\n", "api a\n", "\napi a", "api a\rb", "api \ud800"], ids=ascii
)
def test_a_command_that_holds_an_end_is_refused_and_shifts_no_reply(command: str) -> None:
    with connected(answering()) as connection:
        with pytest.raises((AssertionError, UnicodeEncodeError)):
            connection.send(command)
        assert connection.send("api b").text == "b"


def test_replies_that_are_not_utf_8_are_read_all_the_same() -> None:
    with connected(answering(lambda _: b"Content-Type: api/response\nContent-Length: 3\n\na\xffb")) as connection:
        assert connection.send("api a").text == "a\ufffdb"


# Losing it


def _lost_with(connection: EventSocketConnection, command: str) -> SwitchLost:
    outcomes: list[Reply | SwitchLost] = []
    connection.post(command, outcomes.append)
    until(lambda: outcomes)
    (outcome,) = outcomes
    assert isinstance(outcome, SwitchLost)
    assert not connection.connected
    return outcome


def test_all_who_wait_are_told_when_it_is_closed() -> None:
    def script(client: Client) -> None:
        client.authenticate()
        client.command()

    with connected(script) as connection:
        outcomes: list[Reply | SwitchLost] = []
        for number in range(10):
            connection.post(f"api {number}", outcomes.append)
        started = time.monotonic()
        assert re.search("closed by FreeSWITCH|reset by peer", connection.wait_lost())
        assert time.monotonic() - started < 5.0
        assert [type(each) for each in outcomes] == [Unconfirmed] * 10


def test_what_was_not_sent_yet_is_told_so() -> None:
    with connected(answering(lambda _: None)) as connection:
        outcomes: list[Reply | SwitchLost] = []
        connection.post("api sent", outcomes.append)
        connection.post("sendmsg more than there is room for", outcomes.append, body=MORE_THAN_FITS)
        connection.post("api kept", outcomes.append)
        connection.lose("a test")
        connection.post("api after", outcomes.append)
        assert [type(each) for each in outcomes] == [Unconfirmed, NotSent, NotSent, NotSent]
        assert "a test" in str(outcomes[0])


def test_what_finds_no_room_is_sent_later_and_in_order() -> None:
    def answer(command: str) -> bytes:
        return (response if command.startswith("api ") else reply)(command[:12])

    with connected(answering(answer)) as connection:
        replies: list[Any] = []
        for command, body in (("sendmsg first", MORE_THAN_FITS), ("api second", None), ("api third", None)):
            connection.post(command, replies.append, body=body)
        assert connection.send("api the last").text == "api the last"
        assert [each.text for each in replies] == ["sendmsg firs", "api second", "api third"]


def test_a_command_leaves_before_its_sender_goes_on() -> None:
    """Nothing that follows a decision, such as the log, may hold up the call."""
    with connected(answering(lambda _: None)) as connection:
        connection.post("api now", lambda _: None)
        # Nobody else has had a turn since.
        assert connection._outgoing == []


def test_a_lost_connection_leaves_nothing_to_the_collector() -> None:
    """The daemon has it pass over what there was at a reload."""
    gc.collect()
    gc.disable()
    try:
        with serving(answering()) as server:
            connection = new_connection(server.port)
            connection.connect()
            connection.register_handle("SHUTDOWN", lambda _, connection=connection: connection.lose("shut down"))
            connection.send("api a")
            connection.lose("a test")
            left = weakref.ref(connection)
            del connection
            # Its greenlets end.
            gevent.sleep(0.05)
            assert left() is None
    finally:
        gc.enable()


def test_commands_without_an_answer_are_counted_as_lost() -> None:
    tally = CommandTally()
    with connected(answering(lambda command: echo(command) if command == "api a" else None), tally=tally) as made:
        made.send("api a")
        made.post("api b", lambda _: None)
        assert made.pending_commands == 1
        made.lose("a test")
    # The first is the authentication.
    assert (tally.ok, tally.refused, tally.lost) == (2, 0, 1)
    assert sum(tally.round_trip.counts) == 2


def test_only_the_first_reason_counts() -> None:
    with connected(answering()) as connection:
        connection.lose("the first")
        connection.lose("the second")
        assert connection.wait_lost() == "the first"


def test_a_peer_that_does_not_answer_any_more_is_lost_after_the_deadline() -> None:
    def script(client: Client) -> None:
        client.authenticate()
        client.command()
        client.send(echo("api a"))
        hold(client)

    with connected(script, command_timeout_s=0.2) as connection:
        assert connection.send("api a").text == "a"
        started = time.monotonic()
        assert "no reply within 0.2 s" in str(_lost_with(connection, "api b"))
        assert 0.15 < time.monotonic() - started < 5.0


def test_a_peer_that_does_not_read_any_more_is_lost_after_the_deadline() -> None:
    def script(client: Client) -> None:
        client.authenticate()
        hold(client)

    with connected(script, command_timeout_s=0.2) as connection:
        connection.post("api " + "x" * 20_000_000, lambda _: None)
        gevent.sleep(0.01)
        assert isinstance(_lost_with(connection, "api b"), NotSent)


def test_a_slow_command_has_its_own_deadline_and_delays_the_next() -> None:
    def script(client: Client) -> None:
        client.authenticate()
        while (command := client.command()) is not None:
            gevent.sleep(0.5 if command == "api slow" else 0)
            client.send(echo(command))

    with connected(script, command_timeout_s=0.3) as connection:
        outcomes: list[Any] = []
        connection.post("api slow", outcomes.append, timeout_s=10.0)
        connection.post("api quick", outcomes.append)
        until(lambda: len(outcomes) == 2)
        assert [each.text for each in outcomes] == ["slow", "quick"]


def test_a_long_rest_is_not_counted_against_the_next_command() -> None:
    with connected(answering(), command_timeout_s=0.2) as connection:
        connection.send("api a")
        gevent.sleep(0.5)
        assert connection.send("api b").text == "b"


def test_a_connection_that_should_beat_and_does_not_is_lost() -> None:
    with connected(answering(), silence_timeout_s=0.2, command_timeout_s=0.2) as connection:
        assert connection.wait_lost() == "nothing received for 0.2 s"


def test_heartbeats_keep_it() -> None:
    def script(client: Client) -> None:
        client.authenticate()
        for _ in range(15):
            client.send(event("HEARTBEAT"))
            gevent.sleep(0.1)

    with connected(script, silence_timeout_s=1.0, command_timeout_s=0.2) as connection:
        assert re.search("closed by FreeSWITCH|reset by peer", connection.wait_lost())


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (reply("+OK"), "unexpected reply"),
        (b"Content-Type: api/response\nContent-Length: -5\n\n", "protocol error: invalid Content-Length '-5'"),
        (
            b"Content-Type: api/response\nContent-Length: " + b"9" * 5_000 + b"\n\n",
            "protocol error: invalid Content-Length",
        ),
        (b"\x00\xff garbage\n\n", "protocol error: header line without a colon"),
        (DISCONNECT, "disconnected by FreeSWITCH"),
    ],
    ids=["unasked reply", "negative length", "huge length", "garbage", "disconnect"],
)
def test_what_cannot_be_right_loses_it(data: bytes, reason: str) -> None:
    with connected(sending(data)) as connection:
        assert connection.wait_lost().startswith(reason)


def test_nothing_is_handled_after_it_was_lost() -> None:
    script = sending(event("FIRST"), reply("+OK"), event("SECOND"))
    seen: list[str] = []
    with serving(script) as server:
        connection = new_connection(server.port)
        for name in ("FIRST", "SECOND"):
            connection.register_handle(name, lambda each: seen.append(each["Event-Name"]))
        connection.connect()
        connection.wait_lost()
        gevent.sleep(0.01)
        assert seen == ["FIRST"]


def test_commands_do_not_pile_up_without_end() -> None:
    with connected(answering(lambda _: None)) as connection:
        outcomes: list[Any] = []
        for _ in range(MAX_PENDING_COMMANDS + 1):
            connection.post("api a", outcomes.append)
        assert [type(each) for each in outcomes] == [NotSent]
        assert connection.connected


def test_a_reply_handler_that_raises_costs_no_other(caplog: pytest.LogCaptureFixture) -> None:
    def fails(_: object) -> None:
        raise RuntimeError("a defect")

    with connected(answering()) as connection:
        connection.post("api a", fails)
        assert connection.send("api b").text == "b"
        outcomes: list[Any] = []
        connection.post("api c", fails)
        connection.post("api d", outcomes.append)
        connection.lose("a test")
        assert [type(each) for each in outcomes] == [Unconfirmed]
    assert caplog.text.count("RuntimeError: a defect") == 2


# Events


def events_of(*data: bytes, names: tuple[str, ...] = ("CHANNEL_PARK",)) -> list[dict[str, Any]]:
    seen: list[dict[str, Any]] = []
    with serving(sending(*data, event("LAST"))) as server:
        connection = new_connection(server.port)
        for name in (*names, "LAST"):
            connection.register_handle(name, seen.append)
        connection.connect()
        until(lambda: seen and seen[-1]["Event-Name"] == "LAST")
        assert connection.connected
        connection.lose("the test is over")
    return seen[:-1]


def test_events_reach_their_handlers_in_order() -> None:
    names = ("CHANNEL_PARK", "sofia::gateway_state")
    seen = events_of(
        event("CHANNEL_PARK", **{"Unique-ID": "1"}),
        event("CHANNEL_ANSWER", **{"Unique-ID": "1"}),
        event("CUSTOM", **{"Event-Subclass": "sofia::gateway_state", "State": "REGED"}),
        event("CUSTOM", **{"Event-Subclass": "conference::maintenance"}),
        event("CHANNEL_PARK", **{"Unique-ID": "2"}),
        names=names,
    )
    assert [each.get("Unique-ID", each.get("State")) for each in seen] == ["1", "REGED", "2"]


def test_an_event_that_is_not_utf_8_is_read_all_the_same() -> None:
    (seen,) = events_of(raw_event(b'{"Event-Name":"CHANNEL_PARK","variable_sip_full_from":"\xff\xfe <sip:a@b>"}'))
    assert seen["variable_sip_full_from"] == "\ufffd\ufffd <sip:a@b>"


@pytest.mark.parametrize("body", [b"", b"{", b"[1]", b'"CHANNEL_PARK"', b"null", b"{" * 100_000], ids=lambda b: b[:8])
def test_an_event_that_is_no_json_object_is_dropped(body: bytes) -> None:
    assert [each["Unique-ID"] for each in events_of(raw_event(body), event("CHANNEL_PARK", **{"Unique-ID": "2"}))] == [
        "2"
    ]


def test_an_event_cannot_become_two() -> None:
    text = "x\n\nContent-Type: text/event-json\nContent-Length: 5\n\n{}"
    (seen,) = events_of(event("CHANNEL_PARK", variable_sip_from_user=text))
    assert seen["variable_sip_from_user"] == text


def test_an_unknown_frame_is_passed_over(caplog: pytest.LogCaptureFixture) -> None:
    frame = b"Content-Type: log/data\nContent-Length: 3\n\nabc"
    assert len(events_of(frame, event("CHANNEL_PARK"))) == 1
    assert "log/data" in caplog.text


def test_an_event_handler_that_raises_costs_no_other(caplog: pytest.LogCaptureFixture) -> None:
    seen: list[Any] = []

    def fails(_: object) -> None:
        raise RuntimeError("a defect")

    with serving(sending(event("A", **{"Unique-ID": "call-1"}), event("B"))) as server:
        connection = new_connection(server.port)
        connection.register_handle("A", fails)
        connection.register_handle("A", seen.append)
        connection.register_handle("B", seen.append)
        connection.connect()
        until(lambda: len(seen) == 2)
        assert connection.connected
        connection.lose("the test is over")
    assert "handling A for channel call-1 failed" in caplog.text


def test_a_flood_of_events_lets_others_run() -> None:
    turns = 0

    def script(client: Client) -> None:
        client.authenticate()
        client.send(event("CHANNEL_ANSWER", text="x" * 500) * 20_000)
        client.answer(echo)

    with connected(script) as connection:
        sent = gevent.spawn(connection.send, "api a")
        while not sent.ready():
            turns += 1
            gevent.sleep(0)
        assert sent.get().text == "a"
    assert turns > 10


def test_an_accepted_reply_after_the_greeting_is_needed() -> None:
    """The greeting alone, told twice, changes nothing."""

    def script(client: Client) -> None:
        client.send(AUTH_REQUEST + AUTH_REQUEST)
        client.command()
        client.send(ACCEPTED)
        client.answer(echo)

    with connected(script) as connection:
        assert connection.send("api a").text == "a"

"""The link's two connections are lost together and reconnected together."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import gevent
import pytest
from event_socket_examples import settings
from scripted_server import DISCONNECT, PASSWORD, Client, Server, reply, response, serving, until

from sipbridge.adapters.event_socket.connection import EventSocketConnection
from sipbridge.adapters.event_socket.link import Link
from sipbridge.core.errors import SipBridgeError
from sipbridge.ports import CommandRefused, SwitchLost


class User:
    """Notes what it is told; `on_up` is what it does with a link that stands."""

    def __init__(self, on_up: Callable[[EventSocketConnection, EventSocketConnection], None]) -> None:
        self.told: list[str] = []
        self.ups: list[float] = []
        self.connections: list[EventSocketConnection] = []
        self._on_up = on_up

    def on_link_up(self, events: EventSocketConnection, commands: EventSocketConnection) -> None:
        self.told.append("up")
        self.ups.append(time.monotonic())
        self.connections = [events, commands]
        self._on_up(events, commands)

    def on_link_down(self, reason: str) -> None:
        self.told.append(f"down: {reason}")


def serve(client: Client) -> None:
    client.authenticate()
    client.answer(lambda command: response(command))
    if client.commands[-1] == "exit":
        client.send(reply("+OK bye") + DISCONNECT)


@contextmanager
def linked(
    port: int, on_up: Callable[[EventSocketConnection, EventSocketConnection], None] = lambda *_: None, **differing: Any
) -> Iterator[User]:
    user = User(on_up)
    link = Link(settings(port, **differing), user, jitter=lambda: 1.0)
    running = gevent.spawn(link.run)
    try:
        yield user
    finally:
        link.stop()
        running.get(timeout=5)


@pytest.fixture
def server() -> Iterator[Server]:
    with serving(serve) as made:
        yield made


def test_both_connections_stand_before_the_user_is_told(server: Server) -> None:
    answers: list[str] = []

    def ask(events: EventSocketConnection, commands: EventSocketConnection) -> None:
        answers.extend([events.send("api version").text, commands.send("api status").text])

    with linked(server.port, ask):
        until(lambda: answers == ["api version", "api status"])
    assert len(server.clients) == 2


@pytest.mark.parametrize("which", [0, 1], ids=["events", "commands"])
def test_when_one_is_lost_so_is_the_other_and_both_come_back(server: Server, which: int) -> None:
    with linked(server.port) as user:
        until(lambda: len(server.clients) == 2 and user.told == ["up"])
        first = user.connections
        first[which].lose("a test")
        until(lambda: user.told == ["up", "down: a test", "up"])
        assert not first[0].connected
        assert not first[1].connected
        until(lambda: len(server.clients) == 4)


def test_a_server_that_goes_away_is_waited_for() -> None:
    with serving(serve) as server:
        port = server.port
        with linked(port) as user:
            until(lambda: user.told == ["up"])
            server.stop()
            until(lambda: user.told[-1].startswith("down: cannot connect"))
            assert user.told.count("up") == 1


def test_who_waits_in_another_greenlet_is_told_at_once() -> None:
    def script(client: Client) -> None:
        client.authenticate()
        client.answer(lambda command: None if command == "api slow" else response(command))

    with serving(script) as server, linked(server.port) as user:
        until(lambda: user.told == ["up"])
        events, commands = user.connections
        waiting = gevent.spawn(commands.send, "api slow")
        until(lambda: any("api slow" in client.commands for client in server.clients))
        events.lose("a test")
        with pytest.raises(SwitchLost, match="the other connection was lost"):
            waiting.get(timeout=1)
        until(lambda: user.told[:3] == ["up", "down: a test", "up"])


@pytest.mark.parametrize(
    "error", [SwitchLost("lost"), CommandRefused("show channels", "-ERR"), SipBridgeError("x")], ids=repr
)
def test_a_user_that_cannot_use_it_gets_another(server: Server, error: SipBridgeError) -> None:
    errors = [error]

    def fail_once(*_: object) -> None:
        if errors:
            raise errors.pop()

    with linked(server.port, fail_once) as user:
        until(lambda: user.told == ["up", f"down: {error}", "up"])
        assert len(server.clients) == 4


def test_a_defect_in_the_user_closes_both_and_is_not_swallowed(server: Server) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    user = User(fail)
    link = Link(settings(server.port), user)
    with pytest.raises(ZeroDivisionError):
        link.run()
    assert not any(connection.connected for connection in user.connections)
    link.stop()


def test_a_connection_that_is_lost_while_the_user_asks_ends_the_link() -> None:
    def script(client: Client) -> None:
        client.authenticate()
        client.answer(lambda command: response(command))

    def ask(events: EventSocketConnection, commands: EventSocketConnection) -> None:
        events.lose("a test")
        commands.send("api version")

    with serving(script) as server, linked(server.port, ask) as user:
        until(lambda: user.told[:3] == ["up", "down: a test", "up"])


def test_attempts_are_ever_further_apart_and_start_afresh_once_it_was_up() -> None:
    refused: list[float] = []

    def script(client: Client) -> None:
        if len(refused) < 5:
            refused.append(time.monotonic())
        else:
            serve(client)

    with serving(script) as server, linked(server.port, backoff_max_s=10.0) as user:
        until(lambda: user.told[-1:] == ["up"])
        pauses = [after - before for before, after in zip(refused, [*refused[1:], user.ups[0]], strict=True)]
        for pause, least in zip(pauses, [0.02, 0.04, 0.08, 0.16, 0.32], strict=True):
            assert pause >= least
        lost_at = time.monotonic()
        user.connections[0].lose("a test")
        until(lambda: len(user.ups) == 2)
        assert 0.02 <= user.ups[1] - lost_at < 0.32


def test_it_is_said_when_it_breaks_and_when_it_lasts(caplog: pytest.LogCaptureFixture) -> None:
    with serving(serve) as server:
        port = server.port
    with linked(port, backoff_max_s=0.02) as user:
        until(lambda: len(user.told) >= 15)
    assert len(caplog.records) == 2
    assert PASSWORD not in caplog.text


@pytest.mark.parametrize("moment", ["connecting", "up", "waiting"])
def test_stop_at_any_moment_ends_run(moment: str) -> None:
    def greets_never(client: Client) -> None:
        client.command()

    with serving({"connecting": greets_never, "up": serve, "waiting": lambda _: None}[moment]) as server:
        user = User(lambda *_: None)
        link = Link(settings(server.port, backoff_min_s=30.0, backoff_max_s=30.0), user)
        running = gevent.spawn(link.run)
        until(lambda: server.clients and (moment != "up" or user.told) and (moment != "waiting" or user.told))
        link.stop()
        running.get(timeout=5)
        assert user.told.count("up") == (moment == "up")


def test_stop_lets_the_last_commands_be_carried_out(server: Server) -> None:
    answers: list[Any] = []
    with linked(server.port) as user:
        until(lambda: user.told == ["up"])
        user.connections[1].post("api last", answers.append)
    assert [answer.text for answer in answers] == ["api last"]

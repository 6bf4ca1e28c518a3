"""Background commands: the result arrives as an event, or the command times out."""

from __future__ import annotations

from collections.abc import Iterator

import gevent
import pytest
from event_socket_examples import new_connection
from scripted_server import Client, reply, serving

from sipbridge.adapters.event_socket.background_jobs import BackgroundJobs
from sipbridge.adapters.event_socket.connection import EventSocketConnection
from sipbridge.ports import CommandRefused, SwitchLost, Unconfirmed


@pytest.fixture
def commands(request: pytest.FixtureRequest) -> Iterator[EventSocketConnection]:
    """A connection that answers each command with the parameter, by default that it is begun."""

    def serve(client: Client) -> None:
        client.authenticate()
        client.answer(lambda _: reply(getattr(request, "param", "+OK")))

    with serving(serve) as server:
        connection = new_connection(server.port)
        connection.connect()
        yield connection
        connection.lose("the test is over")


def test_one_whose_end_is_never_told_is_given_up_and_the_connection_with_it(commands: EventSocketConnection) -> None:
    with pytest.raises(Unconfirmed, match=r"status did not finish within 0\.05 s"):
        BackgroundJobs().run(commands, "status", 0.05)
    assert not commands.connected


@pytest.mark.parametrize("commands", ["-ERR"], indirect=True)
def test_one_that_is_not_begun_is_a_refusal(commands: EventSocketConnection) -> None:
    with pytest.raises(CommandRefused, match="status: -ERR"):
        BackgroundJobs().run(commands, "status", 60.0)


def test_who_waits_is_told_when_the_connection_is_lost_that_would_tell(commands: EventSocketConnection) -> None:
    jobs = BackgroundJobs()
    running = gevent.spawn(jobs.run, commands, "status", 60.0)
    # Until it waits, for the answer or for the end.
    gevent.sleep(0)
    jobs.lose("a test")
    with pytest.raises(SwitchLost, match="a test"):
        running.get(timeout=10)


def test_the_ends_of_others_are_nothing_to_us() -> None:
    BackgroundJobs().on_event({"Job-UUID": "somebody else's", "_body": "+OK"})

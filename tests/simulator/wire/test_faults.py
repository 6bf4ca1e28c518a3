"""Faults on demand, as a client sees them."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator

import pytest
from simulator_client import Client, wait_until

from sipbridge.simulator import CallState, SimulatedCall, Simulator
from sipbridge.simulator.wire.events import Origin


def place(simulator: Simulator) -> SimulatedCall:
    return simulator.place_call("sip:bob@example.org", "<sip:alice@example.org>", "<sip:bob@example.org>")


@pytest.fixture(autouse=True)
def _healthy_afterwards(simulator: Simulator) -> Iterator[None]:
    yield
    simulator.faults.resume()


def test_dropped(simulator: Simulator, client: Client) -> None:
    wait_until(lambda: simulator.connection_count == 1)
    simulator.faults.drop_connections()
    with pytest.raises(EOFError):
        client.read()
    wait_until(lambda: simulator.connection_count == 0)
    with contextlib.closing(Client(simulator.port)) as again:
        assert again.api("uuid_exists nobody") == "false"


def test_stalled_and_resumed(simulator: Simulator, client: Client) -> None:
    client.command("event json CHANNEL_PARK")
    simulator.faults.stall()
    client.write("api uuid_exists nobody\n\n")
    place(simulator)
    assert client.is_silent(0.02)
    simulator.faults.resume()
    assert client.read_event("CHANNEL_PARK")
    assert client.read().text == "false"


def test_half_open(simulator: Simulator, client: Client) -> None:
    client.command("event json CHANNEL_PARK")
    simulator.faults.become_half_open()
    client.write("api global_setvar swallowed=yes\n\n")
    place(simulator)
    assert client.is_silent(0.02)
    simulator.faults.resume()
    assert client.api("global_getvar swallowed") == "-ERR no reply\n"


def test_garbage(simulator: Simulator, client: Client) -> None:
    simulator.faults.send_garbage(b"\x00\xff\n\n")
    assert client.read().head == (b"\x00\xff".decode("utf-8", "surrogateescape"),)


def test_truncated_body(simulator: Simulator, client: Client) -> None:
    simulator.faults.truncate_bodies()
    client.write("api version\n\n")
    with pytest.raises(EOFError):
        client.read()


def test_lost_reply(simulator: Simulator, client: Client) -> None:
    simulator.faults.lose_replies()
    client.write("api global_setvar done=yes\n\n")
    assert client.is_silent(0.02)
    assert client.api("global_getvar done") == "yes"


def test_delayed_replies(simulator: Simulator, client: Client) -> None:
    simulator.faults.reply_delay_s = 0.05
    before = time.monotonic()
    assert client.api("uuid_exists nobody") == "false"
    assert time.monotonic() - before >= 0.05


def test_slow(simulator: Simulator, client: Client) -> None:
    simulator.faults.bytes_per_s = 10_000
    before = time.monotonic()
    assert client.api("status").startswith("UP")
    assert time.monotonic() - before >= 0.02


def test_refused(simulator: Simulator) -> None:
    simulator.faults.refuses_connections = True
    client = Client(simulator.port, password=None)
    with contextlib.closing(client), pytest.raises(EOFError):
        client.read()


def test_restart_loses_everything(simulator: Simulator, connect: Callable[[], Client]) -> None:
    client, port = connect(), simulator.port
    core_uuid = client.api("global_getvar core_uuid")
    client.api("global_setvar sipbridge_salt=abc")
    call = place(simulator)
    simulator.restart_switch()
    with pytest.raises(EOFError):
        client.read()
    assert call.state is CallState.ENDED
    assert simulator.port == port
    again = connect()
    assert again.api("global_getvar core_uuid") != core_uuid
    assert again.api("global_getvar sipbridge_salt") == "-ERR no reply\n"
    assert again.api("show channels as json") == '{"row_count": 0}\n'


def test_nobody_listens_while_it_is_down(simulator: Simulator, connect: Callable[[], Client]) -> None:
    simulator.shut_down_switch()
    with pytest.raises(ConnectionRefusedError):
        Client(simulator.port)
    assert (place(simulator).state, place(simulator).sip_status) == (CallState.ENDED, 408)
    simulator.start_switch()
    assert connect().api("uuid_exists nobody") == "false"


@pytest.mark.parametrize("ask", [lambda _, simulator: simulator.shut_down_switch(announces=True), None])
def test_orderly_shutdown(
    simulator: Simulator, client: Client, ask: Callable[[Client, Simulator], None] | None
) -> None:
    client.command("event json SHUTDOWN")
    if ask:
        ask(client, simulator)
    else:
        assert client.api("fsctl shutdown") == "+OK\n"
    assert client.read_event("SHUTDOWN")["Event-Info"] == "System Shutting Down"
    assert client.read().text == "The system is being shut down.\n"
    with pytest.raises(EOFError):
        client.read()


def test_reader_that_does_not_read_is_given_up(
    simulator: Simulator, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sipbridge.simulator.connection.QUEUE_LIMIT", 10)
    monkeypatch.setattr("sipbridge.simulator.connection.LOST_LIMIT", 5)
    client.command("event json RELOADXML")
    simulator.faults.stall()
    for _ in range(20):
        simulator.switch.bus.fire("RELOADXML", Origin("a.c", "b", 1), {})
    wait_until(lambda: simulator.connection_count == 0)


def test_a_rule_that_fails_is_told_at_the_end(simulator: Simulator) -> None:
    def is_broken(_: object) -> bool:
        raise ValueError("broken rule")

    simulator.switch.clock.after(0, lambda: is_broken(None))
    wait_until(lambda: simulator.switch.clock.errors)
    with pytest.raises(ExceptionGroup, match="the simulator failed") as raised:
        simulator.stop()
    assert [str(error) for error in raised.value.exceptions] == ["broken rule"]
    simulator.switch.clock.errors.clear()

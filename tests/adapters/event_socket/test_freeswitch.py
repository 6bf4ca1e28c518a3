"""The `Switch` port: which commands it sends to FreeSWITCH, and how it interprets the answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gevent
import orjson
import pytest
from event_socket_examples import ALICE, settings
from scripted_server import Client, event, reply, response, serving, until

from sipbridge.adapters.event_socket.freeswitch import FreeSwitch
from sipbridge.adapters.event_socket.spool import Spool
from sipbridge.core.accounts.account import AccountId
from sipbridge.core.calls.events import CallEnded, GatewayAdded, Heartbeat, SwitchEvent
from sipbridge.core.gateways.gateway import GatewayName
from sipbridge.core.observe.metric import Histogram
from sipbridge.core.sip.call import ChannelUuid
from sipbridge.ports import CommandRefused, NotSent, Outcome, SwitchLost

CALL = ChannelUuid("634725bd-63d9-4ed6-8be2-a967dca9ff8a")


class Listener:
    """Notes what it is told; `on_up` is what it does when the switch is there."""

    def __init__(self) -> None:
        self.told: list[str | SwitchEvent] = []
        self.on_up: Callable[[], None] = lambda: None

    def on_switch_up(self) -> None:
        self.on_up()
        self.told.append("up")

    def on_switch_down(self, reason: str) -> None:
        self.told.append(f"down: {reason}")

    def on_switch_event(self, told: SwitchEvent) -> None:
        self.told.append(told)


class FakeFreeSwitch:
    """Answers from a table, and knows which of its clients has the events."""

    def __init__(self) -> None:
        self.answers: dict[str, str] = {}
        self.commands: list[str] = []
        self.events: Client | None = None

    def __call__(self, client: Client) -> None:
        client.authenticate()
        client.answer(lambda command: self._answer(client, command))

    def _answer(self, client: Client, command: str) -> bytes:
        self.commands.append(command)
        if command.startswith("event "):
            self.events = client
        text = next((text for known, text in self.answers.items() if command.startswith(known)), "+OK")
        if command.startswith("bgapi "):
            self.finish_job(command, text)
            return reply("+OK")
        return response(text) if command.startswith("api ") else reply(text)

    def finish_job(self, command: str, answer: str) -> None:
        """Tell what came of a ``bgapi``."""
        job = command.partition("Job-UUID: ")[2]
        self.tell(event("BACKGROUND_JOB", **{"Job-UUID": job, "_body": answer}))

    def tell(self, *events: bytes) -> None:
        assert self.events is not None
        self.events.send(b"".join(events))


@pytest.fixture
def fake() -> FakeFreeSwitch:
    return FakeFreeSwitch()


@pytest.fixture
def listener() -> Listener:
    return Listener()


@pytest.fixture
def spool_file(tmp_path: Path) -> Path:
    return tmp_path / "gateways.xml"


@pytest.fixture
def switch(fake: FakeFreeSwitch, listener: Listener, spool_file: Path) -> Iterator[FreeSwitch]:
    with serving(fake) as server:
        made = FreeSwitch(settings(server.port, backoff_min_s=0.02), Spool(spool_file, 30), "providers", 6)
        running = gevent.spawn(made.run, listener)
        try:
            until(lambda: listener.told == ["up"])
            fake.commands.clear()
            yield made
        finally:
            made.stop()
            running.get(timeout=5)


@pytest.mark.parametrize(
    ("lease", "is_asked"), [("-ERR no reply", True), ("true", False), ("false", False)], ids=["new", "leased", "ended"]
)
def test_calls_are_taken_up_once_after_freeswitch_has_started(
    fake: FakeFreeSwitch, listener: Listener, lease: str, is_asked: bool
) -> None:
    fake.answers |= {
        "api global_getvar sipbridge_lease": lease,
        "api fsctl pause_check": "true",
        "api sofia xmlstatus": "<?xml version='1.0'?><p><profile-info><sip-ip>192.0.2.1</sip-ip></profile-info></p>",
    }
    with serving(fake) as server:
        made = FreeSwitch(settings(server.port), Spool(Path("unused"), 30), "providers", 6, ("inside", "providers"))
        running = gevent.spawn(made.run, listener)
        until(lambda: listener.told == ["up"])
        made.stop()
        running.get(timeout=5)
    assert ("api sofia recover" in fake.commands) == is_asked


def outcomes_of(do: Callable[[Callable[[Outcome], None]], None]) -> list[Outcome]:
    outcomes: list[Outcome] = []
    do(outcomes.append)
    until(lambda: outcomes)
    return outcomes


# The link


def test_filters_come_first_so_that_nothing_unwanted_ever_comes(fake: FakeFreeSwitch, listener: Listener) -> None:
    with serving(fake) as server:
        made = FreeSwitch(settings(server.port), Spool(Path("unused"), 30), "providers", 6)
        running = gevent.spawn(made.run, listener)
        until(lambda: listener.told == ["up"])
        made.stop()
        running.get(timeout=5)
    *filters, subscription = [each for each in fake.commands if not each.startswith("api ")][:6]
    assert [each.split()[0] for each in filters] == ["filter"] * 5
    assert subscription == (
        "event json CHANNEL_PARK CHANNEL_HANGUP_COMPLETE HEARTBEAT SHUTDOWN BACKGROUND_JOB CUSTOM "
        "sofia::gateway_state sofia::gateway_add sofia::gateway_delete sofia::profile_start sipbridge::controller"
    )
    assert listener.told[1].startswith("down: ")  # type: ignore[union-attr]


def test_events_are_told_as_values(switch: FreeSwitch, fake: FakeFreeSwitch, listener: Listener) -> None:
    assert switch
    fake.tell(
        event("CHANNEL_HANGUP_COMPLETE", **{"Unique-ID": CALL, "Hangup-Cause": "USER_BUSY"}),
        event("CUSTOM", **{"Event-Subclass": "sofia::gateway_add", "Gateway": "a"}),
        event("HEARTBEAT", **{"FreeSWITCH-Version": "1.10.12-release", "Uptime-msec": "2500", "Idle-CPU": "98.5"}),
    )
    until(lambda: len(listener.told) == 4)
    assert listener.told[1:] == [
        CallEnded(CALL, "USER_BUSY", answered=False),
        GatewayAdded("a"),
        Heartbeat("1.10.12", 2.5, 0, 0, 98.5),
    ]


def test_a_shutdown_of_freeswitch_ends_the_link_at_once(
    switch: FreeSwitch, fake: FakeFreeSwitch, listener: Listener
) -> None:
    assert switch
    fake.tell(event("SHUTDOWN"))
    until(lambda: listener.told[1:] == ["down: FreeSWITCH is shutting down", "up"])


def test_events_that_arrive_while_the_listener_asks_are_told_meanwhile(
    fake: FakeFreeSwitch, listener: Listener
) -> None:
    with serving(fake) as server:
        made = FreeSwitch(settings(server.port), Spool(Path("unused"), 30), "providers", 6)
        fake.answers["api show channels"] = '{"row_count":0}'

        def ask() -> None:
            fake.tell(event("CHANNEL_HANGUP_COMPLETE", **{"Unique-ID": CALL}))
            until(lambda: listener.told)
            listener.told.append(f"{len(made.channels())} channels")

        listener.on_up = ask
        running = gevent.spawn(made.run, listener)
        until(lambda: "up" in listener.told)
        made.stop()
        running.get(timeout=5)
    assert [type(each).__name__ for each in listener.told[:1]] == ["CallEnded"]
    assert listener.told[1:3] == ["0 channels", "up"]


def test_a_subscription_that_is_refused_is_no_link(fake: FakeFreeSwitch, listener: Listener) -> None:
    fake.answers["event json"] = "-ERR no keywords supplied"
    with serving(fake) as server:
        made = FreeSwitch(settings(server.port), Spool(Path("unused"), 30), "providers", 6)
        running = gevent.spawn(made.run, listener)
        until(lambda: listener.told)
        made.stop()
        running.get(timeout=5)
    assert "-ERR no keywords supplied" in str(listener.told[0])


def test_without_a_link_nothing_is_sent(listener: Listener) -> None:
    made = FreeSwitch(settings(1), Spool(Path("unused"), 30), "providers", 6)
    assert isinstance(outcomes_of(lambda done: made.respond(CALL, "488", done))[0], NotSent)
    made.renew_lease()
    with pytest.raises(NotSent):
        made.channels()
    with pytest.raises(NotSent):
        made.accounts_of([CALL])


# Calls


def test_a_call_is_bridged_when_its_offer_was_read(switch: FreeSwitch, fake: FakeFreeSwitch) -> None:
    assert outcomes_of(lambda done: switch.bridge(CALL, "{a=b}sofia/gateway/x/y", done)) == [None]
    read, bridge = fake.commands
    assert read.startswith(f"sendmsg {CALL}\ncall-command: execute\nexecute-app-name: filter_codecs\n")
    assert read.endswith("${sipbridge_codecs}")
    assert bridge.startswith(f"sendmsg {CALL}\ncall-command: execute\nexecute-app-name: bridge\n")
    assert bridge.endswith("{a=b}sofia/gateway/x/y")


def test_a_call_without_an_offer_is_bridged_with_one_command(switch: FreeSwitch, fake: FakeFreeSwitch) -> None:
    dial_string = "{a=b}sofia/gateway/x/y"
    assert outcomes_of(lambda done: switch.bridge(CALL, dial_string, done, has_offer=False)) == [None]
    (bridge,) = fake.commands
    assert bridge.startswith(f"sendmsg {CALL}\ncall-command: execute\nexecute-app-name: bridge\n")
    assert bridge.endswith("{a=b}sofia/gateway/x/y")


def test_a_call_is_declined(switch: FreeSwitch, fake: FakeFreeSwitch) -> None:
    assert outcomes_of(lambda done: switch.respond(CALL, "488 Not Acceptable Here", done)) == [None]
    (respond,) = fake.commands
    assert respond.startswith(f"sendmsg {CALL}\ncall-command: execute\nexecute-app-name: respond\n")
    assert respond.endswith("488 Not Acceptable Here")


def test_a_call_that_is_gone_is_refused(switch: FreeSwitch, fake: FakeFreeSwitch) -> None:
    fake.answers["sendmsg"] = f"-ERR invalid session id [{CALL}]"
    (outcome,) = outcomes_of(lambda done: switch.bridge(CALL, "x", done))
    assert isinstance(outcome, CommandRefused)
    assert "invalid session id" in outcome.reply


def test_a_uuid_cannot_add_to_a_command(switch: FreeSwitch, fake: FakeFreeSwitch) -> None:
    forged = ChannelUuid("x\nexecute-app-name: system\nexecute-app-arg: id")
    with pytest.raises(AssertionError):
        switch.respond(forged, "488", lambda _: None)
    switch.remove_gateway(GatewayName("a"))
    until(lambda: fake.commands)
    assert fake.commands == ["api sofia profile providers killgw a"]


# Questions


def test_channels_are_the_a_legs(switch: FreeSwitch, fake: FakeFreeSwitch) -> None:
    rows = [{"uuid": "a", "direction": "inbound"}, {"uuid": "b", "direction": "outbound"}]
    fake.answers["api show channels"] = orjson.dumps({"row_count": 2, "rows": rows}).decode()
    assert switch.channels() == ["a"]


def test_no_channels_are_no_rows(switch: FreeSwitch, fake: FakeFreeSwitch) -> None:
    fake.answers["api show channels"] = '{"row_count":0}'
    assert switch.channels() == []


def test_channels_that_cannot_be_told_are_a_refusal(switch: FreeSwitch, fake: FakeFreeSwitch) -> None:
    fake.answers["api show channels"] = "-ERR Database error!"
    with pytest.raises(CommandRefused, match="Database error"):
        switch.channels()


def test_accounts_of_the_channels_that_exist(switch: FreeSwitch, fake: FakeFreeSwitch) -> None:
    fake.answers |= {
        "api uuid_getvar a": "0123456789abcdef",
        "api uuid_getvar b": "_undef_",
        "api uuid_getvar": "-ERR No such channel!\n",
    }
    a, b, c = (ChannelUuid(name) for name in "abc")
    assert switch.accounts_of([a, b, c]) == {a: AccountId("0123456789abcdef"), b: None}
    assert switch.accounts_of([]) == {}


def test_gateways_that_can_be_called_and_those_that_cannot(switch: FreeSwitch, fake: FakeFreeSwitch) -> None:
    fake.answers |= {"api sofia profile providers gwlist up": "a b ", "api sofia profile providers gwlist down": "c "}
    assert switch.gateways() == ({"a", "b"}, {"c"})


@pytest.mark.parametrize(
    ("lists", "up", "down"),
    [
        (["", "", "moved"], {"moved"}, set()),
        (["moved", "moved", ""], set(), {"moved"}),
        (["", "moved", "moved"], {"moved"}, set()),
        (["moved", "", ""], set(), {"moved"}),
    ],
    ids=["up before down was asked", "down after", "up after", "down before"],
)
def test_a_gateway_that_changes_meanwhile_is_in_one_list(
    switch: FreeSwitch, monkeypatch: pytest.MonkeyPatch, fake: FakeFreeSwitch, lists: list[str], up: Any, down: Any
) -> None:
    remaining = list(lists)
    monkeypatch.setattr(fake, "_answer", lambda _client, _command: response(remaining.pop(0)))
    assert switch.gateways() == (up, down)


def test_a_profile_that_is_not_running_is_a_refusal(switch: FreeSwitch, fake: FakeFreeSwitch) -> None:
    fake.answers["api sofia profile providers gwlist"] = "Invalid Profile [providers]"
    with pytest.raises(CommandRefused, match="Invalid Profile"):
        switch.gateways()


@pytest.mark.parametrize("absent", ["", "-ERR no reply\n", "not hexadecimal", "ab", "00" * 65])
def test_the_salt_is_made_once(switch: FreeSwitch, fake: FakeFreeSwitch, absent: str) -> None:
    fake.answers["api global_getvar sipbridge_salt"] = absent
    salt = switch.gateway_salt()
    assert len(salt) == 32
    assert fake.commands[1:] == [f"api global_setvar sipbridge_salt={salt.hex()}"]
    fake.answers["api global_getvar sipbridge_salt"] = salt.hex()
    fake.commands.clear()
    assert switch.gateway_salt() == salt
    assert fake.commands == ["api global_getvar sipbridge_salt"]


@pytest.mark.parametrize(("kept", "count"), [("", 0), ("-ERR no reply\n", 0), ("many", 0), ("57000", 57_000)])
def test_the_count_of_lost_gateways_is_what_was_kept(
    switch: FreeSwitch, fake: FakeFreeSwitch, kept: str, count: int
) -> None:
    fake.answers["api global_getvar sipbridge_lost_gateways"] = kept
    assert switch.lost_gateways() == count


# Gateways and the lease


def test_gateways_are_added_by_a_rescan_while_the_spool_holds_them(
    switch: FreeSwitch, fake: FakeFreeSwitch, spool_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held: list[tuple[str, str]] = []

    def answer(_client: Client, command: str) -> bytes:
        held.append((command, spool_file.read_text()))
        if command.startswith("api "):
            return response("+OK [Success]")
        fake.finish_job(command, "Reload XML [Success]\n+OK scan complete\n")
        return reply("+OK Job-UUID: …")

    monkeypatch.setattr(fake, "_answer", answer)
    switch.add_gateways([ALICE])
    until(lambda: len(held) == 2)
    (rescan, meanwhile), (forget, afterwards) = held
    assert rescan.startswith("bgapi sofia profile providers rescan\nJob-UUID: ")
    assert ALICE.password in meanwhile
    # Until it reads again FreeSWITCH keeps what it has read in a file of its own.
    assert forget == "api reloadxml"
    assert ALICE.password not in afterwards
    assert spool_file.read_text() == "<include>\n</include>\n"


def test_a_rescan_that_only_seems_to_have_worked_is_a_refusal(
    switch: FreeSwitch, fake: FakeFreeSwitch, spool_file: Path
) -> None:
    fake.answers["bgapi sofia profile providers rescan"] = (
        "Reload XML [[error near line 18]: unclosed tag]\n+OK scan complete\n"
    )
    with pytest.raises(CommandRefused, match="error near line 18"):
        switch.add_gateways([])
    assert spool_file.exists()


def test_a_rescan_that_is_lost_empties_the_spool_all_the_same(
    switch: FreeSwitch, fake: FakeFreeSwitch, spool_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer(client: Client, _command: str) -> bytes:
        client.sock.close()
        return b""

    monkeypatch.setattr(fake, "_answer", answer)
    with pytest.raises(SwitchLost):
        switch.add_gateways([])
    assert spool_file.read_text() == "<include>\n</include>\n"


def test_what_is_rescanned_meanwhile_holds_up_no_other_command(switch: FreeSwitch, fake: FakeFreeSwitch) -> None:
    jobs: list[str] = []
    fake.finish_job = lambda command, answer: jobs.append(command)  # type: ignore[method-assign]
    adding = gevent.spawn(switch.add_gateways, [])
    until(lambda: jobs)
    assert switch.api("status") == "+OK"
    assert not adding.ready()
    FakeFreeSwitch.finish_job(fake, jobs[0], "Reload XML [Success]\n+OK scan complete\n")
    adding.get(timeout=5)


def test_no_lease_while_freeswitch_is_about_to_end(
    switch: FreeSwitch, fake: FakeFreeSwitch, caplog: pytest.LogCaptureFixture
) -> None:
    fake.answers["api fsctl shutdown_check"] = "true"
    switch.renew_lease()
    until(lambda: fake.commands[-1:] == ["api fsctl pause inbound"])
    switch.renew_lease()
    until(lambda: fake.commands[-4:-3] == ["api fsctl shutdown_check"])
    assert fake.commands.count("api fsctl resume inbound") == 1
    fake.answers["api fsctl shutdown_check"] = "false"
    switch.renew_lease()
    until(lambda: "shutdown cancelled" in caplog.text)
    switch.renew_lease()
    until(lambda: fake.commands.count("api fsctl resume inbound") == 2)
    assert caplog.text.count("shutdown pending") == 1


def test_the_lease_is_put_off_and_ended(switch: FreeSwitch, fake: FakeFreeSwitch) -> None:
    switch.renew_lease()
    switch.end_lease()
    until(lambda: len(fake.commands) == 9)
    assert fake.commands == [
        "api fsctl shutdown_check",
        "api global_setvar sipbridge_lease=true",
        "api fsctl resume inbound",
        "api sched_del sipbridge_lease",
        "api sched_api +6 sipbridge_lease global_setvar sipbridge_lease=false",
        "api sched_api +6 sipbridge_lease fsctl pause inbound",
        "api sched_del sipbridge_lease",
        "api global_setvar sipbridge_lease=false",
        "api fsctl pause inbound",
    ]


# What is counted


def test_commands_are_counted_by_what_came_of_them(switch: FreeSwitch, fake: FakeFreeSwitch) -> None:
    def told() -> dict[tuple[str, ...], float]:
        return {
            (metric.definition.name, *labels): sum(value.counts) if isinstance(value, Histogram) else value
            for metric in switch.metrics()
            for labels, value in metric.samples.items()
        }

    before = told()
    fake.answers = {"sendmsg": "-ERR invalid session id", "api show": "{}"}
    outcomes_of(lambda done: switch.respond(CALL, "488", done))
    switch.channels()
    after = told()
    assert {key: after[key] - before[key] for key in after if after[key] != before[key]} == {
        ("sipbridge_switch_commands_total", "ok"): 1,
        ("sipbridge_switch_commands_total", "refused"): 1,
        ("sipbridge_switch_round_trip_seconds",): 2,
    }
    assert (after["sipbridge_switch_up",], after["sipbridge_switch_commands_pending",]) == (True, 0)
    switch.stop()
    assert told()["sipbridge_switch_up",] == 0

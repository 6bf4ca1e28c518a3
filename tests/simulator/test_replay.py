"""Compares frames recorded from a real FreeSWITCH with the simulator's, in the same situations."""

from __future__ import annotations

import contextlib
import itertools
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from simulator_client import Client, Frame, FrameReader, wait_until

from sipbridge.core.freeswitch.version import FreeSwitchVersion
from sipbridge.simulator import (
    Accept,
    CalleeRule,
    CallState,
    NobodyThere,
    RegistrarRule,
    SimulatedCall,
    Simulator,
)
from sipbridge.simulator.calls.far_side import BUSY

RECORDINGS = Path(__file__).parent.parent / "recordings"
RECORDED_VERSION = FreeSwitchVersion(1, 10, 12)

# Ticks come from the test, at the times at which the recorded ones came; nothing else waits either.
NEVER_S = 1e6
RECORDED_TICK_PHASE_S = 0.215

# Our dialplan matches no destination number, and says what a failed bridge leads to. Our profiles read no offer before
# the controller has checked it.
NOT_IN_RECORDED_DIALPLAN = {
    "variable_DP_MATCH",
    "variable_continue_on_fail",
    "variable_transfer_on_fail",
    "variable_ep_codec_string",
    "variable_endpoint_disposition",
}

# A profile's calls went to a context of another name.
CONTEXTS = {"public": "external"}

VOLATILE = re.compile(
    r"Core-UUID|FreeSWITCH-|Event-Date|Event-Sequence|-Time$|_stamp$|_u?epoch$|sec$|duration|session_id|network_port"
    r"|received_port|full_via|via_port|contact_|sdp|ssrc|media_port|to_tag|packet_count$|m_sdp"
)


@dataclass(frozen=True, slots=True)
class Step:
    """Something that happened on a recorded connection: what a client sent, or a frame, or None for its end."""

    t: float
    sent: str | None = None
    frame: Frame | None = None


def recorded_steps(name: str) -> Iterator[Step]:
    reader = FrameReader()
    for line in (RECORDINGS / f"{name}.jsonl").read_text("utf-8").rstrip("\n").split("\n"):
        record = json.loads(line)
        data = record["data"]
        if record["from"] == "client":
            yield Step(record["t"], sent=data)
        elif data == "<EOF>":
            yield Step(record["t"])
            return
        else:
            for frame in reader.feed(data.encode("utf-8", "surrogateescape")):
                yield Step(record["t"], frame=frame)


class Normalizer:
    """Takes out what differs from run to run, and keeps what is the same twice within one."""

    def __init__(self) -> None:
        self._uuids: dict[str, str] = {}

    def frame(self, frame: Frame) -> dict[str, Any]:
        """An event's headers, or a reply's with its body, in order."""
        lines = dict(line.split(": ", 1) for line in frame.head if not line.startswith("Content-Length"))
        parts = frame.event or {**lines, "body": frame.text}
        return {name: self._value(name, value) for name, value in parts.items() if name not in NOT_IN_RECORDED_DIALPLAN}

    def _value(self, name: str, value: Any) -> Any:
        if VOLATILE.search(name):
            # That something has not happened is worth comparing.
            return value if value == "0" and name.endswith(("Time", "epoch")) else "volatile"
        if name.endswith("-Context"):
            return CONTEXTS.get(value, value)
        return self._text(value) if isinstance(value, str) else value

    def _text(self, text: str) -> str:
        text = re.sub(
            r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}",
            lambda found: self._uuids.setdefault(found[0], f"uuid-{len(self._uuids)}"),
            text,
        )
        text = re.sub(r"\d+ (year|day|hour|minute|second|millisecond|microsecond)s?\b", r"N \1", text)
        text = re.sub(r"\d+ session|peak \d+|5min \d+|(?<=>)\d+s(?=<)|retry: \d+s|(?<=usec>)\d+", "N", text)
        # What a package says of its build, and a build from source does not.
        text = re.sub(r"\+git~\w+~\w+(?=~)|git \w+ [\d-]+ [\d:]+Z", "", text)
        text = re.sub(r";tag=\w+$", ";tag=T", text)
        return text.replace("<context>public", "<context>external")


class Replay:
    """Does what the recorded client did, and holds every answer against the recorded one.

    Args:
        place: places the call that the recorded CHANNEL_PARK announces.
    """

    def __init__(self, simulator: Simulator, place: Callable[[dict[str, Any]], SimulatedCall]) -> None:
        self._simulator = simulator
        self._place = place
        self._recorded, self._simulated = Normalizer(), Normalizer()
        self._uuids: dict[str, str] = {}
        self._ticks = 0
        self.call: SimulatedCall | None = None
        self.client = Client(simulator.port, password=None)

    def run(self, name: str) -> None:
        with contextlib.closing(self.client):
            self._run(name)

    def _run(self, name: str) -> None:
        for step in recorded_steps(name):
            self._tick_until(step.t)
            if step.sent is not None:
                self.client.write(
                    re.sub(r"[0-9a-f-]{36}", lambda found: self._uuids.get(found[0], found[0]), step.sent)
                )
            elif step.frame is not None:
                self._expect(step.frame)
            else:
                with pytest.raises(EOFError):
                    self.client.read()

    def _tick_until(self, t: float) -> None:
        while self._ticks < int(t - RECORDED_TICK_PHASE_S):
            self._ticks += 1
            tick(self._simulator)

    def _expect(self, frame: Frame) -> None:
        event = frame.event
        if event.get("Event-Name") == "CHANNEL_PARK":
            self.call = self._place(event)
            self._uuids[event["Unique-ID"]] = self.call.uuid
        elif event.get("Event-Name") == "CHANNEL_UNBRIDGE":
            assert self.call is not None
            self.call.hang_up()
        got, expected = self._simulated.frame(self.client.read()), self._recorded.frame(frame)
        differing = {
            name: (got.get(name), expected.get(name)) for name in got | expected if got.get(name) != expected.get(name)
        }
        assert differing == {}
        assert list(got) == list(expected)


def tick(simulator: Simulator) -> None:
    """One second of the profile's timer, and the answers to what it sent."""
    profile = simulator.switch.profiles.get("external")
    if profile is not None:
        profile.gateways.tick()
        answered: list[bool] = []
        simulator.switch.clock.after(0, lambda: answered.append(True))
        wait_until(lambda: answered)


@pytest.fixture
def simulator(spool_file: Path) -> Iterator[Simulator]:
    """As FreeSWITCH was set up for the recordings: one profile, and no lease."""
    spool_file.write_text(gateway("acc-1", username="account1", proxy="jabiru.example.org", register="false"))
    with Simulator(
        spool_file=spool_file,
        tick_s=NEVER_S,
        inside_profile="external",
        provider_profile="external",
        variables={"sipbridge_lease": "true"},
        admits_any_provider=True,
        version=RECORDED_VERSION,
    ) as simulator:
        yield simulator


def gateway(name: str, **parameters: str) -> str:
    params = "".join(f'<param name="{key.replace("_", "-")}" value="{value}"/>' for key, value in parameters.items())
    return f'<gateway name="{name}">{params}</gateway>\n'


def account(name: str, username: str, password: str, port: int = 7000, register: str = "true") -> str:
    return gateway(
        name,
        username=username,
        password=password,
        realm="127.0.0.1",
        from_domain="127.0.0.1",
        proxy=f"127.0.0.1:{port}",
        register=register,
        retry_seconds="5",
    )


def place_recorded(simulator: Simulator, event: dict[str, Any]) -> SimulatedCall:
    """The call that led to this CHANNEL_PARK."""
    sent = {name.removeprefix("variable_"): value for name, value in event.items()}
    headers = {"Subject": "sip_subject", "User-Agent": "sip_user_agent", "X-Custom": "sip_h_X-Custom"}
    headers = {header: sent[name] for header, name in headers.items() if name in sent}
    if identity := sent.get("sip_P-Asserted-Identity"):
        headers["P-Asserted-Identity"] = f"<sip:{identity}@example.org>"
    from_header, to_header, call_id = sent["sip_full_from"], sent["sip_full_to"], sent["sip_call_id"]
    if gateway_name := sent.get("sip_gateway"):
        return simulator.place_call_to_gateway(gateway_name, from_header, to_header, headers=headers, call_id=call_id)
    port = f":{sent['sip_req_port']}" if "sip_req_port" in sent else ""
    params = f";{sent['sip_req_params']}" if "sip_req_params" in sent else ""
    request_uri = f"sip:{sent['sip_req_user']}@{sent['sip_req_host']}{port}{params}"
    call = simulator.place_call(request_uri, from_header, to_header, headers=headers, call_id=call_id)
    # In the recorded dialplan the cause of a failed bridge is always that of the call.
    call.channel.set("transfer_on_fail", "")
    return call


def add_gateway(simulator: Simulator, spool_file: Path, definition: str, ticks: int = 3) -> None:
    spool_file.write_text(definition)
    simulator.switch.profiles["external"].rescan()
    spool_file.write_text("")
    for _ in range(ticks):
        tick(simulator)


@pytest.mark.parametrize("name", ["auth_bad_password", "auth_ok_api_basics", "switch_restart"])
def test_commands(simulator: Simulator, name: str) -> None:
    Replay(simulator, lambda _: pytest.fail("no call here")).run(name)


def test_gateways(simulator: Simulator, spool_file: Path) -> None:
    def is_user(user: str) -> Callable[[Any], bool]:
        return lambda gateway: gateway.username == user

    simulator.registrar.rules = [
        RegistrarRule(NobodyThere(), is_user("u3")),
        RegistrarRule(Accept("right")),
    ]
    spool_file.write_text(
        account("acc-ok", "u1", "right")
        + account("acc-badpw", "u2", "wrong")
        + account("acc-dead", "u3", "right", port=7999)
        + account("acc-noreg", "u4", "right", register="false")
    )
    Replay(simulator, lambda _: pytest.fail("no call here")).run("gateway_lifecycle")


def test_profile_restart(simulator: Simulator, spool_file: Path) -> None:
    simulator.switch.profiles["external"].gateways.close()
    add_gateway(simulator, spool_file, account("acc-in", "u9", "right"))
    add_gateway(simulator, spool_file, gateway("acc-1", register="false"))
    add_gateway(simulator, spool_file, gateway("acc-call", register="false"))
    Replay(simulator, lambda _: pytest.fail("no call here")).run("profile_restart")


@pytest.mark.parametrize(
    ("name", "rule", "responses"),
    [
        ("call_bridged_then_caller_hangs_up", CalleeRule(), [100, 180, 200]),
        ("call_callee_busy_486", BUSY, [100, 486]),
        ("call_bridge_gateway_missing", CalleeRule(), [100, 484]),
        ("call_declined_by_respond_488", CalleeRule(), [100, 488]),
        ("call_hangup_with_cause", CalleeRule(), [100, 503]),
        ("respond_escaped_expansion", CalleeRule(), [100, 488]),
        ("park_rich_headers", CalleeRule(), [100, 488]),
        ("park_hostile_headers", CalleeRule(), [100, 488]),
    ],
)
def test_calls(simulator: Simulator, spool_file: Path, name: str, rule: CalleeRule, responses: list[int]) -> None:
    add_gateway(
        simulator, spool_file, gateway("acc-call", username="acc", proxy="jabiru.example.org", register="false")
    )
    simulator.far_side.rules = [rule]
    replay = Replay(simulator, lambda event: place_recorded(simulator, event))
    replay.run(name)
    assert replay.call is not None
    assert replay.call.state is CallState.ENDED
    assert replay.call.responses == responses
    assert simulator.injections == []


def test_nobody_controls_the_call(simulator: Simulator) -> None:
    simulator.switch.clock.time_scale = 0.01
    replay = Replay(simulator, lambda event: place_recorded(simulator, event))
    replay.run("call_nobody_controls_park_timeout")
    assert replay.call is not None
    assert replay.call.responses == [100, 503]


def test_call_to_a_registered_gateway(simulator: Simulator, spool_file: Path) -> None:
    add_gateway(simulator, spool_file, account("acc-in", "u9", "right"))
    Replay(simulator, lambda event: place_recorded(simulator, event)).run("park_call_to_registered_gateway")


def test_every_recording_is_replayed() -> None:
    source = Path(__file__).read_text("utf-8")
    names = {path.stem for path in RECORDINGS.glob("*.jsonl")}
    assert names == set(itertools.filterfalse(lambda name: f'"{name}"' not in source, names))

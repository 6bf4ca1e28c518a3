"""Recorded events of FreeSWITCH, including hostile callers, are parsed into the right values."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from sipbridge.adapters.event_socket.events import PARSERS, parse_call_ended, parse_call_parked, parse_status
from sipbridge.adapters.event_socket.framing import FrameReader
from sipbridge.core.calls.events import (
    CallEnded,
    CallParked,
    GatewayAdded,
    GatewayDeleted,
    GatewayStateChanged,
    Heartbeat,
    ProfileStarted,
    SwitchEvent,
)

RECORDINGS = Path(__file__).parents[2] / "recordings"


def events(recording: str) -> Iterator[dict[str, object]]:
    """The JSON events of a recording, read as the connection reads them."""
    reader = FrameReader()
    for line in (RECORDINGS / f"{recording}.jsonl").read_text().split("\n")[:-1]:
        chunk = json.loads(line)
        if chunk["from"] != "switch" or chunk["data"] == "<EOF>":
            continue
        for frame in reader.feed(chunk["data"].encode("utf-8", "surrogateescape")):
            if frame.content_type == "text/event-json":
                yield orjson.loads(frame.body)


def values(recording: str) -> list[SwitchEvent]:
    found = []
    for event in events(recording):
        name = event["Event-Subclass"] if event["Event-Name"] == "CUSTOM" else event["Event-Name"]
        if name in PARSERS:
            found.append(PARSERS[str(name)](event))
    return found


def parked(recording: str) -> CallParked:
    (call,) = (value for value in values(recording) if isinstance(value, CallParked))
    return call


def test_a_hostile_caller_is_taken_as_sent_and_forges_nothing() -> None:
    call, ended = values("park_hostile_headers")
    assert isinstance(call, CallParked)
    assert call.channel_uuid == "634725bd-63d9-4ed6-8be2-a967dca9ff8a"
    assert call.request.from_header == (
        '"x%0AUnique-ID%3A%20victim\u2028y" <sip:ev%0Ail%7Bz%7D@flexisip.example.org;p=%0D%0AX>;tag=1'
    )
    assert call.request.to_header == "<sip:bob',x=1(a)@jabiru.example.org>"
    assert call.request.request_uri_text == "sip:bob',x=1(a)b&c=$d@jabiru.example.org"
    assert call.request.from_.uri.user == "ev%0Ail%7Bz%7D"
    assert isinstance(ended, CallEnded)
    assert ended == CallEnded(call.channel_uuid, "INCOMPATIBLE_DESTINATION", answered=False)


def test_a_rich_caller_keeps_everything() -> None:
    call = parked("park_rich_headers")
    (event,) = (each for each in events("park_rich_headers") if each["Event-Name"] == "CHANNEL_PARK")
    assert call.request.from_header == event["variable_sip_full_from"]
    assert call.request.to_header == event["variable_sip_full_to"]
    assert call.call_id == event["variable_sip_call_id"]
    assert call.sofia_profile == event["variable_sofia_profile_name"]
    assert call.request.request_uri.uri.hostport == "jabiru.example.org:5080"


def test_a_call_to_a_contact_of_ours_names_the_gateway() -> None:
    call = parked("park_call_to_registered_gateway")
    assert call.gateway
    assert f"gw={call.gateway}" in call.request.request_uri_text
    assert call.request.request_uri.uri.user == f"gw+{call.gateway}"


@pytest.mark.parametrize(
    ("recording", "cause", "answered", "sip_status", "took_ms"),
    [
        ("call_bridged_then_caller_hangs_up", "NORMAL_CLEARING", True, 200, [400, 420, 840]),
        ("call_callee_busy_486", "USER_BUSY", False, 486, [None, None, None]),
        ("call_bridge_gateway_missing", "INVALID_GATEWAY", False, None, [None, None, None]),
        ("call_declined_by_respond_488", "INCOMPATIBLE_DESTINATION", False, None, [None, None, None]),
        ("call_hangup_with_cause", "NORMAL_TEMPORARY_FAILURE", False, None, [None, None, None]),
        ("call_nobody_controls_park_timeout", "NORMAL_TEMPORARY_FAILURE", False, None, [None, None, None]),
    ],
)
def test_how_a_call_ended(
    recording: str, cause: str, answered: bool, sip_status: int | None, took_ms: list[int | None]
) -> None:
    call, *_, last = values(recording)
    assert isinstance(call, CallParked)
    assert last == CallEnded(call.channel_uuid, cause, answered, sip_status)
    assert isinstance(last, CallEnded)
    times = last.times
    assert 0 < times.received < times.ended
    assert [s and round(s * 1000) for s in (times.progress_s, times.setup_s, times.talk_s)] == took_ms


@pytest.mark.parametrize(
    ("progress", "media", "first"), [("0", "0", 0), ("5", "0", 5), ("0", "7", 7), ("5", "7", 5), ("9", "7", 7)]
)
def test_ringing_and_early_media_are_both_progress(progress: str, media: str, first: int) -> None:
    told = {"Caller-Channel-Progress-Time": progress, "Caller-Channel-Progress-Media-Time": media}
    assert parse_call_ended(told).times.progress == first


@pytest.mark.parametrize(
    ("text", "status"), [("sip:503", 503), ("", None), ("sip:", None), ("sip:5\u00b3\u00b9", None)]
)
def test_the_status_of_a_leg_that_failed(text: str, status: int | None) -> None:
    assert parse_call_ended({"variable_last_bridge_proto_specific_hangup_cause": text}).sip_status == status


def test_the_life_of_gateways() -> None:
    told = values("gateway_lifecycle")
    ok = [each for each in told if getattr(each, "name", "") == "acc-ok"]
    assert [type(each) for each in ok][:: len(ok) - 1] == [GatewayAdded, GatewayDeleted]
    states = [each.state for each in ok if isinstance(each, GatewayStateChanged)]
    assert states[:3] == ["TRYING", "REGISTER", "REGED"]
    assert GatewayStateChanged("acc-dead", "FAILED", "503", "Service Unavailable") in told
    assert GatewayStateChanged("acc-badpw", "FAILED", "904", "Operation has no matching challenge") in told
    assert GatewayAdded("acc-noreg") in told


def test_a_profile_restart_is_told() -> None:
    told = values("profile_restart")
    assert any(isinstance(each, GatewayDeleted) for each in told)
    started = PARSERS["sofia::profile_start"]({"module_name": "mod_sofia", "profile_name": "external"})
    assert started == ProfileStarted("external")


@pytest.mark.parametrize(
    ("variables", "request_uri"),
    [
        ({"user": "bob", "host": "example.org"}, "sip:bob@example.org"),
        ({"host": "example.org"}, "sip:example.org"),
        ({"user": "bob", "host": "example.org", "port": "5070"}, "sip:bob@example.org:5070"),
        ({"user": "bob", "host": "2001:db8::1", "port": "5070"}, "sip:bob@[2001:db8::1]:5070"),
        ({"user": "bob", "host": "[2001:db8::1]"}, "sip:bob@[2001:db8::1]"),
        (
            {"user": "+33612345678", "host": "example.org", "params": "user=phone;x=%20"},
            "sip:+33612345678@example.org;user=phone;x=%20",
        ),
        ({"user": "alice@home", "host": "example.org"}, "sip:alice%40home@example.org"),
        ({"user": "a\r\nb", "host": "example.org"}, "sip:a%0D%0Ab@example.org"),
        ({"user": "100%", "host": "example.org"}, "sip:100%25@example.org"),
        ({"user": "d\u00e9j\u00e0", "host": "example.org"}, "sip:d%C3%A9j%C3%A0@example.org"),
    ],
)
def test_the_request_uri_is_put_together_again(variables: dict[str, str], request_uri: str) -> None:
    event = {f"variable_sip_req_{name}": value for name, value in variables.items()}
    assert parse_call_parked(event).request.request_uri_text == request_uri


@pytest.mark.parametrize(("value", "text"), [("a", "a"), (["a", "b"], "b"), ([], ""), (None, ""), (7, "")], ids=repr)
def test_a_header_that_is_an_array_counts_with_its_last(value: object, text: str) -> None:
    assert parse_call_parked({"variable_sip_call_id": value}).call_id == text


def test_an_event_without_anything_is_no_error() -> None:
    for parse in PARSERS.values():
        assert parse({})


_STATUS = """UP 1 year, 2 days, 3 hours, 1 minute, 4 seconds, 463 milliseconds, 297 microseconds
FreeSWITCH (Version 1.10.12-release git a88d069 2024-08-02 21:02:27Z 64bit) is ready
9 session(s) since startup
3 session(s) - peak 7, last 5min 5{0}
0 session(s) per Sec out of max 10000, peak 2, last 5min 2{0}
20000 session(s) max
min idle cpu 0.00/98.83
Current Stack Size/Max 240K/8192K
""".format(" ")


def test_a_call_to_a_contact_tells_the_address_of_the_contact() -> None:
    event = {"variable_sip_gateway": "sipbridge.a", "variable_sofia_profile_url": "sip:mod_sofia@[2001:db8::1]:5080"}
    assert PARSERS["CHANNEL_PARK"](event).profile_hostport == "[2001:db8::1]:5080"


def test_the_status_says_what_a_heartbeat_says() -> None:
    uptime_s = 367 * 86_400 + 3 * 3_600 + 64
    assert parse_status(_STATUS) == Heartbeat("1.10.12", uptime_s, 3, 20_000, 98.83)


@pytest.mark.parametrize("text", ["", "+OK", "-ERR no reply", _STATUS.replace("session(s) max", "")])
def test_another_answer_to_status_says_nothing(text: str) -> None:
    assert parse_status(text) is None


def test_a_heartbeat_without_numbers_is_one_all_the_same() -> None:
    assert PARSERS["HEARTBEAT"]({"Session-Count": "many"}) == Heartbeat("", 0.0, 0, 0, 0.0)


@pytest.mark.parametrize(
    ("event", "offer"),
    [
        ({"variable_switch_r_sdp": "v=0", "variable_endpoint_disposition": "DELAYED NEGOTIATION"}, "v=0"),
        ({"variable_switch_r_sdp": ["v=0", "v=1"]}, "v=1"),
        ({"variable_endpoint_disposition": "RECEIVED_NOSDP"}, None),
        ({"variable_endpoint_disposition": "DELAYED NEGOTIATION"}, ""),
        ({}, None),
    ],
    ids=["told", "told twice", "none", "hidden, since it holds an expansion", "nothing known"],
)
def test_the_offer_of_a_call(event: dict[str, object], offer: str | None) -> None:
    assert parse_call_parked(event).offer == offer


def test_the_offer_of_a_recorded_call_is_read() -> None:
    assert (parked("park_rich_headers").offer or "").startswith("v=0\r\no=user1 53655765")

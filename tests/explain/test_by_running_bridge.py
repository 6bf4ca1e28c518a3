"""What the running bridge says about a call is what it then does with it."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from services_examples import STATUS_LINES, Services, outbound, parked

from sipbridge.core.sip.call import Side
from sipbridge.explain.by_running_bridge import BadQuestion, ByRunningBridge

OFFER = "v=0\r\no=- 1 1 IN IP4 192.0.2.7\r\ns=-\r\nc=IN IP4 192.0.2.7\r\nt=0 0\r\nm=audio 40000 RTP/AVP 8\r\n"


def ask(services: Services, user: str, **more: str) -> dict[str, Any]:
    """About the call that `Services.park` makes."""
    request = parked("call", user).request
    explained = ByRunningBridge(services.calls, services.session, STATUS_LINES)
    call = {"request_uri": request.request_uri_text, "from": request.from_header, "to": request.to_header}
    return explained.explain(call | more)


@pytest.fixture
def services() -> Services:
    made = Services()
    made.connect_and_register()
    return made


def test_a_bridged_call_is_told_as_it_is_made(services: Services) -> None:
    said = ask(services, "alice")
    assert (said["decision"], said["account"], said["side"]) == ("bridge", "sip:alice@provider.example.net", None)
    assert services.line("alice").calls == 0, "no line is taken"
    services.park("call-1", "alice", offer=OFFER)
    assert services.switch.bridged[0].dial_string == said["dial_string"]


@pytest.mark.parametrize("state", ["full", "drained account", "drained provider", "unknown"])
def test_a_declined_call_is_told_with_its_status(services: Services, state: str) -> None:
    line = services.line("alice")
    match state:
        case "full":
            for channel in ("one", "two"):
                services.park(channel)
        case "drained account":
            line.set_drained(True)
        case "drained provider":
            services.calls.table = dataclasses.replace(services.calls.table, drained=frozenset({"through Pool"}))
    user = "nobody" if state == "unknown" else "alice"
    said = ask(services, user)
    services.park("call-1", user)
    assert said["decision"] == "decline"
    assert said["sip_status"] == services.switch.responded[0].status_line


def test_a_drained_bridge_declines_all_calls(services: Services) -> None:
    services.session.stop_taking_calls()
    said = ask(services, "alice")
    assert (said["decision"], said["sip_status"]) == ("decline", "503 Service Unavailable")
    assert said["trace"][0]["verdict"] == "the bridge is drained: FreeSWITCH answers by itself"


def test_without_a_switch_nothing_is_bridged() -> None:
    said = ask(Services(), "alice")
    assert "FreeSWITCH is not connected: not connected yet" in said["trace"][0]["verdict"]


def test_a_side_that_matters_has_to_be_named() -> None:
    services = Services(providers=(dataclasses.replace(outbound(), side=Side.INSIDE),))
    services.connect_and_register()
    assert ask(services, "alice")["decision"] == "unknown"
    assert ask(services, "alice", side="inside")["decision"] == "bridge"
    assert ask(services, "alice", side="providers")["decision"] == "decline"
    assert ask(services, "nobody")["decision"] == "decline"


@pytest.mark.parametrize("more", [{"side": "outside"}, {"what": "else"}, {"to": 7}])
def test_what_is_no_call_is_refused(services: Services, more: dict[str, Any]) -> None:
    with pytest.raises(BadQuestion):
        ask(services, "alice", **more)

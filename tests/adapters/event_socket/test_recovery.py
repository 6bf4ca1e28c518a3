"""Recovery of calls: the commands sent to FreeSWITCH after a crash; the rest is tested on a real one."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest

from sipbridge.adapters.event_socket import recovery
from sipbridge.adapters.event_socket.recovery import recover_calls

ACCOUNT = "0123456789abcdef"
RUNS = "<?xml version='1.0'?><profile><profile-info><sip-ip>192.0.2.1</sip-ip></profile-info></profile>"


def row(uuid: str, call_uuid: str, direction: str) -> dict[str, str]:
    return {"uuid": uuid, "call_uuid": call_uuid, "direction": direction}


CALL = [row("a", "a", "inbound"), row("b", "a", "outbound")]


class JustStarted:
    """A FreeSWITCH that has just started, and the commands that it got."""

    def __init__(self, *rows: dict[str, str], answers: Mapping[str, str] | None = None) -> None:
        self.commands: list[str] = []
        self._answers = {
            "fsctl pause_check": "true",
            "sofia xmlstatus": RUNS,
            "sofia recover": f"Recovered {len(rows)} call(s)\n" if rows else "No calls to recover.\n",
            "show channels": json.dumps({"row_count": len(rows), "rows": list(rows)}),
            "uuid_getvar": ACCOUNT,
            "global_getvar sipbridge_max_call_s": "7200\n",
            **(answers or {}),
        }

    def api(self, command: str) -> str:
        self.commands.append(command)
        return next((text for known, text in self._answers.items() if command.startswith(known)), "+OK")

    def told(self, beginning: str) -> list[str]:
        return [command for command in self.commands if command.startswith(beginning)]


def test_both_legs_are_taken_up_and_the_account_is_known_again() -> None:
    switch = JustStarted(*CALL)
    assert recover_calls(switch.api, ("inside", "providers")) == 2
    assert f"uuid_setvar a sip_bridge_account {ACCOUNT}" in switch.commands
    assert switch.told("sched_hangup") == ["sched_hangup +7200 a ALLOTTED_TIMEOUT"]
    assert switch.told("uuid_kill") == []


def test_sessions_can_be_made_meanwhile_and_no_longer() -> None:
    switch = JustStarted(*CALL)
    recover_calls(switch.api, ("inside",))
    at = switch.commands.index("sofia recover")
    assert switch.commands[at - 1 : at + 2] == ["fsctl resume inbound", "sofia recover", "fsctl pause inbound"]


@pytest.mark.parametrize("half", CALL, ids=["A leg", "B leg"])
def test_half_a_call_is_hung_up(half: dict[str, str]) -> None:
    switch = JustStarted(half)
    recover_calls(switch.api, ("inside",))
    assert switch.told("uuid_kill") == [f"uuid_kill {half['uuid']} NORMAL_TEMPORARY_FAILURE"]
    assert switch.told("uuid_setvar") == []


def test_what_is_no_account_marks_nothing() -> None:
    switch = JustStarted(*CALL, answers={"uuid_getvar": "_undef_"})
    recover_calls(switch.api, ("inside",))
    assert switch.told("uuid_setvar") == []


def test_without_calls_nothing_is_asked_for() -> None:
    switch = JustStarted()
    assert recover_calls(switch.api, ("inside",)) == 0
    assert switch.commands[-1] == "fsctl pause inbound"


@pytest.mark.parametrize(
    "missing", [{"fsctl pause_check": "false"}, {"sofia xmlstatus": "Invalid Profile!"}], ids=["starting", "no profile"]
)
def test_of_a_freeswitch_that_does_not_get_ready_nothing_is_taken_up(
    missing: dict[str, str], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(recovery, "_PATIENCE_S", 0.0)
    switch = JustStarted(*CALL, answers=missing)
    assert recover_calls(switch.api, ("inside", "providers")) == 0
    assert switch.told("sofia recover") == []
    assert "calls not recovered" in caplog.text


def test_they_are_waited_for_until_they_are_shown() -> None:
    switch = JustStarted(*CALL)

    def shows_late(command: str) -> str:
        answer = switch.api(command)
        return '{"row_count": 0}' if answer.startswith("{") and len(switch.told("show channels")) < 3 else answer

    assert recover_calls(shows_late, ("inside",)) == 2
    assert len(switch.told("uuid_setvar")) == 1

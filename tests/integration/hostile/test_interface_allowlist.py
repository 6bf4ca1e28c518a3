"""FreeSWITCH 1.11 has no command that runs a program or loads code: `<interface-allowlist>` in switch.conf.xml."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hostile_world import freeswitch_that_expands

from sipbridge.core.freeswitch.changes import Change
from support.freeswitch import FreeSwitch, has
from support.parked_call import place_call
from support.sip_peer import SipPeer

HAS_LIST = has(Change.HAS_INTERFACE_ALLOWLIST)


@pytest.fixture(scope="module")
def expanding(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FreeSwitch]:
    """Without the other protection, `api-expansion`."""
    freeswitch = freeswitch_that_expands(tmp_path_factory, allowed="")
    freeswitch.event_socket.command("event json CHANNEL_PARK")
    freeswitch.take_calls()
    yield freeswitch
    freeswitch.kill()


@pytest.mark.skipif(not HAS_LIST, reason="this FreeSWITCH knows no list")
@pytest.mark.parametrize(
    "command",
    ["system", "bg_system", "spawn", "bg_spawn", "spawn_stream", "load", "unload", "reload", "originate", "json"],
)
def test_command_does_not_exist(freeswitch: FreeSwitch, tmp_path: Path, command: str) -> None:
    trap = tmp_path / "trap"
    assert freeswitch.event_socket.api(f"{command} touch {trap}") == f"-ERR {command} Command not found!"
    assert not trap.exists()


def test_application_runs_nothing(expanding: FreeSwitch, caller: SipPeer, tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    call = place_call(expanding, caller)
    expanding.event_socket.execute(call.uuid, "system", f"touch {trap}")
    expanding.event_socket.execute(call.uuid, "respond", "488 No")
    call.final_response()
    assert trap.exists() is not HAS_LIST


def test_expansion_runs_nothing(expanding: FreeSwitch, caller: SipPeer, tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    call = place_call(expanding, caller)
    expanding.event_socket.execute(call.uuid, "respond", f"488 ${{system(touch {trap})}}")
    assert caller.final_response(call.invite).status == 488
    assert trap.exists() is not HAS_LIST

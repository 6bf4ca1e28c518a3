"""`sipbridge doctor` without FreeSWITCH: it checks the rest, and says what to do first."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from sipbridge.cli import cli, common
from support.processes import free_tcp_port

HOSTILE = "Jabiru \x1b]0;title\x07\x1b[2J"


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    providers = {
        "schemaVersion": 2,
        "providers": [
            {
                "name": HOSTILE,
                "triggerCondition": {"strategy": "Always"},
                "accountToUse": {"strategy": "Random"},
                "onAccountNotFound": "decline",
                "outgoingInvite": {"to": "{incoming.to}", "outboundProxy": "sip:127.0.0.1:5070"},
                "accountPool": "Pool",
            }
        ],
        "accountPools": {
            "Pool": {
                "outboundProxy": "sip:127.0.0.1:5071",
                "registrationRequired": False,
                "maxCallsPerLine": 1,
                "loader": [],
            }
        },
    }
    (tmp_path / "providers.json").write_text(json.dumps(providers))
    file = tmp_path / "sipbridge.toml"
    file.write_text(
        f"""
        providers_file = "providers.json"
        [event_socket]
        port = {free_tcp_port()}
        password = "s3cret"
        [gateways]
        spool_file = "{tmp_path}/gateways.xml"
        [control]
        socket = "{tmp_path}/control.sock"
        """
    )
    file.chmod(0o600)
    return file


def doctor(settings: Path, *arguments: str) -> Result:
    return CliRunner().invoke(cli, ["doctor", "--settings", str(settings), *arguments], prog_name="sipbridge")


def test_what_is_wrong_is_told_and_what_to_do(settings: Path) -> None:
    told = doctor(settings)
    assert told.exit_code == 1
    assert "✗ Event Socket unavailable: cannot connect to 127.0.0.1:" in told.output
    assert "→ start FreeSWITCH" in told.output
    assert "s3cret" not in told.output


def test_names_do_nothing_to_a_terminal(settings: Path) -> None:
    told = doctor(settings)
    assert "Jabiru" in told.output
    assert "\x1b" not in told.output
    assert "\x07" not in told.output


def test_a_machine_gets_ids_and_verdicts(settings: Path) -> None:
    found = {one["id"]: one["verdict"] for one in json.loads(doctor(settings, "--json").output)}
    assert found["event-socket"] == "fail"
    assert found["settings"] == "pass"
    quiet = json.loads(doctor(settings, "--json", "--quiet").output)
    assert "pass" not in {one["verdict"] for one in quiet}


def test_settings_that_cannot_be_used_are_said_to_be_so(settings: Path) -> None:
    settings.write_text("[event_socket]\nport = 0")
    told = doctor(settings)
    assert told.exit_code == 1
    assert "port" in told.output


def test_says_so_when_there_is_no_settings_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(common, "SETTINGS_FILE", tmp_path / "none.toml")
    monkeypatch.setenv("SIPBRIDGE_EVENT_SOCKET__PORT", str(free_tcp_port()))

    told = CliRunner().invoke(cli, ["doctor"], prog_name="sipbridge")

    assert told.exit_code == 1
    assert "  ! no settings file" in told.output

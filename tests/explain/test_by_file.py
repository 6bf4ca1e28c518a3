"""``explain FILE``: what is decided, what is unknown and why, and how it is printed."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from sipbridge.cli import cli, common

OUT = {
    "name": "out",
    "triggerCondition": {"strategy": "Always", "side": "inside"},
    "accountToUse": {"strategy": "FindInPool", "source": "{from}", "by": "alias"},
    "onAccountNotFound": "nextProvider",
    "outgoingInvite": {"to": "sip:{incoming.to.user}@{account.uri.hostport}"},
    "accountPool": "P",
}
NUMBERS = OUT | {
    "name": "numbers",
    "triggerCondition": {"strategy": "MatchRegex", "pattern": r"sip:\+33.*", "source": "{requestUri}"},
    "accountToUse": {"strategy": "Random"},
    "accountPool": "F",
}
COLUMNS = "username, domain, user_id, secret_type, secret, alias_username, alias_domain"
ANN = ("--request-uri", "sip:joe@near.example", "--from", "<sip:ann@near.example>", "--to", "<sip:joe@near.example>")
NUMBER = ("--request-uri", "sip:+331@h", "--from", "<sip:ann@near.example>", "--to", "<sip:+331@h>")


@pytest.fixture(autouse=True)
def no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(common, "SETTINGS_FILE", tmp_path / "none.toml")
    monkeypatch.delenv("SIPBRIDGE_SETTINGS", raising=False)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Two providers: numbers with an account of the file, and callers with those of a database."""
    database = sqlite3.connect(tmp_path / "accounts.db")
    database.execute(f"CREATE TABLE users ({COLUMNS})")
    database.execute("INSERT INTO users VALUES ('ann', 'far.example', '', 'clrtxt', 'x', 'ann', 'near.example')")
    database.commit()
    database.close()
    loader = {"dbBackend": "sqlite3", "connection": "accounts.db", "initQuery": "SELECT * FROM users"}
    loader["updateQuery"] = "SELECT * FROM users WHERE username = :identifier"
    common_to_both = {"outboundProxy": "<sip:far.example>", "registrationRequired": True, "maxCallsPerLine": 1}
    line = {"uri": "sip:line@far.example", "secretType": "clrtxt", "secret": "x"}
    pools = {"P": common_to_both | {"loader": loader}, "F": common_to_both | {"loader": [line]}}
    path = tmp_path / "providers.json"
    path.write_text(json.dumps({"schemaVersion": 2, "providers": [NUMBERS, OUT], "accountPools": pools}))
    return path


def explain(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, ["explain", *map(str, arguments)])


def told(*arguments: str | Path) -> dict[str, Any]:
    result = explain(*arguments, "--json")
    said: dict[str, Any] = json.loads(result.stdout)
    assert result.exit_code == {"unknown": 3}.get(said["decision"], 0)
    return said


def test_what_depends_on_a_database_is_unknown(file: Path) -> None:
    said = told(file, *ANN, "--side", "inside")
    assert (said["decision"], said["sip_status"]) == ("unknown", None)
    assert said["needs"].startswith(
        'the database of the account pool "P", in which the provider "out" looks: --connect'
    )
    assert [step["provider"] for step in said["trace"] if step["provider"]] == ["numbers"]
    shown = explain(file, *ANN, "--side", "inside").stdout
    assert shown.startswith("UNKNOWN\n")
    assert "DECLINE" not in shown.upper()


def test_what_does_not_depend_on_one_is_told(file: Path) -> None:
    assert (told(file, *NUMBER)["decision"], told(file, *NUMBER)["provider"]) == ("bridge", "numbers")
    of_provider = told(file, *ANN, "--side", "providers")
    assert (of_provider["decision"], of_provider["sip_status"]) == ("decline", "488 Not Acceptable Here")
    no_uri = told(file, *ANN[:3], "<urn:service:sos>", *ANN[4:], "--side", "inside")
    assert no_uri["decision"] == "decline", "a caller without a SIP URI is in no database"


def test_connect_reads_it(file: Path) -> None:
    said = told(file, *ANN, "--side", "inside", "--connect")
    assert (said["decision"], said["from"], said["account"]) == ("bridge", *["sip:ann@far.example"] * 2)
    assert said["basis"] == "the file and its databases, with every account registered and free"
    stranger = told(file, *ANN[:3], "<sip:eve@near.example>", *ANN[4:], "--side", "inside", "--connect")
    assert stranger["decision"] == "decline"


def test_a_database_that_does_not_answer_is_an_error(file: Path) -> None:
    (file.parent / "accounts.db").unlink()
    result = explain(file, *ANN, "--side", "inside", "--connect")
    assert result.exit_code == 1
    assert result.stderr.startswith("sipbridge: error: pool P: cannot connect to ")
    assert result.stdout == ""


def test_a_side_that_matters_has_to_be_named(file: Path) -> None:
    said = told(file, *ANN, "--connect")
    assert said["decision"] == "unknown"
    assert said["needs"] == "--side: bridge from the inside, decline from providers"
    assert told(file, *NUMBER, "--connect")["decision"] == "bridge", "it does not matter here"


def test_piped_it_is_not_wrapped(file: Path) -> None:
    name = "n" * 300
    lines = explain(file, "--request-uri", f"sip:+331{name}@h", *NUMBER[2:], "--side", "inside").stdout.splitlines()
    (shown,) = [line for line in lines if line.startswith("dial string")]
    assert name not in lines[0]
    assert shown.endswith("@far.example")
    assert all(line == line.rstrip() for line in lines)


@pytest.mark.parametrize("option", ["--connect", "--no-edge"])
def test_what_goes_with_a_file_alone(option: str) -> None:
    assert explain(*ANN, option).exit_code == 2


def test_without_a_file_and_a_bridge_nothing_is_told(tmp_path: Path) -> None:
    settings = tmp_path / "s.toml"
    settings.write_text(f'[control]\nsocket = "{tmp_path}/none.sock"\n')
    result = explain(*ANN, "--settings", settings)
    assert (result.exit_code, result.stdout) == (1, "")

"""``check`` and ``explain`` show the path of accounts and calls, and say when they assume an edge."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from sipbridge.cli import cli, common
from sipbridge.core.freeswitch.version import parse_freeswitch_version
from sipbridge.simulator import Simulator

HASH = "0123456789abcdef0123456789abcdef"
ASSUMED = "assuming an edge beside FreeSWITCH"
CALL = ["--request-uri", "sip:bob@home.example", "--from", "sip:alice@home.example", "--to", "sip:bob@home.example"]


@pytest.fixture(autouse=True)
def no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(common, "SETTINGS_FILE", tmp_path / "none.toml")
    monkeypatch.delenv("SIPBRIDGE_SETTINGS", raising=False)


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, list(map(str, arguments)))


def providers_file(folder: Path, loader: object, **of_invite: object) -> Path:
    file = folder / "providers.json"
    provider = {
        "name": "out",
        "accountPool": "lines",
        "triggerCondition": {"strategy": "Always"},
        "accountToUse": {"strategy": "Random"},
        "onAccountNotFound": "decline",
        "outgoingInvite": {"to": "{incoming.to}"} | of_invite,
    }
    pool = {
        "outboundProxy": "sip:proxy.example",
        "registrationRequired": True,
        "maxCallsPerLine": 1,
        "loader": loader,
    }
    file.write_text(json.dumps({"schemaVersion": 2, "providers": [provider], "accountPools": {"lines": pool}}))
    return file


def account(secret: str, **more: str) -> dict[str, str]:
    return {"uri": "sip:line@proxy.example", "secret": secret} | more


CLEAR = account("Mellon", secretType="clrtxt")


@pytest.mark.parametrize(
    ("an_account", "of_invite", "why"),
    [
        pytest.param(account(HASH), {}, "the secret is a digest hash", id="hash"),
        pytest.param(
            CLEAR | {"secret": "Mel:lon"}, {}, "FreeSWITCH cannot authenticate with the password", id="password"
        ),
        pytest.param(CLEAR, {"enableAvpf": True}, "a provider of the pool needs media", id="media"),
    ],
)
def test_an_edge_is_assumed_and_said_so(
    tmp_path: Path, an_account: dict[str, str], of_invite: dict[str, object], why: str
) -> None:
    file = providers_file(tmp_path, [an_account], **of_invite)

    checked, explained = run("check", file), run("explain", file, *CALL)

    assert checked.exit_code == 0
    assert f"pool lines: 1 of 1 account through the edge: {why}" in checked.output
    assert ASSUMED in checked.stderr
    assert f"edge: {why}" in " ".join(explained.output.split())
    assert ASSUMED in explained.stderr


def test_without_a_file_the_one_in_use_is_checked(tmp_path: Path) -> None:
    file = providers_file(tmp_path, [CLEAR])
    settings = tmp_path / "sipbridge.toml"
    settings.write_text('providers_file = "providers.json"\n')

    told = run("check", "--settings", settings)
    file.write_text("[")
    told_of_errors = run("check", "--settings", settings)

    assert (told.exit_code, told.stderr) == (0, "")
    assert told.output.startswith(f"{file}: valid (0 errors, 0 warnings)")
    assert told_of_errors.exit_code == 1
    assert f"{file}:1:2: error: " in told_of_errors.stderr


def test_without_a_file_in_use_one_has_to_be_named() -> None:
    told = run("check")

    assert told.exit_code == 1
    assert (
        told.stderr
        == "sipbridge: error: no file to check: name one on the command line, or set providers_file in the settings\n"
    )


def test_media_of_an_invite_past_the_account_concerns_that_provider_alone(tmp_path: Path) -> None:
    file = providers_file(tmp_path, [CLEAR], enableAvpf=True, outboundProxy="sip:elsewhere.example")

    assert "provider out: calls through the edge: the provider needs media" in run("check", file).output
    told = json.loads(run("explain", file, *CALL, "--json").stdout)
    assert (told["path"], told["next_hop"]) == ("edge", "sip:elsewhere.example")
    assert told["path_reason"].startswith("the provider needs media")


def test_what_goes_straight_to_the_provider_needs_no_assumption(tmp_path: Path) -> None:
    file = providers_file(tmp_path, [CLEAR])

    checked, explained = run("check", file), run("explain", file, *CALL, "--json")

    assert ASSUMED not in checked.output
    assert "edge" not in checked.stdout
    assert json.loads(explained.stdout)["path"] == "direct"
    assert explained.stderr == ""


@pytest.mark.parametrize(
    ("settings", "arguments"),
    [
        pytest.param(None, ["--no-edge"], id="--no-edge"),
        pytest.param("", [], id="settings without an edge"),
        pytest.param("[edge]\nenabled = true", ["--no-edge"], id="--no-edge goes before the settings"),
    ],
)
def test_without_an_edge_hashes_are_refused(tmp_path: Path, settings: str | None, arguments: Sequence[str]) -> None:
    result = run("check", providers_file(tmp_path, [account(HASH)]), *arguments, *_settings(tmp_path, settings))

    assert result.exit_code == 1
    assert "FreeSWITCH cannot authenticate with a digest hash" in result.stderr
    assert "enable [edge] in the settings" in result.stderr
    assert HASH not in result.output


def test_the_settings_say_whether_there_is_an_edge(tmp_path: Path) -> None:
    settings = _settings(tmp_path, '[edge]\nenabled = true\naddress = "127.0.0.1:5099"\naccounts = "all"')
    file = providers_file(tmp_path, [CLEAR])

    checked, explained = run("check", file, *settings), run("explain", file, *CALL, "--json", *settings)

    assert "1 of 1 account through the edge: the settings send every account through the edge" in checked.stdout
    assert ASSUMED not in checked.output + explained.output
    assert "sip_route_uri=sip:127.0.0.1:5099|" in json.loads(explained.stdout)["dial_string"]


@pytest.mark.parametrize("has_edge", [True, False])
def test_rows_of_a_database_are_held_against_the_edge_too(tmp_path: Path, has_edge: bool) -> None:
    file = providers_file(tmp_path, _database(tmp_path, [("alice", HASH), ("bob", HASH), ("carol", "no hash")]))

    result = run("check", "--connect", file, *([] if has_edge else ["--no-edge"]))

    assert result.exit_code == 1
    assert HASH not in result.output
    assert "no hash" not in result.output
    if has_edge:
        assert "pool lines: accounts with a digest hash go through the edge" in result.stdout
        assert "pool lines: 2 accounts (2 through the edge), 1 problem" in result.stdout
        assert "account sip:carol@proxy.example: a secret of type" in result.stderr
    else:
        assert "pool lines: 0 accounts, 1 problem" in result.stdout
        assert "account sip:alice@proxy.example (and 2 more): FreeSWITCH cannot authenticate" in result.stderr


DTLS = {"mediaEncryption": "dtls-srtp"}


@pytest.mark.parametrize(
    ("version", "of_invite", "more", "exit_code", "says"),
    [
        pytest.param("1.10.12", DTLS, "", 1, 'error: provider "out": FreeSWITCH 1.10.12 does not verify', id="1.10"),
        pytest.param("1.10.12", DTLS, "[calls]\naccept_unverified_dtls = true\n", 0, "", id="1.10, accepted"),
        pytest.param("1.10.12", {}, "", 0, "", id="1.10, without DTLS"),
        pytest.param(
            "1.10.12", DTLS | {"enableAvpf": False}, "[edge]\nenabled = true\n", 0, "", id="1.10, through the edge"
        ),
        pytest.param("1.11.2", DTLS, "", 0, "", id="1.11"),
    ],
)
def test_dtls_srtp_is_refused_beside_a_freeswitch_that_does_not_verify_it(
    tmp_path: Path, version: str, of_invite: dict[str, object], more: str, exit_code: int, says: str
) -> None:
    known = parse_freeswitch_version(version)
    assert known is not None
    with Simulator("secret", spool_file=tmp_path / "spool", version=known) as simulator:
        event_socket = f'[event_socket]\nport = {simulator.port}\npassword = "secret"\n'
        settings = _settings(tmp_path, event_socket + more)
        result = run("check", "--connect", providers_file(tmp_path, [CLEAR], **of_invite), *settings)
    assert (result.exit_code, says in result.stderr, bool(result.stderr)) == (exit_code, True, bool(says))


@pytest.mark.parametrize(
    ("arguments", "settings"),
    [
        pytest.param([], "", id="not asked"),
        pytest.param(["--connect"], "[event_socket]\nport = 1\n", id="no answer"),
        pytest.param(["--connect"], '[event_socket]\npassword_file = "missing"\n', id="no password"),
    ],
)
def test_dtls_srtp_of_a_freeswitch_that_is_not_known_is_warned_of(
    tmp_path: Path, arguments: list[str], settings: str
) -> None:
    result = run("check", providers_file(tmp_path, [CLEAR], **DTLS), *arguments, *_settings(tmp_path, settings))
    assert result.exit_code == 0
    assert 'warning: provider "out": DTLS-SRTP straight from FreeSWITCH' in result.stderr
    assert "the version is unknown" in result.stderr


def _settings(folder: Path, text: str | None) -> list[str | Path]:
    if text is None:
        return []
    file = folder / "sipbridge.toml"
    file.write_text(text)
    return ["--settings", file]


def _database(folder: Path, rows: Sequence[tuple[str, str]]) -> dict[str, Any]:
    with sqlite3.connect(folder / "accounts.sqlite") as database:
        database.execute("CREATE TABLE users (name TEXT, hash TEXT)")
        database.executemany("INSERT INTO users VALUES (?, ?)", rows)
    database.close()
    query = (
        "SELECT name AS username, 'proxy.example' AS hostport, '' AS user_id, 'ha1' AS secret_type, hash AS secret, "
        "'' AS alias_username, '' AS alias_hostport, '' AS outbound_proxy FROM users"
    )
    return {
        "dbBackend": "sqlite3",
        "initQuery": query,
        "updateQuery": f"{query} WHERE name = :identifier",
        "connection": "accounts.sqlite",
    }

"""Next hops that the settings refuse: a warning in the file, and passed on to the pools in databases."""

from __future__ import annotations

import ipaddress
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from sipbridge.cli import cli
from sipbridge.config.load import parse_providers

REFUSED = (ipaddress.ip_network("192.0.2.10"),)
LOADER = {"dbBackend": "sqlite3", "initQuery": "SELECT 1", "updateQuery": "SELECT :identifier", "connection": "a.db"}


def providers_file(
    loader: Any, pool: dict[str, str] | None = None, invite: dict[str, str] | None = None, name: str = "P"
) -> str:
    provider = {
        "name": name,
        "triggerCondition": {"strategy": "Always"},
        "accountToUse": {"strategy": "Random"},
        "onAccountNotFound": "decline",
        "outgoingInvite": {"to": "{incoming.to}", "from": "{account.uri}", **(invite or {})},
        "accountPool": "people",
    }
    people = {"registrationRequired": False, "maxCallsPerLine": 5, "loader": loader, **(pool or {})}
    return json.dumps({"schemaVersion": 2, "providers": [provider], "accountPools": {"people": people}}, indent=1)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(
            providers_file([{"uri": "sip:a@example.org"}], {"outboundProxy": "sip:192.0.2.10"}), "192.0.2.10", id="pool"
        ),
        pytest.param(
            providers_file([{"uri": "sip:a@example.org"}], {"registrar": "sip:192.0.2.10"}),
            "192.0.2.10",
            id="registrar",
        ),
        pytest.param(
            providers_file([{"uri": "sip:a@example.org"}], invite={"outboundProxy": "sip:192.0.2.10:5060"}),
            "192.0.2.10",
            id="provider",
        ),
        pytest.param(
            providers_file([{"uri": f"sip:{name}@192.0.2.10"} for name in "abc"]),
            "account sip:a@192.0.2.10 (and 2 more accounts of the pool): its domain, which is its next hop, 192.0.2.10",
            id="accounts",
        ),
    ],
)
def test_the_file_is_warned_of_and_used(text: str, expected: str) -> None:
    result = parse_providers(text, "p.json", refused_next_hops=REFUSED)
    (warning,) = [one.message for one in result.warnings if "refused_next_hops" in one.message]
    assert warning.startswith(
        f"{expected} is in 192.0.2.10/32 of refused_next_hops ([gateways] in the settings): calls"
    )
    assert not result.skipped
    assert result.config is not None
    assert result.config.pools["people"].policy.refused_next_hops == ()
    assert "192.0.2.10/32" not in str(parse_providers(text, "p.json").warnings)


def test_only_accounts_of_a_database_are_refused() -> None:
    config = parse_providers(providers_file(LOADER), "p.json", refused_next_hops=REFUSED).config
    assert config is not None
    assert config.pools["people"].policy.refused_next_hops == REFUSED


def test_check_warns(tmp_path: Path) -> None:
    file, settings = tmp_path / "p.json", tmp_path / "s.toml"
    file.write_text(providers_file([{"uri": "sip:a@example.org"}], {"outboundProxy": "sip:192.0.2.10"}))
    settings.write_text('[gateways]\nrefused_next_hops = "127.0.0.1, 192.0.2.0/24"\n')
    result = CliRunner().invoke(cli, ["check", "--settings", str(settings), str(file)])
    assert result.exit_code == 0
    assert "warning: 192.0.2.10 is in 192.0.2.0/24 of refused_next_hops" in result.stderr

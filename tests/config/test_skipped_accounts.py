"""An invalid or duplicate account in the file is skipped; the others are used."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from config_examples import GOOD, edited

from sipbridge.cli import cli, common
from sipbridge.config.load import parse_providers
from sipbridge.config.text.diagnostic import Severity
from sipbridge.core.calls.routing_table import routing_table
from sipbridge.core.providers.media_defaults import MediaDefaults

SECOND = '{ "uri": "sip:line2@example.org", "secretType": "clrtxt", "secret": "Mellon2" }'
BAD = {
    "no object": "7",
    "null": "null",
    "no uri": '{ "secretType": "clrtxt", "secret": "Mellon2" }',
    "uri of another scheme": '{ "uri": "tel:+33" }',
    "uri that is null": '{ "uri": null }',
    "uri that is empty": '{ "uri": "" }',
    "uri that is a number": '{ "uri": 7 }',
    "alias that is none": '{ "uri": "sip:b@c", "alias": "b c" }',
    "proxy that is none": '{ "uri": "sip:b@c", "outboundProxy": "a b" }',
    "word that is unknown": '{ "uri": "sip:b@c", "secretType": "plain", "secret": "Mellon2" }',
    "protocol that is unknown": '{ "uri": "sip:b@c", "protocol": "sctp" }',
    "hash without an edge": '{ "uri": "sip:b@c", "secret": "Mellon2" }',
    "password that is cut": '{ "uri": "sip:b@c", "secretType": "clrtxt", "secret": "Mellon:2" }',
    "twice": '{ "uri": "sip:line1@example.org" }',
    "twice in other words": '{ "uri": "SIP:%6cine1@EXAMPLE.org;x=y" }',
}


@pytest.fixture(autouse=True)
def no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(common, "SETTINGS_FILE", tmp_path / "none.toml")
    monkeypatch.delenv("SIPBRIDGE_SETTINGS", raising=False)


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
@pytest.mark.parametrize("is_first", [False, True], ids=["last", "first"])
def test_the_others_are_used(bad: str, is_first: bool) -> None:
    good = '{ "uri": "sip:line1@example.org", "secretType": "clrtxt", "secret": "Mellon1" }'
    text = edited((SECOND, bad))
    if is_first and "line1" not in bad.lower().replace("%6c", "l"):
        text = edited((good, bad))
    result = parse_providers(text, "p.json")
    assert result.config is not None
    assert result.errors == ()
    assert {one.severity for one in result.diagnostics} == {Severity.SKIPPED}
    assert "Mellon" not in str(result.diagnostics)
    pool = result.config.pools["lines"]
    assert (len(pool.loader), pool.skipped) == (1, 1)  # type: ignore[arg-type]  # not a database
    assert routing_table(result.config, MediaDefaults()).pools["lines"].skipped == 1


def test_check_says_so_and_fails(tmp_path: Path) -> None:
    file = tmp_path / "p.json"
    file.write_text(edited((SECOND, BAD["uri of another scheme"]), ('"dbBackend": "mysql"', '"dbBackend": "sqlite3"')))
    result = CliRunner().invoke(cli, ["check", "--no-edge", str(file)])
    assert result.exit_code == 1
    assert 'skipped: "uri" is not a SIP URI: it must begin with "sip:", not with "tel:"' in result.stderr
    assert "valid (0 errors, " in result.stdout
    assert result.stdout.rstrip().endswith("1 account in the file, 1 account skipped")


def test_version_1_skips_too() -> None:
    accounts = [{"uri": "sip:a@b"}, {"uri": "nothing"}, None, {"uri": "sip:a@b"}, {"uri": "sip:c@d", "password": 7}]
    provider = {"name": "p", "pattern": "sip:.*", "accounts": accounts}
    result = parse_providers(json.dumps([provider]), "p.json")
    assert result.config is not None
    (pool,) = result.config.pools.values()
    assert pool.skipped == 4
    assert [found.severity for found in result.diagnostics] == [Severity.SKIPPED] * 4


class TestUnknownFields:
    COMMENTED = edited(
        ('"schemaVersion": 2', '"schemaVersion": 2, "_comment": ["anything"]'),
        ('"name": "people"', '"name": "people", "comment": null'),
        ('{ "strategy": "Always" }', '{ "strategy": "Always", "comment": 1 }'),
        ('"secret": "Mellon1"', '"secret": "Mellon1", "who": "the first"'),
        ('"secret": "Mellon2"', '"secret": "Mellon2", "who": "the second", "maxcalls": 1'),
    )

    def test_are_errors(self) -> None:
        result = parse_providers(self.COMMENTED, "p.json")
        assert result.config is None
        assert len(result.errors) == 6

    def test_are_ignored_with_a_warning(self) -> None:
        result = parse_providers(self.COMMENTED, "p.json", unknown_fields=Severity.WARNING)
        assert result.config == parse_providers(GOOD, "p.json").config
        messages = [one.message for one in result.warnings]
        assert len(messages) == 5, "of accounts that have the same, the first"
        assert all(message.startswith("ignored: unknown field ") for message in messages)

    def test_of_a_settings_file(self, tmp_path: Path) -> None:
        (tmp_path / "p.json").write_text(self.COMMENTED)
        settings = tmp_path / "s.toml"
        settings.write_text('providers_file = "p.json"\nunknown_fields = "warn"\n')
        assert CliRunner().invoke(cli, ["check", "--settings", str(settings)]).exit_code == 0
        settings.write_text('providers_file = "p.json"\n')
        assert CliRunner().invoke(cli, ["check", "--settings", str(settings)]).exit_code == 1

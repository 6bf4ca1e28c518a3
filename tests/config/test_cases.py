"""Files that exist elsewhere and work there, in `cases/`, each with what is right for it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from sipbridge.cli import cli, common

CASES = Path(__file__).parent / "cases"


@pytest.fixture(autouse=True)
def no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(common, "SETTINGS_FILE", tmp_path / "none.toml")
    monkeypatch.delenv("SIPBRIDGE_SETTINGS", raising=False)


def providers_of(case: str) -> Path:
    return CASES / case / "providers.json"


def explained(file: Path, request_uri: str, from_: str, to: str, *more: str) -> dict[str, Any]:
    call = ["--request-uri", request_uri, "--from", from_, "--to", to, "--json", *more]
    result = CliRunner().invoke(cli, ["explain", str(file), *call])
    assert result.exit_code == 0, result.output
    told: dict[str, Any] = json.loads(result.stdout)
    return told


class TestDisplayName:
    @pytest.mark.parametrize(
        ("from_", "sent"),
        [
            (r'"An\"n" <sip:ann@near.example>', r'"An\"n" <sip:ann@far.example>'),
            (r'"CORP\\nancy" <sip:ann@near.example>', r'"CORP\\nancy" <sip:ann@far.example>'),
            ('"O\'Brien" <sip:ann@near.example>;tag=1', '"O\'Brien" <sip:ann@far.example>'),
            ('"a <b> c" <sip:ann@near.example>', '"a <b> c" <sip:ann@far.example>'),
            ("Ann <sip:ann@near.example>", '"Ann" <sip:ann@far.example>'),
            ("Ann Lee <sip:ann@near.example>", '"Ann Lee" <sip:ann@far.example>'),
            ('"" <sip:ann@near.example>', "sip:ann@far.example"),
            ('"  " <sip:ann@near.example>', "sip:ann@far.example"),
            ("<sip:ann@near.example>", "sip:ann@far.example"),
            ("sip:ann@near.example;tag=1", "sip:ann@far.example"),
            ('"{Ann}" <sip:ann@near.example>', '"Ann" <sip:ann@far.example>'),
        ],
    )
    def test_outbound(self, from_: str, sent: str) -> None:
        told = explained(providers_of("20-display-name"), "sip:joe@near.example", from_, "sip:joe@near.example")
        assert (told["decision"], told["from"]) == ("bridge", sent)

    @pytest.mark.parametrize("name", ['"Joe" ', ""])
    def test_what_follows_the_uri_belongs_to_it(self, name: str) -> None:
        from_ = f"{name}<sip:joe@far.example;user=phone>"
        told = explained(providers_of("20-display-name"), "sip:ann@far.example", from_, "sip:ann@far.example")
        sent = "sip:joe@near.example;user=phone"
        assert (told["decision"], told["from"]) == ("bridge", f"{name}<{sent}>" if name else sent)

"""Real providers files in `cases/`, each with its expected result."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from sipbridge.adapters.sql.sql_accounts import SqlAccounts
from sipbridge.cli import cli, common
from sipbridge.config.load import load_providers
from sipbridge.core.accounts.account import Account, SecretType
from sipbridge.core.bridge_config import BridgeConfig
from sipbridge.core.providers.provider import UNLIMITED_CALLS, PoolPolicy, SqlLoader
from sipbridge.core.sip.uri import parse_sip_uri

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


def loaded(case: str, folder: Path) -> tuple[BridgeConfig, list[str]]:
    """The configuration of a case and its warnings; its database, if it has one, is made in `folder`."""
    file = folder / "providers.json"
    file.write_bytes(providers_of(case).read_bytes())
    for script in (CASES / case).glob("*.sql"):
        database = sqlite3.connect(folder / "accounts.db")
        database.executescript(script.read_text())
        database.close()
    result = load_providers(file)
    assert result.config is not None, result.diagnostics
    return result.config, [one.message for one in result.diagnostics]


def accounts_of(case: str, folder: Path, **edits: str) -> tuple[PoolPolicy, list[Account]]:
    config, warnings = loaded(case, folder)
    assert warnings == [] or all("by From alone" in warning for warning in warnings)
    pool = config.pools["P"]
    if not isinstance(pool.loader, SqlLoader):
        return pool.policy, list(pool.loader)
    loader = dataclasses.replace(pool.loader, **edits)  # type: ignore[arg-type]  # all of them texts
    with contextlib.closing(SqlAccounts("P", loader)) as source:
        assert source.probe(pool.policy).problems == ()
        return pool.policy, [account for batch in source.load_all() for account in batch.accounts]


def places(policy: PoolPolicy, accounts: list[Account]) -> dict[str, tuple[str, str]]:
    """Where the calls and the REGISTERs of each account go."""
    return {
        account.uri.user: (policy.next_hop(account).text, policy.registrar_of(account).text) for account in accounts
    }


def test_database_of_the_account_manager(tmp_path: Path) -> None:
    policy, accounts = accounts_of("01-account-manager-database", tmp_path)
    hop = "sip:proxy.provider.example;transport=tls"
    assert places(policy, accounts) == {"line1": (hop, hop)}
    (account,) = accounts
    assert (account.secret, account.secret_type) == ("secret-1", SecretType.CLEAR_TEXT)
    assert account.alias == parse_sip_uri("sip:alice@ours.example")


@pytest.mark.parametrize("has_proxy", [True, False], ids=["every column", "no outbound_proxy"])
def test_spelling_of_a_database(tmp_path: Path, has_proxy: bool) -> None:
    columns = "username, domain, user_id, secret, secret_type, alias_username, alias_domain, registrar, protocol"
    edits = {} if has_proxy else {"init_query": f"SELECT {columns} FROM users;"}
    policy, accounts = accounts_of("21-sql-spelling", tmp_path, **edits)
    pool = "sip:127.0.0.3:5070"
    u3 = "sip:proxy.far.example:5070;transport=tcp" if has_proxy else pool
    assert places(policy, accounts) == {
        "u1": (pool, pool),
        "u2": (pool, "sip:reg.far.example;transport=udp"),
        "u3": (u3, u3),
        "u4": (pool, "sip:reg.far.example;transport=udp"),
    }
    assert [account.alias and account.alias.text for account in accounts] == [
        None,
        *(f"sip:u{n}@near.example" for n in (2, 3, 4)),
    ]


def test_pool_without_a_proxy(tmp_path: Path) -> None:
    policy, accounts = accounts_of("22-pool-without-proxy", tmp_path)
    registrar = "sip:reg.far.example:5070;transport=tcp"
    assert places(policy, accounts) == {
        "ann": ("sip:far.example;transport=udp", registrar),
        "eve": ("sip:127.0.0.2:5060;transport=udp", registrar),
        "kim": ("sip:127.0.0.2:5060;transport=tcp", "sip:127.0.0.1:5061;transport=tcp"),
    }
    call = ("sip:joe@near.example", "<sip:ann@near.example>", "<sip:joe@near.example>")
    assert explained(tmp_path / "providers.json", *call)["next_hop"] == "sip:far.example;transport=udp"


def test_version_1_with_its_defaults_left_out(tmp_path: Path) -> None:
    config, warnings = loaded("23-version1-minimal", tmp_path)
    assert warnings == []
    (pool,) = config.pools.values()
    assert (pool.policy.max_calls_per_line, pool.policy.registration_required) == (UNLIMITED_CALLS, False)
    number = "sip:+390612345@near.example;user=phone"
    told = explained(tmp_path / "providers.json", number, "<sip:joe@near.example>", f"<{number}>")
    assert (told["to"], told["from"], told["next_hop"]) == (
        "sip:+390612345@far.example;user=phone",
        "sip:line@far.example",
        "sip:far.example;transport=udp",
    )


def test_fields_of_version_2_5_are_accepted_with_a_warning_each(tmp_path: Path) -> None:
    config, warnings = loaded("24-fields-of-2.5", tmp_path)
    assert warnings == ["has no effect yet: message-waiting indications are not passed on"] * 3
    (account,) = config.pools["P"].loader  # type: ignore[misc]  # not a database
    assert account.mwi_server_uri == parse_sip_uri("sip:mwi2@far.example")


def test_empty_and_null_are_as_if_left_out(tmp_path: Path) -> None:
    loaded("25-empty-and-null", tmp_path)
    told = explained(
        tmp_path / "providers.json", "sip:joe@far.example", "<sip:ann@near.example>", "<sip:joe@far.example>"
    )
    assert (told["decision"], told["to"], told["from"]) == ("bridge", "sip:joe@far.example", "sip:ann@far.example")
    assert told["next_hop"] == "sip:127.0.0.3:5070"

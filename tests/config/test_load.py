"""Valid providers files, and their core values."""

from __future__ import annotations

from pathlib import Path

import pytest
from config_examples import GOOD, edited

from sipbridge.config.load import load_providers, parse_providers
from sipbridge.core.accounts.account import Account, SecretType
from sipbridge.core.bridge_config import BridgeConfig
from sipbridge.core.providers.media import MediaEncryption
from sipbridge.core.providers.media_defaults import MediaDefaults
from sipbridge.core.providers.provider import (
    Always,
    FindInPool,
    MatchRegex,
    OnAccountNotFound,
    OutgoingInvite,
    PoolPolicy,
    RandomAccount,
    SqlLoader,
)
from sipbridge.core.providers.template import TemplateScope, parse_template
from sipbridge.core.sip.uri import parse_sip_uri


def config_of(text: str) -> BridgeConfig:
    result = parse_providers(text, "p.json")
    assert result.diagnostics == ()
    assert result.config is not None
    return result.config


def test_good_file() -> None:
    config = config_of(GOOD)
    numbers, people = config.providers
    assert (numbers.name, numbers.account_pool) == ("numbers", "lines")
    assert isinstance(numbers.trigger, MatchRegex)
    assert numbers.trigger.pattern == r"sip:\+33.*"
    assert numbers.trigger.matches("sip:+33612345678@x")
    assert not numbers.trigger.matches("sip:+44612345678@x")
    assert numbers.account_to_use == RandomAccount()
    assert numbers.on_account_not_found is OnAccountNotFound.DECLINE
    assert numbers.outgoing_invite == OutgoingInvite(
        to=parse_template("{incoming.requestUri}", TemplateScope.INVITE),
        from_=parse_template("{account.uri}", TemplateScope.INVITE),
        media_encryption=MediaEncryption.NONE,
    )
    assert people.trigger == Always()
    assert people.account_to_use == FindInPool(
        by=parse_template("{alias}", TemplateScope.BY), source=parse_template("{to}", TemplateScope.SOURCE)
    )
    assert people.on_account_not_found is OnAccountNotFound.NEXT_PROVIDER
    assert list(config.pools) == ["lines", "people"]
    assert config.pools["lines"].policy == PoolPolicy(
        name="lines",
        outbound_proxy=parse_sip_uri("sip:proxy.example.org;transport=tls"),
        registration_required=True,
        max_calls_per_line=20,
    )
    assert config.pools["lines"].loader == tuple(
        Account(parse_sip_uri(f"sip:line{n}@example.org"), secret=f"Mellon{n}", secret_type=SecretType.CLEAR_TEXT)
        for n in (1, 2)
    )
    loader = config.pools["people"].loader
    assert isinstance(loader, SqlLoader)
    assert loader.connection == "db=users password='Mellon3'"


def test_every_field() -> None:
    text = edited(
        (
            '"secret": "Mellon1"',
            '"secret": "Mellon1", "alias": "<sip:me@home.example>", "userid": "id", "realm": "realm.example", '
            '"mwiServerUri": "mwi.example", '
            '"outboundProxy": "edge.example:5061", "registrar": "sip:registrar.example", "protocol": "tls"',
        ),
        (
            '"maxCallsPerLine": 20,',
            '"maxCallsPerLine": 2.0, "registrar": "<sip:registrar.example>", "registrationThrottlingRateMs": 50, '
            '"unregisterOnServerShutdown": false, "mwiServerUri": "sip:mwi.example",',
        ),
        (
            '"mediaEncryption": "none" }',
            '"mediaEncryption": "dtls-srtp", "enableAvpf": true, "outboundProxy": "<sip:edge.example>" }, '
            '"outgoingNotify": { "outboundProxy": "sip:edge.example" }',
        ),
        ('"by": "alias"', '"by": "{alias.user}"'),
        ('"dbBackend": "mysql"', '"dbBackend": "mysql", "threadPoolSize": 4'),
    )
    result = parse_providers(text, "p.json")
    assert [one.message.partition(":")[0] for one in result.diagnostics] == ["has no effect yet"] * 3
    config = result.config
    assert config is not None
    lines, people = config.pools.values()
    assert lines.policy == PoolPolicy(
        name="lines",
        outbound_proxy=parse_sip_uri("sip:proxy.example.org;transport=tls"),
        registration_required=True,
        max_calls_per_line=2,
        registration_interval_ms=50,
        unregister_on_shutdown=False,
        registrar=parse_sip_uri("sip:registrar.example"),
    )
    assert isinstance(lines.loader, tuple)
    assert lines.loader[0] == Account(
        uri=parse_sip_uri("sip:line1@example.org"),
        alias=parse_sip_uri("sip:me@home.example"),
        user_id="id",
        secret="Mellon1",
        secret_type=SecretType.CLEAR_TEXT,
        realm="realm.example",
        outbound_proxy=parse_sip_uri("sip:edge.example:5061;transport=tls"),
        registrar=parse_sip_uri("sip:registrar.example"),
        protocol="tls",
        mwi_server_uri=parse_sip_uri("sip:mwi.example;transport=tls"),
    )
    invite = config.providers[0].outgoing_invite
    assert (invite.media_encryption, invite.enable_avpf) == (MediaEncryption.DTLS_SRTP, True)
    assert invite.outbound_proxy == parse_sip_uri("sip:edge.example")
    to_use = config.providers[1].account_to_use
    assert isinstance(to_use, FindInPool)
    assert to_use.by == parse_template("{alias.user}", TemplateScope.BY)
    assert isinstance(people.loader, SqlLoader)
    assert (people.loader.backend, people.loader.thread_pool_size) == ("mysql", 4)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("ha1", SecretType.HA1),
        ("md5", SecretType.HA1),
        ("sha256", SecretType.SHA256),
        ("sha-256", SecretType.SHA256),
        ("clrtxt", SecretType.CLEAR_TEXT),
        ("CLRTXT", SecretType.CLEAR_TEXT),
        (" Sha-256 ", SecretType.SHA256),
        ("", SecretType.HA1),
    ],
)
def test_secret_types(written: str, read: SecretType) -> None:
    first = '"secretType": "clrtxt", "secret": "Mellon1"'
    text = edited(
        (first, f'"secretType": "{written}"'), ('"registrationRequired": true', '"registrationRequired": false')
    )
    loader = config_of(text).pools["lines"].loader
    assert isinstance(loader, tuple)
    assert loader[0].secret_type is read


def test_how_often_a_database_is_read_again() -> None:
    with_refresh = ('"maxCallsPerLine": 1,', '"maxCallsPerLine": 1, "refreshS": 30,')
    assert config_of(edited(with_refresh)).pools["people"].policy.refresh_s == 30
    result = parse_providers(edited(('"maxCallsPerLine": 20,', '"maxCallsPerLine": 20, "refreshS": 30,')), "p.json")
    assert [one.message for one in result.warnings] == ["has no effect: these accounts are in no database"]
    (found,) = parse_providers(edited(('1,\n      "loader"', '1, "refreshS": 0,\n      "loader"')), "p.json").errors
    assert found.message == '"refreshS" must be 1 or more, not 0'


def test_empty_optional_texts_are_absent() -> None:
    text = edited(
        ('"secret": "Mellon1"', '"secret": "Mellon1", "alias": "", "userid": "", "realm": "", "registrar": ""')
    )
    assert config_of(text) == config_of(GOOD)


def test_defaults_count_for_media() -> None:
    text = edited(('"mediaEncryption": "none"', '"enableAvpf": true'))
    assert parse_providers(text, "p.json", MediaDefaults(MediaEncryption.DTLS_SRTP)).diagnostics == ()
    assert len(parse_providers(text, "p.json", MediaDefaults(MediaEncryption.SDES)).errors) == 1
    assert len(parse_providers(GOOD, "p.json", MediaDefaults(enable_avpf=True)).errors) == 1


@pytest.mark.parametrize(
    "source", ["{requestUri}", "{incoming.requestUri}", "{requestAddress}", "{incoming.requestAddress}"]
)
def test_sources_that_are_the_request_uri(source: str) -> None:
    numbers = config_of(edited(('"source": "{requestUri}"', f'"source": "{source}"'))).providers[0]
    assert isinstance(numbers.trigger, MatchRegex)
    assert numbers.trigger.matches("sip:+33612345678@x")


class TestFiles:
    def test_missing(self, tmp_path: Path) -> None:
        path = tmp_path / "none.json"
        result = load_providers(path)
        assert [str(found) for found in result.diagnostics] == [
            f"{path}:1:1: error: cannot be read: No such file or directory"
        ]
        assert result.config is None

    def test_not_utf8(self, tmp_path: Path) -> None:
        path = tmp_path / "latin1.json"
        path.write_bytes('[\n"\u20ac", "é"]'.encode() + b"\xe9")
        (error,) = load_providers(path).errors
        assert (error.line, error.column, error.message) == (2, 10, "byte 0xE9 is not UTF-8: save the file as UTF-8")

    def test_byte_order_mark_is_skipped(self) -> None:
        assert parse_providers("\ufeff" + GOOD, "p.json").diagnostics == ()
        (error,) = parse_providers(b"\xef\xbb\xbf" + b"5", "p.json").errors
        assert (error.line, error.column) == (1, 1)

    def test_carriage_returns(self) -> None:
        assert parse_providers(GOOD.replace("\n", "\r\n"), "p.json").diagnostics == ()

    def test_no_break_spaces_inside_strings_stay(self) -> None:
        text = edited(('"name": "people"', '"name": "two\u00a0words"'))
        assert config_of(text).providers[1].name == "two\u00a0words"


def test_accounts_that_share_an_alias_are_a_warning() -> None:
    alias = '"alias": "sip:x@home.example.org", "uri"'
    text = edited(*((f'"uri": "sip:line{n}@', f'{alias}: "sip:line{n}@') for n in (1, 2)))
    result = parse_providers(text, "p.json")
    assert result.config is not None
    (warning,) = result.warnings
    assert "an account above has this alias, and takes the calls of this one" in str(warning)

"""Files of version 1: their conversion, and the positions of their errors."""

from __future__ import annotations

import pytest
from config_examples import without_marks

from sipbridge.config.load import parse_providers
from sipbridge.core.accounts.account import Account, SecretType
from sipbridge.core.providers.media import MediaEncryption
from sipbridge.core.providers.provider import MatchRegex, OnAccountNotFound, OutgoingInvite, PoolPolicy, RandomAccount
from sipbridge.core.providers.template import TemplateScope, parse_template
from sipbridge.core.sip.uri import parse_sip_uri

GOOD = r"""[
  {
    "name": "provider",
    "pattern": "sip:.*",
    "outboundProxy": "<sip:proxy.example.org:5060;transport=udp>",
    "registrationRequired": true,
    "maxCallsPerLine": 2,
    "enableAvpf": false,
    "mediaEncryption": "none",
    "accounts": [
      { "uri": "sip:account1@example.org", "userid": "id1", "password": "Mellon1" },
      { "uri": "sip:account2@example.org", "password": "Mellon2" }
    ]
  },
  {
    "name": "provider",
    "pattern": "sip:4.*",
    "outboundProxy": "sip:other.example.org",
    "maxCallsPerLine": 1,
    "accounts": [{ "uri": "sip:account1@example.org" }]
  }
]
"""
SAME_NAME = 'p.json:16:13: warning: another provider already has the name "provider", on line 3'


def test_becomes_version_2() -> None:
    result = parse_providers(GOOD, "p.json")
    assert [str(found) for found in result.diagnostics] == [SAME_NAME]
    assert result.config is not None
    first, second = result.config.providers
    assert isinstance(first.trigger, MatchRegex)
    assert first.trigger.matches("sip:+33@x")
    assert first.account_to_use == RandomAccount()
    assert first.on_account_not_found is OnAccountNotFound.DECLINE
    assert first.outgoing_invite == OutgoingInvite(
        to=parse_template(
            "sip:{incoming.requestUri.user}@{account.uri.hostport}{incoming.requestUri.uriParameters}",
            TemplateScope.INVITE,
        ),
        from_=parse_template("{account.uri}", TemplateScope.INVITE),
        media_encryption=MediaEncryption.NONE,
        enable_avpf=False,
    )
    assert first.account_pool != second.account_pool, "each has a pool of its own, also when they are named alike"
    pool = result.config.pools[first.account_pool]
    assert pool.policy == PoolPolicy(
        name=first.account_pool,
        outbound_proxy=parse_sip_uri("sip:proxy.example.org:5060;transport=udp"),
        registration_required=True,
        max_calls_per_line=2,
    )
    assert pool.loader == (
        Account(
            parse_sip_uri("sip:account1@example.org"),
            user_id="id1",
            secret="Mellon1",
            secret_type=SecretType.CLEAR_TEXT,
        ),
        Account(parse_sip_uri("sip:account2@example.org"), secret="Mellon2", secret_type=SecretType.CLEAR_TEXT),
    )
    assert not result.config.pools[second.account_pool].policy.registration_required


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        pytest.param('"sip:.*"', '"sip:*▲*"', "nothing to repeat", id="pattern"),
        pytest.param('"<sip:proxy.example.org:5060;transport=udp>"', '▲"pro xy"', "not a SIP URI", id="proxy"),
        pytest.param('"sip:account2@example.org"', '▲"sip:account1@example.org"', "already an account", id="account"),
        pytest.param('"password": "Mellon2"', '"password": ▲5', '"password" must be a string', id="wrong password"),
        pytest.param(
            '"password": "Mellon2"', '▲"secret": "Mellon2"', 'unknown field "secret"', id="field of version 2"
        ),
        pytest.param('"enableAvpf": false', '"enableAvpf": true', "only together with DTLS", id="media"),
        pytest.param('"maxCallsPerLine": 2', '"maxCallsPerLine": ▲0', "never carry a call", id="no calls"),
        pytest.param('"pattern": "sip:4.*",', "", 'missing: "pattern"', id="missing"),
        pytest.param(
            '"name": "provider",\n    "pattern": "sip:.*"', '"pattern": ▲"\\\\+3"', "matches no call", id="no name"
        ),
    ],
)
def test_faults_are_shown_where_they_are_written(old: str, new: str, expected: str) -> None:
    assert GOOD.count(old) == 1
    text, places = without_marks(GOOD.replace(old, new))
    found = [one for one in parse_providers(text, "p.json").diagnostics if expected in one.message]
    assert len(found) == 1
    assert not places or f"{found[0].line}:{found[0].column}" == places[0]


@pytest.mark.parametrize("text", ["[]", "[5]", "[null]", "[{}]", '[{"accounts": [5]}]', '[{"name": "#"}]'])
def test_fragments(text: str) -> None:
    result = parse_providers(text, "p.json")
    assert (result.config is None) == (text != "[]")

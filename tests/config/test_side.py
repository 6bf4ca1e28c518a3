"""``side`` of a trigger, and the warning for numbers as accounts that an outbound provider would take the calls of."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sipbridge.config.load import parse_providers
from sipbridge.core.calls.routing import Bridge, RoutingTable, Verdict, route
from sipbridge.core.calls.routing_table import routing_table
from sipbridge.core.gateways.registration import Registration, RegistrationStatus
from sipbridge.core.providers.media_defaults import MediaDefaults
from sipbridge.core.sip.call import CallRequest, Side

NUMBER = "+33170000001"
OUT = {
    "name": "out",
    "triggerCondition": {"strategy": "MatchRegex", "pattern": r"sip:\+33.*", "source": "{requestUri}"},
    "accountToUse": {"strategy": "Random"},
    "onAccountNotFound": "decline",
    "outgoingInvite": {"to": "sip:{incoming.requestUri.user}@{account.uri.hostport}"},
    "accountPool": "P",
}
IN = {
    "name": "in",
    "triggerCondition": {"strategy": "Always"},
    "accountToUse": {"strategy": "FindInPool", "source": "{requestUri.user}", "by": "{uri.user}"},
    "onAccountNotFound": "decline",
    "outgoingInvite": {"to": "{account.alias}", "from": "{incoming.from}", "outboundProxy": "<sip:127.0.0.1>"},
    "accountPool": "P",
}
IN_BY_URI = IN | {"accountToUse": {"strategy": "FindInPool", "source": "{to}", "by": "uri"}}


def providers(*providers: dict[str, Any], user: str = NUMBER, registers: bool = True) -> str:
    account = {"uri": f"sip:{user}@far.example", "alias": "sip:ann@near.example", "secretType": "clrtxt", "secret": "x"}
    pool = {
        "outboundProxy": "<sip:far.example>",
        "registrationRequired": registers,
        "maxCallsPerLine": 1,
        "loader": [{"uri": "sip:line@far.example", "secretType": "clrtxt", "secret": "x"}, account],
    }
    return json.dumps({"schemaVersion": 2, "providers": providers, "accountPools": {"P": pool}})


def with_side(provider: dict[str, Any], side: str | None) -> dict[str, Any]:
    return provider | {"triggerCondition": provider["triggerCondition"] | {"side": side}}


def table(text: str) -> RoutingTable:
    result = parse_providers(text, "p.json")
    assert result.config is not None, result.diagnostics
    made = routing_table(result.config, MediaDefaults())
    for pool in made.pools.values():
        for line in pool:
            line.set_registration(Registration(RegistrationStatus.REGISTERED))
    return made


def provider_of(text: str, side: Side) -> str:
    to = f"<sip:{NUMBER}@far.example>"
    call = CallRequest(f"sip:{NUMBER}@192.0.2.1:5080", "<sip:joe@far.example>", to, side)
    decision = route(call, table(text), lambda _: 0)
    assert isinstance(decision, Bridge)
    return decision.provider.name


def test_each_side_has_its_provider() -> None:
    text = providers(with_side(OUT, "inside"), with_side(IN, "providers"))
    assert parse_providers(text, "p.json").diagnostics == ()
    assert provider_of(text, Side.INSIDE) == "out"
    assert provider_of(text, Side.PROVIDERS) == "in"


@pytest.mark.parametrize("side", [None, ""])
def test_without_one_it_takes_calls_from_both(side: str | None) -> None:
    text = providers(with_side(OUT, side), IN)
    assert [provider_of(text, each) for each in Side] == ["out", "out"]


def test_the_trace_says_why_it_was_passed_over() -> None:
    text = providers(with_side(OUT, "inside"))
    decision = route(CallRequest("sip:x@h", "<sip:a@b>", "<sip:x@h>", Side.PROVIDERS), table(text), lambda _: 0)
    assert [(step.verdict, step.detail) for step in decision.trace] == [
        (Verdict.OTHER_SIDE, "the call comes from side providers")
    ]


def test_an_unknown_side_is_an_error() -> None:
    (found,) = parse_providers(providers(with_side(OUT, "outside")), "p.json").errors
    assert found.message == '"side" must be "inside" or "providers", not "outside"'


CAUGHT = [
    pytest.param([OUT, IN], {}, id="before the one that looks for the account"),
    pytest.param([OUT], {}, id="no other"),
    pytest.param([with_side(OUT, "providers"), IN], {}, id="of their side alone"),
    pytest.param([OUT, with_side(IN_BY_URI, None)], {}, id="by its URI, but after it"),
]
LEFT = [
    pytest.param([with_side(OUT, "inside"), IN], {}, id="of our side alone"),
    pytest.param([IN_BY_URI, OUT], {}, id="after the one that looks for the account"),
    pytest.param([OUT, IN], {"user": "account1"}, id="accounts that are no numbers"),
    pytest.param([OUT, IN], {"registers": False}, id="accounts that no provider knows a contact of"),
]


@pytest.mark.parametrize(("of_file", "of_account"), CAUGHT)
def test_numbers_that_a_pattern_catches(of_file: list[dict[str, Any]], of_account: dict[str, Any]) -> None:
    (found,) = parse_providers(providers(*of_file, **of_account), "p.json").warnings
    assert found.message == (
        f'also takes the calls that a provider makes to sip:{NUMBER}@far.example of the account pool "P": '
        'add "side": "inside" to leave those to others'
    )


@pytest.mark.parametrize(("of_file", "of_account"), LEFT)
def test_numbers_that_no_pattern_catches(of_file: list[dict[str, Any]], of_account: dict[str, Any]) -> None:
    assert parse_providers(providers(*of_file, **of_account), "p.json").warnings == ()


def test_version_1_has_no_side_to_advise() -> None:
    account = {"uri": f"sip:{NUMBER}@far.example", "password": "x"}
    one = {"name": "p", "pattern": r"sip:\+33.*", "registrationRequired": True, "accounts": [account]}
    assert parse_providers(json.dumps([one]), "p.json").diagnostics == ()

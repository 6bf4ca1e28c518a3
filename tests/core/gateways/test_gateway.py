"""Gateways: recorded events about them, their names, and the plan."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from core_examples import account, policy, sip_uris, uri
from hypothesis import given
from hypothesis import strategies as st

from sipbridge.core.accounts.account import Account, SecretType, account_id
from sipbridge.core.gateways.gateway import GATEWAY_PREFIX, Gateway, GatewayName, gateway_for, plan_gateways
from sipbridge.core.gateways.registration import Registration, RegistrationStatus, next_registration
from sipbridge.core.providers.edge import Edge, EdgeReason
from sipbridge.core.providers.provider import PoolPolicy
from sipbridge.core.sip.uri import SipUri

RECORDING = Path(__file__).parents[2] / "recordings" / "gateway_lifecycle.jsonl"
NONE, IN_PROGRESS, OK, FAILED = RegistrationStatus
SALT = b"a key of the hash"


def recorded_states(gateway: str) -> Iterator[dict[str, str]]:
    """The ``sofia::gateway_state`` events of `gateway`, in order."""
    for line in RECORDING.read_text("utf-8").splitlines():
        chunk = json.loads(line)["data"]
        for start in (match.start() for match in re.finditer(r'\{"Event-Subclass"', chunk)):
            event, _ = json.JSONDecoder().raw_decode(chunk, start)
            if event["Event-Subclass"] == "sofia::gateway_state" and event["Gateway"] == gateway:
                yield event


@pytest.mark.parametrize(
    ("gateway", "expected"),
    [
        # Registers; `unregister`, `register` and `killgw` follow.
        (
            "acc-ok",
            [
                ("TRYING", IN_PROGRESS, ""),
                ("REGISTER", IN_PROGRESS, ""),
                ("REGED", OK, ""),
                ("DOWN", NONE, ""),
                ("TRYING", IN_PROGRESS, ""),
                ("REGISTER", IN_PROGRESS, ""),
                ("REGED", OK, ""),
                ("DOWN", NONE, ""),
            ],
        ),
        # Wrong password, retried once; then `killgw`.
        (
            "acc-badpw",
            [
                ("TRYING", IN_PROGRESS, ""),
                *[
                    (state, FAILED, "904 Operation has no matching challenge")
                    for state in (
                        "FAILED",
                        "FAIL_WAIT",
                        "UNREGED",
                        "TRYING",
                        "TRYING",
                        "FAILED",
                        "FAIL_WAIT",
                        "UNREGED",
                    )
                ],
                ("DOWN", NONE, ""),
            ],
        ),
        # Nobody there, retried twice; then `killgw`.
        (
            "acc-dead",
            [
                ("TRYING", IN_PROGRESS, ""),
                *[
                    (state, FAILED, "503 Service Unavailable")
                    for state in [*["FAILED", "FAIL_WAIT", "UNREGED", "TRYING"] * 2, "FAILED", "FAIL_WAIT", "UNREGED"]
                ],
                ("DOWN", NONE, ""),
            ],
        ),
        # register=false: FreeSWITCH says nothing at all about it.
        ("acc-noreg", []),
    ],
)
def test_recorded_gateways(gateway: str, expected: list[tuple[str, RegistrationStatus, str]]) -> None:
    registration = Registration()
    seen = []
    for event in recorded_states(gateway):
        registration = next_registration(registration, event["State"], event.get("Status", ""), event.get("Phrase", ""))
        seen.append((event["State"], registration.status, registration.reason))
    assert seen == expected


# Seen in no recording, read in sofia_reg.c.
@pytest.mark.parametrize(
    ("before", "states", "after"),
    [
        pytest.param(
            Registration(OK), ["UNREGED", "TRYING", "REGISTER", "REGED"], [Registration(OK)] * 4, id="refresh"
        ),
        pytest.param(
            Registration(OK),
            ["UNREGED", "TRYING", "TIMEOUT", "FAILED", "FAIL_WAIT", "UNREGED"],
            [Registration(OK)] * 2 + [Registration(FAILED, "no answer")] * 4,
            id="refresh without an answer",
        ),
        pytest.param(
            Registration(FAILED, "403 Forbidden"),
            ["TRYING", "REGISTER", "REGED"],
            [Registration(FAILED, "403 Forbidden")] * 2 + [Registration(OK)],
            id="retry that succeeds",
        ),
        pytest.param(Registration(OK), ["FAIL_WAIT"], [Registration(FAILED)], id="FAILED was missed"),
        pytest.param(Registration(OK), ["UNREGISTER", "DOWN"], [Registration()] * 2, id="unregister"),
        pytest.param(Registration(OK), ["EXPIRED"], [Registration(IN_PROGRESS)], id="expired"),
        pytest.param(Registration(), ["NOREG"], [Registration(OK)], id="need not register"),
        pytest.param(Registration(OK), ["LATER_STATE", ""], [Registration(OK)] * 2, id="unknown states"),
    ],
)
def test_states(before: Registration, states: list[str], after: list[Registration]) -> None:
    seen = []
    for state in states:
        before = next_registration(before, state)
        seen.append(before)
    assert seen == after


def gateway(
    an_account: Account, of_policy: PoolPolicy | None = None, salt: bytes = SALT, expires_s: int = 600
) -> Gateway:
    of_policy = of_policy or policy(registration_required=True)
    return gateway_for(account_id(of_policy.name, an_account.uri), an_account, of_policy, salt, expires_s)


ALICE = dataclasses.replace(
    account("sip:alice@example.org"), user_id="a17", secret="pw", secret_type=SecretType.CLEAR_TEXT, realm="r"
)


def test_gateway_holds_what_the_account_says() -> None:
    made = gateway(dataclasses.replace(ALICE, outbound_proxy=uri("sip:proxy2.example.org")))
    assert (made.username, made.domain, made.auth_username, made.password) == ("alice", "example.org", "a17", "pw")
    assert made.outbound_proxy == made.registrar == uri("sip:proxy2.example.org")
    assert made.register
    assert made.account_id == account_id("Pool", ALICE.uri)
    assert "pw" not in repr(made)


@pytest.mark.parametrize(
    ("of_account", "of_pool", "registrar"),
    [
        (None, None, "sip:proxy.example.org;transport=tls"),
        (None, "sip:pool-registrar.example.org", "sip:pool-registrar.example.org"),
        ("sip:own-registrar.example.org", "sip:pool-registrar.example.org", "sip:own-registrar.example.org"),
    ],
    ids=["proxy", "pool", "account"],
)
def test_register_goes_to(of_account: str | None, of_pool: str | None, registrar: str) -> None:
    an_account = dataclasses.replace(ALICE, registrar=uri(of_account) if of_account else None)
    of_policy = dataclasses.replace(policy(), registrar=uri(of_pool) if of_pool else None)
    assert gateway(an_account, of_policy).registrar == uri(registrar)


@given(sip_uris(), st.text(max_size=5))
def test_names_are_valid_for_freeswitch_and_ours(account_uri: SipUri, pool_name: str) -> None:
    name = gateway(Account(account_uri), policy(pool_name)).name
    assert re.fullmatch(r"[\w.\-_]+", name, re.ASCII)
    assert name.startswith(GATEWAY_PREFIX)
    assert len(name) <= 64


def test_names_are_the_same_after_a_restart() -> None:
    assert gateway(ALICE).name == "sipbridge.alice.fd0a6ea8827d882fd63b"


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param(gateway(ALICE, salt=b"another"), id="key"),
        pytest.param(gateway(ALICE, expires_s=601), id="expires"),
        pytest.param(gateway(ALICE, policy("Other", registration_required=True)), id="pool"),
        pytest.param(gateway(ALICE, policy(registration_required=False)), id="register"),
        *[
            pytest.param(gateway(dataclasses.replace(ALICE, **{field: value})), id=field)
            for field, value in {
                "uri": uri("sip:bob@example.org"),
                "user_id": None,
                "secret": "pw2",
                "secret_type": SecretType.HA1,
                "outbound_proxy": uri("sip:example.org"),
                "registrar": uri("sip:example.org"),
            }.items()
        ],
        *[
            pytest.param(gateway(ALICE, dataclasses.replace(policy(registration_required=True), **change)), id=field)
            for field, change in {
                "outbound_proxy of the pool": {"outbound_proxy": uri("sip:example.org")},
                "registrar of the pool": {"registrar": uri("sip:example.org")},
            }.items()
        ],
    ],
)
def test_another_definition_has_another_name(changed: Gateway) -> None:
    assert changed.name != gateway(ALICE).name


@pytest.mark.parametrize(
    ("an_account", "of_policy"),
    [
        (dataclasses.replace(ALICE, alias=uri("sip:alice@ours.example.org")), policy(registration_required=True)),
        (dataclasses.replace(ALICE, realm="another"), policy(registration_required=True)),
        (ALICE, policy(registration_required=True, max_calls_per_line=1)),
        (ALICE, dataclasses.replace(policy(registration_required=True), registration_interval_ms=100)),
    ],
    ids=["alias", "realm", "lines", "pace"],
)
def test_what_freeswitch_need_not_know_leaves_the_name_alone(an_account: Account, of_policy: PoolPolicy) -> None:
    assert gateway(an_account, of_policy).name == gateway(ALICE).name


EDGE = Edge(uri("sip:127.0.0.1:5090"))
HASHED = dataclasses.replace(ALICE, secret="0123456789abcdef" * 2, secret_type=SecretType.HA1)


def through_edge(an_account: Account = HASHED, edge: Edge = EDGE, **of_policy: object) -> Gateway:
    return gateway(an_account, dataclasses.replace(policy(registration_required=True), edge=edge, **of_policy))  # type: ignore[arg-type]


def test_gateway_through_the_edge_points_there_and_has_no_secret() -> None:
    made = through_edge(dataclasses.replace(HASHED, registrar=uri("sip:registrar.example.org")))

    assert made.outbound_proxy == made.registrar == EDGE.address
    assert (made.username, made.domain, made.auth_username) == ("alice", "example.org", "a17")
    assert made.edge_entry == f"md5|sip:registrar.example.org|{HASHED.secret}"
    # FreeSWITCH needs a password; it is nobody's, and not the same for two gateways.
    assert re.fullmatch("[0-9a-f]{32}", made.password)
    assert made.password not in (HASHED.secret, through_edge().password)
    assert str(HASHED.secret) not in repr(made)


def test_accounts_that_do_without_the_edge_are_as_they_are_without_one() -> None:
    assert through_edge(ALICE) == gateway(ALICE)
    assert through_edge(ALICE).edge_entry is None


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param(through_edge(dataclasses.replace(HASHED, secret="f" * 32)), id="hash"),
        pytest.param(through_edge(dataclasses.replace(HASHED, registrar=uri("sip:example.org"))), id="registrar"),
        pytest.param(through_edge(registrar=uri("sip:example.org")), id="registrar of the pool"),
        pytest.param(through_edge(edge=Edge(uri("sip:127.0.0.1:5091"))), id="the edge's address"),
        pytest.param(gateway(HASHED), id="no edge"),
    ],
)
def test_what_the_edge_has_to_know_is_in_the_name(changed: Gateway) -> None:
    assert changed.name != through_edge().name


def test_why_the_edge_is_taken_leaves_the_name_alone() -> None:
    assert through_edge(edge=dataclasses.replace(EDGE, takes_all=EdgeReason.MEDIA)).name == through_edge().name


def test_registrations_expire_spread_over_the_last_two_fifths_of_their_time() -> None:
    expires = [gateway(account(f"sip:user{number}@example.org"), expires_s=3600).expires_s for number in range(2000)]
    assert min(expires) >= 2160
    assert max(expires) <= 3600
    in_each_tenth = [sum(2160 + 144 * tenth <= e < 2160 + 144 * (tenth + 1) for e in expires) for tenth in range(10)]
    assert min(in_each_tenth) > 150


def test_no_registration_is_asked_for_less_than_a_minute() -> None:
    assert {gateway(account(f"sip:user{number}@example.org"), expires_s=60).expires_s for number in range(20)} == {60}


_NAMES = [gateway(account(f"sip:user{number}@example.org")).name for number in range(6)]
_OTHERS = ["external-trunk", "sipbridge", "sipbridg.e", ""]


@given(st.sets(st.sampled_from(_NAMES)), st.sets(st.sampled_from([*_NAMES, "sipbridge.gone.0", *_OTHERS])))
def test_a_plan_makes_what_is_desired_touches_no_others_and_is_done_after_once(
    desired: set[GatewayName], present: set[str]
) -> None:
    plan = plan_gateways(desired, present)
    assert set(plan.remove) <= present
    assert not set(plan.add) & present
    after = (present - set(plan.remove)) | set(plan.add)
    assert after == desired | (present & set(_OTHERS))
    assert bool(plan) == (after != present)
    assert not plan_gateways(desired, after)

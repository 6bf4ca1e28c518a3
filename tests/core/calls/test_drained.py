"""Drained providers and accounts decline new calls with a status of their own."""

from __future__ import annotations

import dataclasses

import pytest
from core_examples import account
from core_examples import pool as pool_of

from sipbridge.core.calls.routing import Bridge, Decline, DeclineReason, RoutingTable, route
from sipbridge.core.providers.provider import (
    Always,
    FindInPool,
    OnAccountNotFound,
    OutgoingInvite,
    Provider,
    RandomAccount,
)
from sipbridge.core.providers.template import TemplateScope, parse_template
from sipbridge.core.sip.call import CallRequest

BY = parse_template("{uri}", TemplateScope.BY)
CALL = CallRequest("sip:alice@example.org", "<sip:caller@example.org>", "<sip:alice@example.org>")


def table_of(strategy: FindInPool | RandomAccount) -> RoutingTable:
    """One provider, two accounts."""
    pool = pool_of(account("sip:alice@example.org"), account("sip:bob@example.org"), keys=("{uri}",))
    template = parse_template("{account.uri}", TemplateScope.INVITE)
    invite = OutgoingInvite(to=template, from_=template)
    provider = Provider("one", pool.policy.name, Always(), strategy, OnAccountNotFound.DECLINE, invite)
    return RoutingTable([provider], {pool.policy.name: pool})


FIND = FindInPool(BY, parse_template("{to}", TemplateScope.SOURCE))


@pytest.mark.parametrize("strategy", [FIND, RandomAccount()], ids=["find", "random"])
def test_a_drained_provider_declines_and_takes_calls_again(strategy: FindInPool | RandomAccount) -> None:
    table = table_of(strategy)

    decision = route(CALL, dataclasses.replace(table, drained=frozenset({"one"})), lambda _: 0)

    assert isinstance(decision, Decline)
    assert decision.reason is DeclineReason.DRAINING
    assert isinstance(route(CALL, table, lambda _: 0), Bridge)


def test_a_drained_account_declines_and_takes_calls_again() -> None:
    table = table_of(FIND)
    (pool,) = table.pools.values()
    alice = next(iter(pool))

    alice.set_drained(True)

    decision = route(CALL, table, lambda _: 0)
    assert isinstance(decision, Decline)
    assert (decision.reason, decision.line) == (DeclineReason.DRAINING, alice)
    alice.set_drained(False)
    assert isinstance(route(CALL, table, lambda _: 0), Bridge)


def test_random_passes_a_drained_account_over() -> None:
    table = table_of(RandomAccount())
    (pool,) = table.pools.values()
    alice, bob = pool

    alice.set_drained(True)

    picked = [route(CALL, table, lambda n, pick=pick: pick % n) for pick in range(4)]
    assert [decision.line for decision in picked] == [bob] * 4

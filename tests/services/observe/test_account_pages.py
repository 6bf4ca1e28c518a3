"""Pages of accounts: the right ones in the right order, yielding to other greenlets."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from memory_switch import FakeScheduler
from services_examples import account, policy, pool

from sipbridge.core.gateways.registration import Registration, RegistrationStatus
from sipbridge.core.observe.snapshot import AccountOrder, AccountQuery
from sipbridge.core.pools.account_pool import AccountPool, Line
from sipbridge.services.observe.account_pages import find_lines

EVERYBODY = AccountQuery(limit=100)


def failed(since: float) -> Registration:
    return Registration(RegistrationStatus.FAILED, "403 Forbidden", since)


def two_pools() -> tuple[AccountPool, AccountPool]:
    """carol fails for longest, then alice; erin has two calls, bob and carol one each."""
    first = pool("dave", "carol", "bob", with_=policy("First", max_calls_per_line=9))
    second = pool("erin", "alice", with_=policy("Second", max_calls_per_line=9))
    dave, carol, bob = first
    erin, alice = second
    carol.set_registration(failed(10.0))
    alice.set_registration(failed(20.0))
    for line in (erin, erin, bob, carol):
        line.take()
    assert dave.calls == 0
    return first, second


def users(lines: Sequence[Line]) -> list[str]:
    return [line.account.uri.user for line in lines]


def busy(pools: Sequence[AccountPool]) -> set[Line]:
    return {line for each in pools for line in each if line.calls}


@pytest.mark.parametrize(
    ("query", "expected", "matching"),
    [
        (AccountQuery(limit=9), ["carol", "alice", "erin", "bob", "dave"], 5),
        (AccountQuery(limit=9, order=AccountOrder.CALLS), ["erin", "carol", "bob", "dave", "alice"], 5),
        (AccountQuery(limit=9, order=AccountOrder.ADDRESS), ["alice", "bob", "carol", "dave", "erin"], 5),
        (AccountQuery(limit=2, offset=1), ["alice", "erin"], 5),
        (AccountQuery(limit=2, offset=4), ["dave"], 5),
        (AccountQuery(limit=2, offset=9), [], 5),
        (AccountQuery(limit=0), [], 5),
        (AccountQuery(limit=9, only_failed=True), ["carol", "alice"], 2),
        (AccountQuery(limit=9, only_failed=True, order=AccountOrder.CALLS), ["carol", "alice"], 2),
        (AccountQuery(limit=9, only_failed=True, order=AccountOrder.ADDRESS), ["alice", "carol"], 2),
        (AccountQuery(limit=9, match="CA"), ["carol"], 1),
        (AccountQuery(limit=1, offset=1, match="home.example.org"), ["alice"], 5),
        (AccountQuery(limit=9, match="nobody"), [], 0),
        (AccountQuery(limit=9, match="sip:bob@PROVIDER.example.net"), ["bob"], 1),
        (AccountQuery(limit=9, match="sip:bo"), ["bob"], 1),
    ],
    ids=str,
)
def test_pages(query: AccountQuery, expected: list[str], matching: int) -> None:
    pools = two_pools()
    lines, found = find_lines(query, pools, busy(pools), FakeScheduler())
    assert (users(lines), found) == (expected, matching)


def test_busy_lines_of_other_pools_and_of_removed_accounts_are_not_shown() -> None:
    first, second = pools = two_pools()
    lines = busy(pools)
    erin = next(line for line in lines if line.account.uri.user == "erin")
    second.remove(erin)
    assert users(find_lines(EVERYBODY, (second,), lines, FakeScheduler())[0]) == ["alice"]
    assert users(find_lines(EVERYBODY, (first,), lines, FakeScheduler())[0]) == ["carol", "bob", "dave"]


@given(
    order=st.sampled_from(AccountOrder),
    match=st.sampled_from(["", "1", "sip:user", "user12@"]),
    calls=st.lists(st.integers(0, 29), max_size=10),
    failing=st.sets(st.integers(0, 29)),
    limit=st.integers(1, 12),
)
def test_pages_together_are_everybody_once(
    order: AccountOrder, match: str, calls: list[int], failing: set[int], limit: int
) -> None:
    made = pool(*(f"user{number}" for number in range(30)))
    lines = list(made)
    for number in calls:
        lines[number].take()
    for number in failing:
        lines[number].set_registration(failed(float(number)))
    pages: list[Line] = []
    matching = 1
    while len(pages) < matching:
        query = AccountQuery(limit=limit, offset=len(pages), order=order, match=match)
        page, matching = find_lines(query, [made], busy([made]), FakeScheduler())
        assert len(page) == min(limit, matching - len(pages))
        pages += page
        if not matching:
            break
    assert sorted(users(pages)) == sorted(user for user in users(lines) if match in f"sip:{user}@provider.example.net")


@pytest.mark.parametrize("order", AccountOrder)
def test_others_run_while_many_are_looked_at_and_may_remove_some(order: AccountOrder) -> None:
    made = pool(*(f"user{number:05}" for number in range(5_000)))
    scheduler = FakeScheduler()

    def remove_one() -> None:
        made.remove(next(iter(made)))

    scheduler.at_breath = remove_one
    _, matching = find_lines(AccountQuery(limit=10, match="user", order=order), [made], (), scheduler)
    assert matching == 5_000
    assert scheduler.breaths >= 2


def test_a_first_page_looks_at_nobody_else() -> None:
    made = pool(*(f"user{number:05}" for number in range(5_000)))
    made.add(account("zoe"))
    list(made)[-1].set_registration(failed(1.0))
    scheduler = FakeScheduler()
    lines, matching = find_lines(AccountQuery(limit=1), [made], (), scheduler)
    assert (users(lines), matching, scheduler.breaths) == (["zoe"], 5_001, 0)

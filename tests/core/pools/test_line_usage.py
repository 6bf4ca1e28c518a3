"""Line usage: each line is released exactly once, whatever FreeSWITCH reports and how often."""

from __future__ import annotations

import pytest
from core_examples import account, policy, pool
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from sipbridge.core.pools.account_pool import Line
from sipbridge.core.pools.line_usage import LineUsage
from sipbridge.core.sip.call import ChannelUuid

ONE, TWO, THREE = ChannelUuid("uuid-1"), ChannelUuid("uuid-2"), ChannelUuid("uuid-3")


def two_lines(max_calls_per_line: int = 1) -> tuple[Line, Line]:
    alice, bob = pool(
        account("sip:alice@example.org"),
        account("sip:bob@example.org"),
        with_=policy(max_calls_per_line=max_calls_per_line),
    )
    return alice, bob


def test_a_call_takes_a_line_and_gives_it_back() -> None:
    alice, _ = two_lines()
    usage = LineUsage()
    usage.take(ONE, alice)
    assert (usage.get(ONE), alice.calls, alice.is_available, list(usage), len(usage)) == (alice, 1, False, [ONE], 1)
    assert usage.give_back(ONE) is alice
    assert (usage.get(ONE), alice.calls, alice.is_available, list(usage), len(usage)) == (None, 0, True, [], 0)


def test_giving_back_twice_is_giving_back_once() -> None:
    alice, _ = two_lines(max_calls_per_line=2)
    usage = LineUsage()
    usage.take(ONE, alice)
    usage.take(TWO, alice)
    assert usage.give_back(ONE) is alice
    assert usage.give_back(ONE) is None
    assert usage.give_back(THREE) is None
    assert alice.calls == 1


def test_taking_the_line_that_is_held_changes_nothing() -> None:
    alice, _ = two_lines()
    usage = LineUsage()
    usage.take(ONE, alice)
    usage.take(ONE, alice)
    assert alice.calls == 1


def test_taking_a_second_line_is_an_error_and_changes_nothing() -> None:
    alice, bob = two_lines()
    usage = LineUsage()
    usage.take(ONE, alice)
    with pytest.raises(ValueError, match=r"uuid-1 holds the line of sip:alice@example\.org already"):
        usage.take(ONE, bob)
    assert (usage.get(ONE), alice.calls, bob.calls) == (alice, 1, 0)


def test_calls_that_are_found_hold_their_lines_beyond_the_limit() -> None:
    alice, bob = two_lines()
    usage = LineUsage()
    usage.take(ONE, alice)
    found = {ONE: alice, TWO: alice, THREE: bob}
    usage.restore(found)
    usage.restore(found)
    assert (alice.calls, alice.free_slots, alice.is_available, bob.calls) == (2, 0, False, 1)
    usage.give_back(TWO)
    assert not alice.is_available
    usage.give_back(ONE)
    assert alice.is_available


def test_a_restored_call_keeps_the_line_it_holds() -> None:
    alice, bob = two_lines()
    usage = LineUsage()
    usage.take(ONE, alice)
    usage.restore({ONE: bob})
    assert (usage.get(ONE), alice.calls, bob.calls) == (alice, 1, 0)


def test_a_call_that_is_found_before_its_account_takes_the_line_when_there_is_one() -> None:
    alice, bob = two_lines()
    usage = LineUsage()
    for uuid in (ONE, TWO):
        usage.wait_for(uuid, alice.id)
        usage.wait_for(uuid, alice.id)
    usage.wait_for(THREE, bob.id)
    assert (len(usage), usage.known, alice.calls) == (0, {ONE, TWO, THREE}, 0)
    usage.claim(alice)
    usage.claim(alice)
    assert (dict(usage.held), alice.calls, alice.is_available, bob.calls) == ({ONE: alice, TWO: alice}, 2, False, 0)
    assert usage.give_back(TWO) is alice
    assert usage.known == {ONE, THREE}


def test_a_call_that_ends_before_its_account_is_there_takes_nothing() -> None:
    alice, _ = two_lines()
    usage = LineUsage()
    usage.wait_for(ONE, alice.id)
    assert usage.give_back(ONE) is None
    usage.claim(alice)
    assert (usage.known, alice.calls) == (set(), 0)


def test_a_call_that_holds_a_line_or_is_given_one_waits_for_none() -> None:
    alice, bob = two_lines()
    usage = LineUsage()
    usage.take(ONE, alice)
    usage.wait_for(ONE, bob.id)
    usage.wait_for(TWO, bob.id)
    usage.restore({TWO: bob})
    usage.claim(bob)
    assert (dict(usage.held), bob.calls) == ({ONE: alice, TWO: bob}, 1)


class UsageMachine(RuleBasedStateMachine):
    """Calls that ask `is_available` first, and whose end is told any number of times."""

    LIMIT = 2
    uuids = st.sampled_from([ChannelUuid(f"uuid-{n}") for n in range(8)])

    def __init__(self) -> None:
        super().__init__()
        self.lines = two_lines(self.LIMIT)
        self.usage = LineUsage()
        self.held: dict[ChannelUuid, Line] = {}

    @rule(uuid=uuids, which=st.integers(0, 1))
    def call(self, uuid: ChannelUuid, which: int) -> None:
        line = self.lines[which]
        if uuid not in self.held and line.is_available:
            self.usage.take(uuid, line)
            self.held[uuid] = line

    @rule(uuid=uuids)
    def end(self, uuid: ChannelUuid) -> None:
        assert self.usage.give_back(uuid) is self.held.pop(uuid, None)

    @rule()
    def reconcile(self) -> None:
        self.usage.restore(dict(self.held))

    @invariant()
    def no_line_is_oversold_and_none_is_lost(self) -> None:
        assert set(self.usage) == self.held.keys()
        for line in self.lines:
            assert line.calls == sum(held is line for held in self.held.values()) <= self.LIMIT
            assert line.is_available == (line.calls < self.LIMIT)


TestUsageMachine = UsageMachine.TestCase

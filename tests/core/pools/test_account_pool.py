"""Account pools: lookup, random choice, and availability after any sequence of changes."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator

import pytest
from core_examples import FORBIDDEN, REGISTERED, account, always, by, policy, pool, sip_uris, uri
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from sipbridge.core.accounts.account import Account, account_id
from sipbridge.core.gateways.registration import Registration, RegistrationStatus
from sipbridge.core.pools.account_pool import AccountPool, Line
from sipbridge.core.sip.uri import SipUri

ALICE = account("sip:alice@example.org", alias="sip:al@ours.example.org")
BOB = account("sip:bob@example.org", alias="sip:bo@ours.example.org;user=phone")
CAROL = account("sip:carol@example.org")
# Three lines of one person, who is told apart by parameters alone.
DAVE = [
    account(f"sip:dave{n}@example.org", alias=f"sip:dave@ours.example.org{p}")
    for n, p in enumerate(["", ";x=1", ";x=2"])
]
ALL = pool(
    ALICE, BOB, CAROL, *DAVE, keys=("{uri}", "{alias}", "{alias.user}", "{uri.hostport}", "{uri.user}-{alias.user}")
)


@pytest.mark.parametrize(
    ("key", "wanted", "found"),
    [
        ("{uri}", uri("sip:alice@example.org"), ALICE),
        ("{uri}", "sip:alice@example.org", ALICE),
        ("{uri}", uri("sip:%61lice@EXAMPLE.org;transport=tcp"), ALICE),
        ("{uri}", uri("sip:Alice@example.org"), None),
        ("{uri}", uri("sips:alice@example.org"), None),
        ("{uri}", uri("sip:alice@example.org:5060"), None),
        ("{uri}", uri("sip:alice@example.org;user=phone"), None),
        ("{uri}", "alice", None),
        ("{uri}", "", None),
        ("{alias}", uri("sip:al@ours.example.org"), ALICE),
        ("{alias}", uri("sip:alice@example.org"), None),
        ("{alias}", uri("sip:bo@ours.example.org;user=phone;x=1"), BOB),
        ("{alias}", uri("sip:bo@ours.example.org"), None),
        ("{alias}", "", None),
        ("{alias}", uri("sip:dave@ours.example.org"), DAVE[0]),
        ("{alias}", uri("sip:dave@ours.example.org;x=2"), DAVE[0]),
        ("{alias.user}", "al", ALICE),
        ("{alias.user}", "%61l", ALICE),
        ("{alias.user}", "AL", None),
        ("{alias.user}", "", None),
        ("{alias.user}", "dave", DAVE[0]),
        ("{uri.hostport}", "example.org", ALICE),
        ("{uri.user}-{alias.user}", "bob-bo", BOB),
    ],
)
def test_find(key: str, wanted: SipUri | str, found: Account | None) -> None:
    line = ALL.find(by(key), wanted)
    assert (line and line.account) == found


def test_the_first_whose_parameters_agree_is_found() -> None:
    daves = pool(*DAVE[1:])
    for wanted, found in [("", DAVE[1]), (";x=1", DAVE[1]), (";x=2", DAVE[2]), (";y=1", DAVE[1])]:
        line = daves.find(by("{alias}"), uri(f"sip:dave@ours.example.org{wanted}"))
        assert line is not None
        assert line.account == found
    assert daves.find(by("{alias}"), uri("sip:dave@ours.example.org;x=3")) is None


def test_find_finds_what_is_not_available() -> None:
    some = pool(ALICE, with_=policy(max_calls_per_line=0))
    line = some.find(by("{uri}"), ALICE.uri)
    assert line is not None
    assert not line.is_available


def test_a_key_that_was_given_twice_is_one_key() -> None:
    some = pool(ALICE, BOB, keys=("{uri}", "{uri}"))
    line = some.find(by("{uri}"), uri("sip:bob@example.org;x=1"))
    assert line is not None
    assert line.account == BOB


@given(st.lists(sip_uris(), max_size=6), sip_uris())
def test_find_by_uri_is_the_first_equivalent_one(uris: list[SipUri], wanted: SipUri) -> None:
    some, added = pool(keys=("{alias}",)), []
    for number, alias in enumerate([*uris, *uris]):
        added.append(some.add(Account(uri(f"sip:{number}@example.org"), alias)))
    for sought in [wanted, *uris]:
        expected = next((line for line in added if line.account.alias and line.account.alias.equivalent(sought)), None)
        assert some.find(by("{alias}"), sought) is expected
        assert some.find(by("{alias}"), sought.text) is expected


@pytest.mark.parametrize(
    "again",
    ["sip:alice@example.org", "sip:%61lice@EXAMPLE.org", "sip:alice@example.org;transport=tcp"],
    ids=["same", "other spelling", "equivalent"],
)
def test_an_account_that_is_there_already_is_refused_and_nothing_changes(again: str) -> None:
    some = pool(ALICE)
    with pytest.raises(ValueError, match="already in pool Pool"):
        some.add(account(again, alias="sip:eve@ours.example.org"))
    assert [line.account for line in some] == [ALICE]
    assert some.available_count == 1
    assert some.find(by("{alias}"), "sip:eve@ours.example.org") is None


def test_lines_by_id() -> None:
    some = pool(ALICE, BOB)
    assert len(some) == 2
    line = some.get(account_id("Pool", ALICE.uri))
    assert line is not None
    assert line.account == ALICE
    assert some.get(account_id("Other", ALICE.uri)) is None


def test_ids_are_the_same_after_a_restart_and_for_equivalent_uris() -> None:
    assert (
        account_id("Pool", ALICE.uri)
        == account_id("Pool", uri("sip:%61lice@EXAMPLE.org;transport=tcp"))
        == "865cc7e20ece2333"
    )


def test_secrets_are_not_shown() -> None:
    some = AccountPool(policy())
    assert "mellon" not in repr(some.add(dataclasses.replace(ALICE, secret="mellon")))


def test_pick_maps_every_number_to_another_available_account() -> None:
    some = pool(ALICE, BOB, CAROL, *DAVE)
    for line in list(some)[1::2]:
        for _ in range(20):
            line.take()
    asked: list[int] = []

    def random_below(below: int) -> int:
        asked.append(below)
        return len(asked) - 1

    picked = [some.pick(random_below) for _ in range(3)]
    assert asked == [3, 3, 3]
    assert {line and line.account.uri.user for line in picked} == {"alice", "carol", "dave1"}


def test_pick_from_nobody_asks_for_no_number() -> None:
    def random_below(below: int) -> int:
        raise AssertionError(below)

    assert pool().pick(random_below) is None
    assert pool(ALICE, with_=policy(max_calls_per_line=0)).pick(random_below) is None


@pytest.mark.parametrize(
    ("registration", "usable"),
    [
        (Registration(), False),
        (Registration(RegistrationStatus.IN_PROGRESS), False),
        (FORBIDDEN, False),
        (REGISTERED, True),
    ],
)
@pytest.mark.parametrize("registration_required", [True, False])
def test_an_account_is_usable_once_its_gateway_can_be_called(
    registration_required: bool, registration: Registration, usable: bool
) -> None:
    some = pool(ALICE, with_=policy(registration_required=registration_required))
    (line,) = some
    line.set_registration(registration)
    assert (line.is_usable, line.is_available, some.pick(always(0))) == (usable, usable, line if usable else None)


def test_giving_back_more_than_was_taken_is_a_defect() -> None:
    (line,) = pool(ALICE)
    with pytest.raises(AssertionError, match=r"sip:alice@example\.org given back more often than taken"):
        line.give_back()
    assert line.calls == 0


class PoolMachine(RuleBasedStateMachine):
    """A pool beside a model that counts again every time."""

    @initialize(required=st.booleans(), limit=st.integers(0, 3))
    def make(self, required: bool, limit: int) -> None:
        self.limit = limit
        self.pool = AccountPool(policy(registration_required=required, max_calls_per_line=limit))
        self.calls: list[int] = []
        self.registered: list[bool] = []

    @rule()
    def add(self) -> None:
        self.pool.add(account(f"sip:{len(self.calls)}@example.org"))
        self.calls.append(0)
        self.registered.append(False)

    @precondition(lambda self: self.calls)
    @rule(number=st.integers(0, 1000))
    def take(self, number: int) -> None:
        """Also beyond the limit, as calls that are found in progress do."""
        number %= len(self.calls)
        list(self.pool)[number].take()
        self.calls[number] += 1

    @precondition(lambda self: any(self.calls))
    @rule(number=st.integers(0, 1000))
    def give_back(self, number: int) -> None:
        busy = [each for each, calls in enumerate(self.calls) if calls]
        number = busy[number % len(busy)]
        list(self.pool)[number].give_back()
        self.calls[number] -= 1

    @precondition(lambda self: self.calls)
    @rule(number=st.integers(0, 1000), registration=st.sampled_from([REGISTERED, FORBIDDEN, Registration()]))
    def register(self, number: int, registration: Registration) -> None:
        number %= len(self.calls)
        list(self.pool)[number].set_registration(registration)
        self.registered[number] = registration is REGISTERED

    @invariant()
    def the_available_are_those_that_have_a_free_line_and_a_registration(self) -> None:
        expected = {
            str(number)
            for number, (calls, registered) in enumerate(zip(self.calls, self.registered, strict=True))
            if calls < self.limit and registered
        }
        lines = list(self.pool)
        assert {line.account.uri.user for line in lines if line.is_available} == expected
        picked = [self.pool.pick(always(number)) for number in range(self.pool.available_count)]
        assert sorted(line.account.uri.user for line in picked if line) == sorted(expected)
        assert [line.free_slots for line in lines] == [max(0, self.limit - calls) for calls in self.calls]


TestPoolMachine = PoolMachine.TestCase


# Changes while it is in use


def test_an_account_that_is_replaced_is_still_the_first_of_those_with_its_alias() -> None:
    pool = sharing("sip:a@x.org", "sip:b@x.org", "sip:c@x.org", alias="sip:same@y.org")
    first = next(iter(pool))
    pool.replace(first, account("sip:a@x.org", "sip:same@y.org", outbound_proxy="sip:other.example.net"))
    assert found(pool, "sip:same@y.org") == "sip:a@x.org"
    pool.remove(first)
    assert found(pool, "sip:same@y.org") == "sip:b@x.org"
    pool.add(account("sip:a@x.org", "sip:same@y.org"))
    assert found(pool, "sip:same@y.org") == "sip:b@x.org"


def test_another_order_makes_another_account_the_first() -> None:
    pool = sharing("sip:a@x.org", "sip:b@x.org", "sip:c@x.org", alias="sip:same@y.org")
    pool.reorder([line.id for line in reversed(list(pool))])
    assert [line.account.uri.text for line in pool] == ["sip:c@x.org", "sip:b@x.org", "sip:a@x.org"]
    assert found(pool, "sip:same@y.org") == "sip:c@x.org"
    pool.add(account("sip:d@x.org", "sip:same@y.org"))
    assert found(pool, "sip:same@y.org") == "sip:c@x.org"
    with pytest.raises(AssertionError):
        pool.reorder([])


def test_a_new_key_finds_what_changed_while_it_was_made() -> None:
    pool = sharing("sip:a@x.org", "sip:b@x.org", "sip:c@x.org", "sip:d@x.org", alias="sip:same@y.org")
    a, b, c, d = pool
    seen: list[Line] = []

    def in_slices(lines: Iterable[Line]) -> Iterator[Line]:
        for line in lines:
            yield line
            seen.append(line)
            if len(seen) == 1:
                pool.remove(a)
                pool.remove(d)
                pool.add(account("sip:e@x.org"))
                pool.replace(c, account("sip:c@x.org", "sip:c@y.org"))

    pool.index_by([by("{uri.user}")], in_slices)
    assert seen == [a, b, c, d]
    keys = {user: pool.find(by("{uri.user}"), user) for user in "abcde"}
    assert keys == {"a": None, "b": b, "c": c, "d": None, "e": next(line for line in pool if line not in (b, c))}
    assert found(pool, "sip:same@y.org") == "sip:b@x.org"


def test_keys_that_are_no_longer_needed_are_forgotten() -> None:
    pool = sharing("sip:a@x.org", alias="sip:same@y.org")
    pool.index_by([by("{alias}")], lambda _: pytest.fail("made again"))
    pool.index_by([by("{uri.user}")])
    pool.forget_keys([by("{uri.user}")])
    assert pool.find(by("{uri.user}"), "a") is not None
    with pytest.raises(KeyError):
        pool.find(by("{alias}"), "sip:same@y.org")


def sharing(*uris: str, alias: str) -> AccountPool:
    return pool(*(account(each, alias) for each in uris), keys=("{alias}",))


def found(pool: AccountPool, alias: str) -> str:
    line = pool.find(by("{alias}"), alias)
    assert line is not None
    return line.account.uri.text


def test_aliases_of_several_accounts_are_counted() -> None:
    """Not what accounts have in common anyhow, such as their domain."""
    first, second, third = (account(f"sip:a{n}@example.org", alias="sip:same@ours.example.org") for n in range(3))
    made = pool(first, ALICE, keys=("{alias}", "{uri.hostport}"))
    assert made.shared_aliases == 0
    lines = [made.add(second), made.add(third)]
    assert made.shared_aliases == 1
    for line in lines:
        made.remove(line)
    assert made.shared_aliases == 0
    assert pool(first, second, keys=("{uri.user}",)).shared_aliases == 0

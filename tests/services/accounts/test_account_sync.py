"""The accounts of a pool follow its database."""

from __future__ import annotations

import dataclasses
import ipaddress
import logging
from collections.abc import Callable, Iterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from memory_switch import FakeClock

from sipbridge.core.accounts.account import Account, SecretType
from sipbridge.core.accounts.account_notification import AccountNotification
from sipbridge.core.accounts.account_row import RowError
from sipbridge.core.pools.account_pool import AccountPool, Line
from sipbridge.core.providers.provider import PoolPolicy
from sipbridge.core.sip.uri import parse_sip_uri
from sipbridge.ports import LoadedAccounts, SourceError, SourceUnavailable
from sipbridge.services.accounts.account_sync import AccountSync, SourceStatus
from sipbridge.services.accounts.pool_members import PoolMembers
from sipbridge.services.accounts.unread_pools import UnreadPools

DOWN = SourceUnavailable("no route to the database")


def account(user: str, secret: str = "pw") -> Account:
    """An account of example.org."""
    return Account(parse_sip_uri(f"sip:{user}@example.org"), secret=secret, secret_type=SecretType.CLEAR_TEXT)


class MemorySource:
    """A database: rows by identifier. Rows and faults can be changed at any time.

    Attributes:
        fault: raised by whatever is asked next, and all that follows.
        during_load: called between two batches, or two single accounts.
    """

    def __init__(self, **rows: Account) -> None:
        self.rows: dict[str, Account] = dict(rows)
        self.bad_rows: dict[str, RowError] = {}
        self.fault: Exception | None = None
        self.during_load: Callable[[], None] = lambda: None
        self.loads = 0
        self.asked: list[str] = []

    def load_all(self) -> Iterator[LoadedAccounts]:
        self.loads += 1
        for row in list(self.rows.values()):
            self._fail()
            yield LoadedAccounts([row], skipped=0)
            self.during_load()
        self._fail()

    def load_each(self, identifiers: Sequence[str]) -> Iterator[Account | RowError | None]:
        for identifier in identifiers:
            self._fail()
            self.asked.append(identifier)
            yield self.rows.get(identifier) or self.bad_rows.get(identifier)
            self.during_load()

    def _fail(self) -> None:
        if self.fault is not None:
            raise self.fault


class World:
    """A pool, its database, and who is told of changes."""

    def __init__(self, source: MemorySource) -> None:
        self.source = source
        self.clock = FakeClock()
        self.pool = AccountPool(PoolPolicy("pool", parse_sip_uri("sip:proxy.example.org"), False, 5))
        self.told: list[tuple[str, str]] = []
        self.unread = UnreadPools()
        self.unread.expect(["pool"])
        self.sync = AccountSync(self.pool, source, self.clock, PoolMembers(self, self), self.unread)

    def on_account_added(self, line: Line) -> None:
        """Calls are told first; what gateways are told is what counts."""

    def on_account_changed(self, line: Line) -> None:
        self.told.append(("changed", line.account.uri.user))

    def on_account_removed(self, line: Line) -> None:
        self.told.append(("removed", line.account.uri.user))

    def use_pool(self, pool: AccountPool) -> None:
        raise AssertionError("a database makes no pools")

    def forget_pool(self, name: str) -> None:
        raise AssertionError("a database removes no pools")

    def take_told(self) -> list[tuple[str, str]]:
        told, self.told = self.told, []
        return told

    def accounts(self) -> dict[str, Account]:
        return {line.account.uri.user: line.account for line in self.pool}

    def notify(self, user: str, identifier: str) -> None:
        self.sync.notify(AccountNotification(user, "example.org", identifier))


@pytest.fixture
def world() -> World:
    """Alice and Bob are loaded."""
    world = World(MemorySource(a=account("alice"), b=account("bob")))
    world.sync.step()
    assert world.take_told() == [("changed", "alice"), ("changed", "bob")]
    return world


def test_first_step_loads_everything(world: World) -> None:
    assert world.accounts() == {"alice": account("alice"), "bob": account("bob")}
    assert world.sync.state.status is SourceStatus.CURRENT
    assert not world.sync.has_work


def test_a_new_row_is_a_new_account(world: World) -> None:
    world.source.rows["c"] = account("carol")
    world.notify("carol", "c")
    world.sync.step()
    assert world.accounts()["carol"] == account("carol")
    assert world.take_told() == [("changed", "carol")]
    assert world.source.loads == 1


def test_a_changed_row_changes_its_account_and_no_other(world: World) -> None:
    world.source.rows["a"] = account("alice", "new")
    world.notify("alice", "a")
    world.sync.step()
    assert world.accounts()["alice"].secret == "new"
    assert world.take_told() == [("changed", "alice")]


def test_a_row_that_is_as_it_was_changes_nothing(world: World) -> None:
    world.notify("alice", "a")
    world.sync.step()
    assert world.source.asked == ["a"]
    assert world.take_told() == []


def test_a_row_that_is_gone_deletes_the_account_that_is_named(world: World) -> None:
    del world.source.rows["a"]
    world.notify("alice", "a")
    world.sync.step()
    assert list(world.accounts()) == ["bob"]
    assert world.take_told() == [("removed", "alice")]


def test_a_deleted_account_that_was_never_known_is_no_fault(world: World) -> None:
    world.notify("nobody", "x")
    world.sync.step()
    assert world.take_told() == []
    assert not world.sync.has_work


def test_a_row_of_another_account_than_the_message_names_changes_nothing(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.notify("alice", "b")
    world.sync.step()
    assert world.take_told() == []
    assert "its row is of sip:bob@example.org" in caplog.text


def test_a_bad_row_or_a_bad_name_changes_nothing_and_the_next_one_is_done(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.sync.notify(AccountNotification("alice", "not a host", "a"))
    world.source.rows["c"] = account("carol")
    world.notify("carol", "c")
    world.sync.step()
    assert world.take_told() == [("changed", "carol")]
    assert "ignored the notification of alice" in caplog.text

    del world.source.rows["b"]
    world.source.bad_rows["b"] = RowError("no username")
    world.notify("bob", "b")
    world.sync.step()
    assert world.take_told() == []
    assert "ignored the notification of bob at example.org: no username" in caplog.text
    assert not world.sync.has_work


def test_many_notifications_of_one_account_are_one(world: World) -> None:
    for number in range(100):
        world.source.rows["a"] = account("alice", f"pw{number}")
        world.notify("alice", "a")
        world.notify("bob", "b")
    world.sync.step()
    assert world.source.asked == ["a", "b"]
    assert world.accounts()["alice"].secret == "pw99"


def test_an_account_that_changes_while_it_is_asked_for_is_asked_for_again(world: World) -> None:
    def change() -> None:
        world.source.during_load = lambda: None
        world.source.rows["a"] = account("alice", "newest")
        world.notify("alice", "a")

    world.source.during_load = change
    world.source.rows["a"] = account("alice", "new")
    world.notify("alice", "a")
    world.notify("bob", "b")
    world.sync.step()
    assert world.source.asked == ["a", "b", "a"]
    assert world.accounts()["alice"].secret == "newest"


def test_what_was_not_answered_when_the_database_went_down_is_asked_for_again(world: World) -> None:
    def fail() -> None:
        world.source.fault = DOWN

    world.source.during_load = fail
    for user in ("alice", "bob"):
        world.source.rows[user[0]] = account(user, "new")
        world.notify(user, user[0])
    world.sync.step()
    assert {user: row.secret for user, row in world.accounts().items()} == {"alice": "new", "bob": "pw"}
    world.source.fault, world.source.during_load = None, lambda: None
    world.clock.advance(100.0)
    world.sync.step()
    assert world.source.asked == ["a", "b"]
    assert world.accounts()["bob"].secret == "new"


def test_so_many_notifications_that_loading_everything_is_quicker(world: World) -> None:
    for number in range(10_000):
        world.source.rows[str(number)] = account(f"user{number}")
        world.notify(f"user{number}", str(number))
    while world.sync.has_work:
        world.sync.step()
    assert len(world.accounts()) == 10_002
    assert world.source.loads == 2
    assert len(world.source.asked) <= 1_000


def test_a_full_load_applies_differences_only(world: World) -> None:
    world.source.rows = {"b": account("bob"), "a": account("alice", "new"), "c": account("carol")}
    world.sync.load_again()
    world.sync.step()
    assert world.take_told() == [("changed", "alice"), ("changed", "carol")]
    del world.source.rows["b"]
    world.sync.load_again()
    world.sync.step()
    assert world.take_told() == [("removed", "bob")]


def test_a_load_that_breaks_off_removes_nobody_and_is_done_again(world: World) -> None:
    world.source.rows = {"c": account("carol"), "d": account("dave")}

    def fail() -> None:
        world.source.fault = DOWN

    world.source.during_load = fail
    world.sync.load_again()
    world.sync.step()
    assert set(world.accounts()) == {"alice", "bob", "carol"}
    assert world.sync.state.status is SourceStatus.STALE
    assert world.sync.state.problem == "no route to the database"

    world.source.fault = None
    world.source.during_load = lambda: None
    assert not world.sync.has_work, "at once again"
    world.clock.advance(1.0)
    world.sync.step()
    assert set(world.accounts()) == {"carol", "dave"}
    assert world.sync.state.status is SourceStatus.CURRENT
    assert world.sync.state.problem == ""


def test_a_notification_during_a_load_is_done_after_it(world: World) -> None:
    def change() -> None:
        if "late" not in world.source.rows:
            world.source.rows["late"] = account("late")
            world.notify("late", "late")

    world.source.during_load = change
    world.sync.load_again()
    world.sync.step()
    assert "late" in world.accounts()
    assert world.source.asked == ["late"]


def test_a_notification_survives_a_database_that_is_down(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.source.fault = DOWN
    world.source.rows["a"] = account("alice", "new")
    world.notify("alice", "a")
    for _ in range(3):
        world.sync.step()
        world.clock.advance(100.0)
    assert [record.levelno for record in caplog.records] == [logging.ERROR], "said once"
    assert world.accounts()["alice"].secret == "pw"
    world.source.fault = None
    world.sync.step()
    assert world.accounts()["alice"].secret == "new"


def test_a_database_that_is_down_at_first_is_asked_until_it_answers() -> None:
    world = World(MemorySource(a=account("alice")))
    world.source.fault = SourceError("no column secret")
    world.sync.step()
    assert (world.sync.state.status, world.sync.state.problem) == (SourceStatus.LOADING, "no column secret")
    world.source.fault = None
    world.sync.load_again()
    world.sync.step()
    assert list(world.accounts()) == ["alice"]


def test_a_second_row_of_an_account_is_skipped(caplog: pytest.LogCaptureFixture) -> None:
    world = World(MemorySource(a=account("alice"), b=account("ALICE", "x"), c=account("alice", "other")))
    world.sync.step()
    assert world.accounts()["alice"].secret == "pw"
    assert world.sync.state.skipped == 1
    assert "a second row for sip:alice@example.org" in caplog.text


def test_an_account_in_use_keeps_its_calls_when_it_is_deleted_and_comes_back(world: World) -> None:
    line = next(iter(world.pool))
    line.take()
    row = world.source.rows.pop("a")
    world.notify("alice", "a")
    world.sync.step()
    assert "alice" not in world.accounts()
    world.source.rows["a"] = dataclasses.replace(row, secret="new")
    world.notify("alice", "a")
    world.sync.step()
    (alice,) = [line for line in world.pool if line.account.uri.user == "alice"]
    assert (alice.calls, alice.free_slots) == (1, 4)
    alice.give_back()
    assert alice.free_slots == 5


@pytest.mark.parametrize("registers", [True, False])
def test_a_row_that_freeswitch_cannot_register_is_skipped_where_it_has_to(
    registers: bool, caplog: pytest.LogCaptureFixture
) -> None:
    world = World(MemorySource(a=dataclasses.replace(account("alice"), secret="5f4dcc", secret_type=SecretType.HA1)))
    world.pool.use_policy(dataclasses.replace(world.pool.policy, registration_required=registers))
    world.sync.step()
    assert list(world.accounts()) == ([] if registers else ["alice"])
    assert world.sync.state.skipped == int(registers)
    assert ("digest hash" in caplog.text) == registers
    assert "5f4dcc" not in caplog.text


def test_a_row_whose_next_hop_is_refused_is_skipped_at_a_load_and_at_a_notification(
    caplog: pytest.LogCaptureFixture,
) -> None:
    back_to_us = dataclasses.replace(account("mallory"), outbound_proxy=parse_sip_uri("sip:192.0.2.10:5060"))
    world = World(MemorySource(a=account("alice"), m=back_to_us))
    refused = (ipaddress.ip_network("192.0.2.10"),)
    world.pool.use_policy(dataclasses.replace(world.pool.policy, refused_next_hops=refused))
    world.sync.step()
    assert list(world.accounts()) == ["alice"]
    assert world.sync.state.skipped == 1
    assert "skipped account sip:mallory@" in caplog.text
    assert "its outbound proxy 192.0.2.10 is in 192.0.2.10/32 of refused_next_hops" in caplog.text

    world.notify("mallory", "m")
    world.sync.step()
    assert list(world.accounts()) == ["alice"]
    world.source.rows["m"] = account("mallory")
    world.notify("mallory", "m")
    world.sync.step()
    assert list(world.accounts()) == ["alice", "mallory"]


USERS = st.sampled_from(["alice", "bob", "carol", "dave"])


@given(st.lists(st.tuples(USERS, st.sampled_from(["pw1", "pw2", None]), st.booleans(), st.booleans()), max_size=30))
def test_in_the_end_the_pool_is_what_the_database_has(
    changes: list[tuple[str, str | None, bool, bool]],
) -> None:
    world = World(MemorySource())
    for user, secret, reconnects, steps in changes:
        if secret is None:
            world.source.rows.pop(user, None)
        else:
            world.source.rows[user] = account(user, secret)
        if reconnects:
            world.sync.load_again()
        else:
            world.notify(user, user)
        if steps:
            world.sync.step()
    world.sync.step()
    world.sync.step()
    assert world.accounts() == {row.uri.user: row for row in world.source.rows.values()}


class TestWithoutNotifications:
    def test_a_pool_is_read_again_at_its_interval(self, world: World) -> None:
        world.pool.policy = dataclasses.replace(world.pool.policy, refresh_s=60.0)
        world.source.rows["c"] = account("carol")
        world.clock.advance(59.0)
        world.sync.step()
        assert world.take_told() == []
        world.clock.advance(1.0)
        world.sync.step()
        assert world.take_told() == [("changed", "carol")]
        assert not world.sync.has_work

    def test_one_without_an_interval_is_not(self, world: World) -> None:
        world.clock.advance(1e6)
        assert not world.sync.has_work


class TestWhatChangesNothing:
    @pytest.mark.parametrize("after_s", [1.0, 5.0])
    def test_is_read_again(self, world: World, after_s: float) -> None:
        """The Account Manager publishes before it deletes."""
        world.notify("alice", "a")
        world.sync.step()
        assert world.take_told() == []
        for _ in range(int(after_s) - 1):
            world.clock.advance(1.0)
            world.sync.step()
        del world.source.rows["a"]
        world.clock.advance(0.9)
        world.sync.step()
        assert world.take_told() == []
        world.clock.advance(0.1)
        world.sync.step()
        assert world.take_told() == [("removed", "alice")]
        assert world.sync.pending_notifications == 0

    def test_is_read_three_times_and_no_more(self, world: World) -> None:
        world.notify("alice", "a")
        world.notify("nobody", "n")
        for _ in range(8):
            world.sync.step()
            world.clock.advance(1.0)
        assert not world.sync.has_work
        world.clock.advance(1e6)
        assert not world.sync.has_work
        world.notify("alice", "a")
        world.sync.step()
        world.clock.advance(1.0)
        assert world.sync.has_work, "another notification begins anew"

    def test_what_changes_something_is_not_read_again(self, world: World) -> None:
        world.source.rows["a"] = account("alice", "new")
        world.notify("alice", "a")
        world.sync.step()
        world.clock.advance(10.0)
        assert not world.sync.has_work

    @pytest.mark.parametrize("learned_by", ["notification", "full load"])
    def test_does_not_take_away_what_was_made_in_its_place(self, world: World, learned_by: str) -> None:
        """An account is deleted and made again with another identifier, and the deletion was known already."""
        world.notify("carol", "deleted")
        world.sync.step()
        world.source.rows["c"] = account("carol")
        if learned_by == "notification":
            world.notify("carol", "c")
        else:
            world.sync.load_again()
        world.sync.step()
        for _ in range(10):
            world.clock.advance(1.0)
            world.sync.step()
        assert world.take_told() == [("changed", "carol")]

    def test_does_not_when_both_were_told_while_the_first_was_read(self, world: World) -> None:
        def makes_it_again() -> None:
            world.source.during_load = lambda: None
            world.source.rows["c"] = account("carol")
            world.notify("carol", "c")

        world.source.during_load = makes_it_again
        world.notify("nobody", "n")
        world.notify("carol", "deleted")
        for _ in range(10):
            world.sync.step()
            world.clock.advance(1.0)
        assert "carol" in world.accounts()

    def test_of_very_many_everything_is_read(self, world: World) -> None:
        for round_ in range(3):
            for number in range(500):
                world.notify(f"nobody{round_}.{number}", "n")
            world.sync.step()
        assert world.source.loads == 1
        world.sync.step()
        assert world.source.loads == 2

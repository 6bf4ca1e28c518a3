"""Accounts come, change and go in one place, which tells the others in the right order."""

from __future__ import annotations

import dataclasses

import pytest
from memory_switch import FakeScheduler
from services_examples import account, policy

from sipbridge.core.accounts.account import account_id
from sipbridge.core.pools.account_pool import AccountPool, Line
from sipbridge.core.sip.uri import parse_sip_uri
from sipbridge.services.accounts.pool_members import PoolMembers
from sipbridge.services.accounts.unread_pools import UnreadPools
from sipbridge.services.slices import Slices

ID = account_id("Pool", account("alice").uri)


class World:
    """Members, and what call control and gateways are told, in order."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.members = PoolMembers(self, self)
        self.pool = self.members.new_pool(policy())
        self.slices = Slices(FakeScheduler(), 2)
        self.told.clear()

    def on_account_added(self, line: Line) -> None:
        self.told.append(f"calls of {line.account.uri.user}")

    def on_account_changed(self, line: Line) -> None:
        assert line.pool.get(line.id) is line, "gateways follow a pool that is as it should be already"
        self.told.append(f"gateway of {line.account.uri.user}, {line.account.secret}")

    def on_account_removed(self, line: Line) -> None:
        assert line.pool.get(line.id) is None
        self.told.append(f"no gateway of {line.account.uri.user}")

    def use_pool(self, pool: AccountPool) -> None:
        self.told.append(f"pool {pool.policy.name}, each {pool.policy.registration_interval_ms} ms")

    def forget_pool(self, name: str) -> None:
        self.told.append(f"no pool {name}")

    def take_told(self) -> list[str]:
        told, self.told = self.told, []
        return told


@pytest.fixture
def world() -> World:
    return World()


def test_an_account_is_added_replaced_and_removed(world: World) -> None:
    line = world.members.put(world.pool, ID, account("alice"))
    assert world.take_told() == ["calls of alice", "gateway of alice, secret"]
    assert world.members.put(world.pool, ID, account("alice")) is line
    assert world.take_told() == [], "the same"
    assert world.members.put(world.pool, ID, account("alice", "new")) is line
    assert world.take_told() == ["gateway of alice, new"]
    world.members.remove(line)
    assert world.take_told() == ["no gateway of alice"]


def test_an_enlisted_account_gets_its_gateway_when_it_is_admitted_unless_it_is_gone(world: World) -> None:
    stays = world.members.enlist(world.pool, account("alice"))
    goes = world.members.enlist(world.pool, account("bob"))
    assert world.take_told() == []
    world.members.remove(goes)
    world.take_told()
    for line in (stays, goes):
        world.members.admit(line)
    assert world.take_told() == ["calls of alice", "gateway of alice, secret"]


@pytest.mark.parametrize(
    ("differing", "gateways"),
    [
        pytest.param({}, None, id="the same"),
        pytest.param({"max_calls_per_line": 7}, 0, id="of calls"),
        pytest.param({"registration_interval_ms": 7}, 0, id="of the pace"),
        pytest.param({"outbound_proxy": parse_sip_uri("sip:other.example.net")}, 3, id="of gateways"),
        pytest.param({"registration_required": False}, 3, id="of registrations"),
    ],
)
def test_another_policy_changes_gateways_only_where_it_is_part_of_them(
    world: World, differing: dict[str, object], gateways: int | None
) -> None:
    for user in ("alice", "bob", "carol"):
        world.members.put(world.pool, account_id("Pool", account(user).uri), account(user))
    world.take_told()
    wanted = dataclasses.replace(policy(), **differing)  # type: ignore[arg-type]
    world.members.use_policy(world.pool, wanted, world.slices)
    assert world.pool.policy == wanted
    told = world.take_told()
    assert [each.partition(" ")[0] for each in told] == ([] if gateways is None else ["pool"] + ["gateway"] * gateways)


def test_a_pool_that_comes_back_has_the_lines_of_calls_that_went_on(world: World) -> None:
    line = world.members.put(world.pool, ID, account("alice"))
    line.take()
    world.take_told()
    world.members.remove_pool(world.pool, world.slices)
    assert world.take_told() == ["no gateway of alice", "no pool Pool"]
    again = world.members.new_pool(policy(max_calls_per_line=1))
    assert world.members.put(again, ID, account("alice")) is line
    assert (line.calls, line.free_slots) == (1, 0)


def test_all_is_known_when_every_database_was_read() -> None:
    unread = UnreadPools()
    assert unread.knows_all()
    unread.expect(["One", "Two"])
    unread.note_read("One")
    assert not unread.knows_all()
    unread.note_read("Two")
    unread.note_read("Three")
    assert unread.knows_all()

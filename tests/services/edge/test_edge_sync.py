"""The edge knows its accounts before FreeSWITCH has their gateways, and as long as it has them."""

from __future__ import annotations

import dataclasses
import logging

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from memory_edge import MemoryEdge
from services_examples import Services, account, policy, pool

from sipbridge.core.accounts.account import Account, SecretType
from sipbridge.core.gateways.gateway import GatewayName
from sipbridge.core.pools.account_pool import AccountPool
from sipbridge.core.providers.edge import Edge, EdgeState
from sipbridge.core.sip.uri import parse_sip_uri
from sipbridge.ports import EdgeLost, EdgeRefused
from sipbridge.services.edge.edge_sync import EdgeSync
from sipbridge.services.edge.edge_table import EdgeTable

EDGE = Edge(parse_sip_uri("sip:127.0.0.1:5090"))
DOWN = EdgeLost("no Kamailio listens on /run/rpc.sock: Connection refused")


def hashed(user: str, secret: str = "0123456789abcdef" * 2) -> Account:
    return dataclasses.replace(account(user), secret=secret, secret_type=SecretType.HA1)


def mixed_pool(*hashed_users: str) -> AccountPool:
    """``clear`` goes straight to the provider, the others through the edge."""
    made = pool("clear", with_=policy(edge=EDGE))
    for user in hashed_users:
        made.add(hashed(user))
    return made


class World:
    """All services, an edge, and what keeps it in step."""

    def __init__(self, *hashed_users: str) -> None:
        self.edge = MemoryEdge()
        self.services = Services(mixed_pool(*(hashed_users or ("alice", "bob"))))
        self.sync = self.new_sync("ours")

    def new_sync(self, epoch: str) -> EdgeSync:
        return EdgeSync(self.edge, self.services.keeper, self.services.clock, epoch)

    def step(self, seconds: float = 0.25) -> None:
        """Time passes; the edge is told, then FreeSWITCH."""
        self.services.clock.advance(seconds)
        self.sync.step()
        self.services.step()

    def settle(self) -> None:
        for _ in range(6):
            self.step()

    def known(self) -> list[str]:
        return sorted(name.split(".")[1] for name in self.edge.table)

    def in_switch(self) -> list[str]:
        switch = self.services.switch
        return sorted(name.split(".")[1] for name in switch.up | switch.down)


@pytest.fixture
def world() -> World:
    """Connected, and all gateways there."""
    world = World()
    world.services.connect()
    world.settle()
    assert world.in_switch() == ["alice", "bob", "clear"]
    return world


def test_the_edge_knows_those_that_need_it_and_no_others(world: World) -> None:
    assert world.known() == ["alice", "bob"]
    assert sorted(world.edge.table.values()) == ["md5|sip:proxy.example.net|0123456789abcdef0123456789abcdef"] * 2
    assert world.edge.filled_by == "ours"
    assert world.sync.state == EdgeState("", accounts=2, known=2)


def test_gateways_wait_for_the_edge_and_others_do_not() -> None:
    world = World()
    world.edge.problem = DOWN
    world.services.connect()
    world.settle()
    assert world.in_switch() == ["clear"]
    assert world.sync.state == EdgeState(str(DOWN), accounts=2, known=0)

    world.edge.problem = None
    world.services.clock.advance(2)
    world.settle()
    assert world.in_switch() == ["alice", "bob", "clear"]
    assert world.sync.state == EdgeState("", accounts=2, known=2)


def test_any_number_of_waiting_ones_hold_nobody_up() -> None:
    world = World(*(f"user{number}" for number in range(2_500)))
    world.services.keeper.on_account_removed(world.services.line("clear"))
    world.edge.problem = DOWN
    world.services.connect()
    world.services.keeper.on_account_changed(world.services.line("clear"))
    world.settle()
    assert world.in_switch() == ["clear"]


def test_a_changed_account_is_told_before_its_new_gateway_is_added_and_forgotten_after_the_old_one(
    world: World,
) -> None:
    services = world.services
    line = services.line("alice")
    line.pool.replace(line, hashed("alice", "f" * 32))
    services.keeper.on_account_changed(line)
    world.step()
    # The old one is being unregistered, with a digest that the edge has to answer.
    assert world.known() == ["alice", "alice", "bob"]

    services.switch.delete_marked()
    world.settle()
    assert world.known() == ["alice", "bob"]
    assert world.in_switch() == ["alice", "bob", "clear"]
    assert any(entry.endswith("|" + "f" * 32) for entry in world.edge.table.values())


def test_what_the_edge_need_not_know_is_not_told_again(world: World) -> None:
    told = world.edge.puts
    line = world.services.line("alice")
    line.pool.replace(line, dataclasses.replace(hashed("alice"), alias=parse_sip_uri("sip:other@home.example.org")))
    world.services.keeper.on_account_changed(line)
    world.settle()
    assert world.edge.puts == told


def test_an_account_that_gets_a_password_leaves_the_edge(world: World) -> None:
    services = world.services
    line = services.line("alice")
    line.pool.replace(line, account("alice"))
    services.keeper.on_account_changed(line)
    world.step()
    services.switch.delete_marked()
    world.settle()
    assert world.known() == ["bob"]
    assert services.gateway("alice").edge_entry is None


def test_a_removed_account_is_forgotten_when_its_gateway_is_gone(world: World) -> None:
    services = world.services
    line = services.line("alice")
    line.pool.remove(line)
    services.keeper.on_account_removed(line)
    world.settle()
    assert world.known() == ["alice", "bob"]

    services.switch.delete_marked()
    world.settle()
    assert world.known() == ["bob"]


def test_an_account_that_goes_while_the_edge_is_told_of_it_is_forgotten(world: World) -> None:
    line = world.services.line("clear").pool.add(hashed("carol"))
    keeper = world.services.keeper
    keeper.on_account_changed(line)

    def remove() -> None:
        line.pool.remove(line)
        keeper.on_account_removed(line)

    world.edge.at_put = remove
    world.sync.step()
    world.edge.at_put = lambda: None
    world.settle()
    assert world.known() == ["alice", "bob"]


def test_a_restarted_edge_is_told_everything_within_two_seconds(world: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    world.edge.restart()
    world.edge.problem = DOWN
    for _ in range(40):
        world.step()
    assert caplog.messages.count(f"cannot update the edge: {DOWN}") == 1
    assert world.sync.state == EdgeState(str(DOWN), accounts=2, known=0)

    world.edge.problem = None
    waited = 0.0
    while world.known() != ["alice", "bob"]:
        world.step()
        waited += 0.25
    assert waited <= 2
    assert world.edge.filled_by == "ours"
    assert "edge received 2 accounts in 0.0 s" in caplog.messages


def test_an_edge_that_is_restarted_unseen_between_two_looks_is_told_everything(world: World) -> None:
    world.edge.restart()
    world.step(1.0)
    assert world.known() == ["alice", "bob"]


def test_an_edge_that_is_restarted_while_it_is_told_is_told_again(world: World) -> None:
    def restart_once() -> None:
        world.edge.at_put = lambda: None
        world.edge.restart()

    world.edge.restart()
    world.edge.at_put = restart_once
    for _ in range(12):
        world.step()
    assert world.known() == ["alice", "bob"]
    assert world.edge.filled_by == "ours"


def test_a_restarted_daemon_tells_everything_and_leaves_nothing_else(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.edge.table[GatewayName("sipbridge.stranger.0")] = "clear|sip:a|of an account that is gone"
    world.sync = world.new_sync("of another life")
    told = world.edge.puts
    world.step()
    assert world.edge.puts == told + 2

    for _ in range(300):
        world.step()
    assert world.known() == ["alice", "bob"]
    assert world.edge.filled_by == "of another life"
    assert "edge has 3 accounts instead of 2: sending all again" in caplog.messages


def test_leftovers_are_not_looked_for_while_gateways_leave(world: World) -> None:
    """What they unregister with may be among them."""
    name = GatewayName("sipbridge.stranger.0")
    world.edge.table[name] = "clear|sip:a|x"
    world.services.switch.up.add(name)
    world.services.disconnect()
    world.services.connect()
    for _ in range(300):
        world.step()
    assert name in world.edge.table

    world.services.switch.delete_marked()
    for _ in range(300):
        world.step()
    assert name not in world.edge.table


def test_a_restarted_switch_gets_gateways_of_other_names_and_the_edge_too(world: World) -> None:
    before = set(world.edge.table)
    switch = world.services.switch
    world.services.disconnect()
    switch.up, switch.down, switch.salt = set(), set(), b"another"
    world.services.connect()
    world.settle()
    assert world.known() == ["alice", "bob"]
    assert not before & set(world.edge.table)


def test_at_shutdown_the_edge_forgets_whoever_has_unregistered(world: World) -> None:
    world.services.keeper.begin_shutdown(10)
    world.settle()
    world.services.switch.delete_marked()
    world.settle()
    assert world.edge.table == {}


def test_a_refusal_is_told_and_tried_again(world: World) -> None:
    world.edge.problem = EdgeRefused("Kamailio rejected htable.get: No such htable")
    world.step(1)
    assert world.sync.state.problem == "Kamailio rejected htable.get: No such htable"
    world.edge.problem = None
    world.step(1)
    assert world.sync.state.problem == ""


class EdgeTableMachine(RuleBasedStateMachine):
    """Whatever happens in whichever order, the edge comes to have what it should."""

    names = st.sampled_from([GatewayName(f"g{number}") for number in range(4)])

    def __init__(self) -> None:
        super().__init__()
        self.table = EdgeTable()
        self.edge: set[str] = set()
        self.wanted: set[str] = set()
        self.in_switch: set[str] = set()
        self.on_its_way: list[GatewayName] = []

    @rule(name=names)
    def want(self, name: GatewayName) -> None:
        self.table.want(name)
        self.wanted.add(name)

    @rule(name=names)
    def release(self, name: GatewayName) -> None:
        self.table.release(name)
        self.wanted.discard(name)

    @rule(name=names)
    def added(self, name: GatewayName) -> None:
        if name in self.wanted and not self.table.waits(name):
            assert name in self.edge
            self.in_switch.add(name)

    @rule(name=names)
    def removed(self, name: GatewayName) -> None:
        self.in_switch.discard(name)

    @precondition(lambda self: not self.on_its_way)
    @rule(most=st.integers(1, 4))
    def begin_to_tell(self, most: int) -> None:
        self.on_its_way = self.table.due(most)

    @rule()
    def told(self) -> None:
        self.edge.update(self.on_its_way)
        self.table.note_put(self.on_its_way)
        self.on_its_way = []

    @precondition(lambda self: not self.on_its_way)
    @rule()
    def forget(self) -> None:
        gone = self.table.gone(self.in_switch.__contains__, 4)
        assert not self.in_switch & set(gone)
        self.edge.difference_update(gone)
        self.table.note_deleted(gone)

    @precondition(lambda self: not self.on_its_way)
    @rule()
    def restart(self) -> None:
        self.edge.clear()
        self.table.reset()

    @invariant()
    def counts(self) -> None:
        assert len(self.table) == len(self.wanted)
        assert self.table.held <= len(self.wanted)
        if self.table.is_settled and not self.on_its_way:
            assert self.edge == self.wanted

    def teardown(self) -> None:
        self.told()
        self.in_switch &= self.wanted
        while due := self.table.due(2):
            self.edge.update(due)
            self.table.note_put(due)
        while gone := self.table.gone(self.in_switch.__contains__, 2):
            self.edge.difference_update(gone)
            self.table.note_deleted(gone)
        assert self.table.is_settled
        assert self.edge == self.wanted


EdgeTableMachine.TestCase.settings = settings(max_examples=200, deadline=None)
test_the_table_in_any_order = EdgeTableMachine.TestCase

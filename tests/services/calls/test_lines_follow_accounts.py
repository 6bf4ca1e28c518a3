"""Accounts come, change, are renamed and go, in the file, in the database and behind the edge, with calls in progress.

Limits are reloaded, what is drained carries nothing, connections break, and the controller, the switch and the edge are
started again, the controller quicker than its database: each line counts the calls that there are, and no other.

``SIPBRIDGE_STEPS=20000 pytest -s tests/services/calls/test_lines_follow_accounts.py`` goes on for so many steps.
"""

from __future__ import annotations

import dataclasses
import os
from collections import Counter
from collections.abc import Callable, Mapping

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from memory_edge import MemoryEdge
from memory_switch import MemorySwitch
from reload_examples import DATABASE, Reloading, config
from services_examples import account, policy

from sipbridge.core.accounts.account import Account, AccountId, SecretType, account_id
from sipbridge.core.bridge_config import BridgeConfig, PoolConfig
from sipbridge.core.calls.events import ProfileStarted
from sipbridge.core.pools.account_pool import Line
from sipbridge.core.providers.edge import Edge
from sipbridge.core.sip.call import ChannelUuid
from sipbridge.core.sip.uri import parse_sip_uri
from sipbridge.ports import CommandRefused, SwitchLost, Unconfirmed
from sipbridge.services.edge.edge_sync import EdgeSync

STEPS_OF_ONE = 60
EXAMPLES = int(os.environ.get("SIPBRIDGE_STEPS", "1200")) // STEPS_OF_ONE
EDGE = Edge(parse_sip_uri("sip:127.0.0.1:5090"))
IN_FILE, IN_DATABASE, WITH_HASH = ("alice", "bob", "carol"), ("dave", "erin", "frank", "gina"), ("frank", "gina")
EVERYBODY = IN_FILE + IN_DATABASE
DONE: Counter[str] = Counter()
"""How often each rule was tried, over all examples."""

_limit = st.sampled_from([2, 1, 3, 0])
_limits = st.fixed_dictionaries({"File": _limit, "Data": _limit})
_undo = st.sampled_from([True, True, True, False])
_in_file = st.dictionaries(st.sampled_from(IN_FILE), st.sampled_from(["one", "two"]), max_size=3)
_asked = st.sampled_from(["gateways", "channels", "accounts_of"])


def an_account(user: str, secret: str) -> Account:
    made = account(user, secret)
    return dataclasses.replace(made, secret=secret * 16, secret_type=SecretType.HA1) if user in WITH_HASH else made


def pool_of(user: str) -> str:
    return "File" if user in IN_FILE else "Data"


class LinesFollowAccounts(RuleBasedStateMachine):
    """What is true: the calls of the switch and the account of each, the file, and the rows of the database.

    Attributes:
        in_file: users and their secrets, as the file has them and as it was read last.
        rows: the same, of the database.
        read: the rows as the controller was told of them last; None since it was started, until it has read them.
    """

    def __init__(self) -> None:
        super().__init__()
        self.switch, self.edge = MemorySwitch(), MemoryEdge()
        self.calls: dict[str, AccountId | None] = {}
        self.in_file: dict[str, str] = {"alice": "one", "bob": "one"}
        self.limits: Mapping[str, int] = {"File": 2, "Data": 2}
        self.rows: dict[str, str] = {"dave": "one", "frank": "one"}
        self.started = 0
        self.start_controller()
        self.read_database()
        self.connection_stands(breaks_at=None)
        self.all_settles()

    def start_controller(self) -> None:
        self.bridge = Reloading(self.config_now(), switch=self.switch, knows_all=lambda: self.read is not None)
        self.services = self.bridge.services
        self.read: dict[str, str] | None = None
        self.connected = False
        self.done = len(self.switch.bridged)
        self.drain = self.services.drain
        self.drained: set[str] = set()
        self.highest = dict(self.limits)
        self.sync = EdgeSync(self.edge, self.services.keeper, self.services.clock, f"controller {DONE.total()}")

    def config_now(self) -> BridgeConfig:
        def with_limit(name: str) -> object:
            return policy(name, max_calls_per_line=self.limits[name], edge=EDGE if name == "Data" else None)

        in_file = tuple(an_account(user, secret) for user, secret in self.in_file.items())
        return config(PoolConfig(with_limit("File"), in_file), PoolConfig(with_limit("Data"), DATABASE))  # type: ignore[arg-type]

    @property
    def lines(self) -> list[Line]:
        return [line for pool in self.services.pools.values() for line in pool]

    # Calls

    def park(self, user: str) -> str:
        self.started += 1
        channel = f"call-{self.started}"
        self.switch.alive.add(ChannelUuid(channel))
        self.calls[channel] = None
        if self.connected and self.services.session.takes_calls:
            self.services.park(channel, user)
        self.carry_out()
        return channel

    def carry_out(self) -> None:
        """The switch bridges calls that exist, and refuses others."""
        for bridged in self.switch.bridged[self.done :]:
            self.done += 1
            if bridged.channel not in self.switch.alive:
                bridged.on_done(CommandRefused("sendmsg", "-ERR invalid session id"))
                continue
            self.check_bridged(bridged.account_id)
            self.calls[bridged.channel] = bridged.account_id
            DONE["calls bridged"] += 1
            bridged.on_done(None)

    def check_bridged(self, id_: AccountId) -> None:
        user = next(user for user in EVERYBODY if account_id(pool_of(user), account(user).uri) == id_)
        assert user not in self.drained
        assert Counter(self.calls.values())[id_] < self.highest[pool_of(user)], f"{user} is oversold"

    def end(self, channel: str) -> None:
        was_there = channel in self.switch.alive
        self.switch.alive.discard(ChannelUuid(channel))
        self.calls.pop(channel, None)
        if was_there and self.connected:
            self.services.end(channel)

    @rule(data=st.data(), count=st.integers(1, 4), settled=st.sampled_from([True, True, False]))
    def calls_arrive(self, data: st.DataObject, count: int, settled: bool) -> None:
        DONE["calls"] += count
        user = data.draw(st.sampled_from(sorted(self.present()) * 3 + list(EVERYBODY)))
        if settled:
            self.all_is_well()
        for _ in range(count):
            self.park(user)

    def all_is_well(self) -> None:
        if not self.connected:
            self.connection_stands(breaks_at=None)
        if not self.services.session.takes_calls:
            self.the_bridge_is_drained(undo=True)
        self.all_settles()

    @precondition(lambda self: self.calls)
    @rule(data=st.data())
    def a_call_ends(self, data: st.DataObject) -> None:
        DONE["ends"] += 1
        self.end(data.draw(st.sampled_from(sorted(self.calls))))

    @precondition(lambda self: self.connected and self.services.session.takes_calls)
    @rule(user=st.sampled_from(EVERYBODY), was_carried_out=st.booleans())
    def a_bridge_is_lost_with_the_connection(self, user: str, was_carried_out: bool) -> None:
        """Nobody knows whether it was carried out."""
        DONE["lost commands"] += 1
        self.started += 1
        channel = f"call-{self.started}"
        self.switch.alive.add(ChannelUuid(channel))
        self.calls[channel] = None
        self.services.park(channel, user)
        for bridged in self.switch.bridged[self.done :]:
            self.done += 1
            if was_carried_out:
                self.check_bridged(bridged.account_id)
                self.calls[channel] = bridged.account_id
            bridged.on_done(Unconfirmed("lost"))
        self.connection_breaks()
        if self.calls[channel] is None:
            # As every call that stays parked.
            self.end(channel)

    # Accounts

    def reload(self, meanwhile: Callable[[], object] = lambda: None) -> None:
        wanted = self.config_now()
        for name, limit in self.limits.items():
            self.highest[name] = max(self.highest[name], limit)
        self.bridge.scheduler.while_apart.append(meanwhile)  # type: ignore[arg-type]
        self.bridge.reload(wanted)
        self.highest = dict(self.limits)
        self.drained &= self.present()

    def present(self) -> set[str]:
        return {line.account.uri.user for line in self.lines}

    @rule(in_file=_in_file, limits=_limits, caller=st.none() | st.sampled_from(EVERYBODY))
    def the_file_is_reloaded(self, in_file: dict[str, str], limits: dict[str, int], caller: str | None) -> None:
        DONE["reloads"] += 1
        self.in_file, self.limits = in_file, limits
        self.reload((lambda: self.park(caller)) if caller else (lambda: None))

    @precondition(lambda self: 0 < len(self.in_file) < len(IN_FILE))
    @rule(data=st.data())
    def an_account_of_the_file_is_renamed(self, data: st.DataObject) -> None:
        DONE["renames in the file"] += 1
        user = data.draw(st.sampled_from(sorted(self.in_file)))
        other = data.draw(st.sampled_from(sorted(set(IN_FILE) - self.in_file.keys())))
        secret = self.in_file.pop(user)
        self.in_file[other] = secret
        self.reload()

    @rule(user=st.sampled_from(IN_DATABASE), secret=st.sampled_from([None, "one", "two"]), is_told=st.booleans())
    def a_row_changes(self, user: str, secret: str | None, is_told: bool) -> None:
        DONE["rows"] += 1
        self.rows.pop(user, None)
        if secret is not None:
            self.rows[user] = secret
        if is_told and self.read is not None:
            self.read = {other: secret for other, secret in self.read.items() if other != user}
            if secret is not None:
                self.read[user] = secret
            self.follow()

    @precondition(lambda self: 0 < len(self.rows) < len(IN_DATABASE))
    @rule(data=st.data())
    def a_row_is_renamed(self, data: st.DataObject) -> None:
        DONE["renames in the database"] += 1
        user = data.draw(st.sampled_from(sorted(self.rows)))
        other = data.draw(st.sampled_from(sorted(set(IN_DATABASE) - self.rows.keys())))
        secret = self.rows.pop(user)
        self.rows[other] = secret
        if self.read is not None:
            self.read_database()

    @rule()
    def read_database(self) -> None:
        DONE["loads"] += 1
        self.read = dict(self.rows)
        self.follow()

    def follow(self) -> None:
        rows = tuple(an_account(user, secret) for user, secret in (self.read or {}).items())
        self.bridge.databases = {"Data": rows}
        self.bridge.follow(self.config_now(), self.services.pools)
        self.drained &= self.present()

    # What an operator wishes

    @rule(user=st.sampled_from(EVERYBODY), undo=_undo)
    def an_account_is_drained(self, user: str, undo: bool) -> None:
        if user in self.present():
            DONE["drains"] += 1
            self.drain.account(account(user).uri.text, undo=undo)
            (self.drained.discard if undo else self.drained.add)(user)

    @rule(undo=_undo)
    def the_bridge_is_drained(self, undo: bool) -> None:
        DONE["drains"] += 1
        self.drain.bridge(undo=undo)

    # What breaks

    @precondition(lambda self: self.connected)
    @rule()
    def connection_breaks(self) -> None:
        DONE["lost connections"] += 1
        self.connected = False
        self.services.disconnect()

    @precondition(lambda self: not self.connected)
    @rule(breaks_at=st.none() | _asked)
    def connection_stands(self, breaks_at: str | None) -> None:
        DONE["connections"] += 1
        self.the_table_catches_up()
        if breaks_at:
            self.switch.fail(breaks_at, SwitchLost("lost"))
        try:
            self.services.connect()
            self.connected = True
        except SwitchLost:
            self.services.disconnect()
        self.switch.failures.clear()
        self.carry_out()

    def the_table_catches_up(self) -> None:
        self.switch.table = {ChannelUuid(channel): id_ for channel, id_ in self.calls.items()}

    @rule(reads_at_once=st.booleans(), connects_at_once=st.booleans())
    def controller_restarts(self, reads_at_once: bool, connects_at_once: bool) -> None:
        DONE["restarts of the controller"] += 1
        DONE["calls in progress at a restart"] += sum(id_ is not None for id_ in self.calls.values())
        # What it heard of and did not command, FreeSWITCH ends by itself.
        self.start_controller()
        if reads_at_once:
            self.read_database()
        if connects_at_once:
            self.connection_stands(breaks_at=None)

    @rule()
    def switch_restarts(self) -> None:
        DONE["restarts of the switch"] += 1
        if self.connected:
            self.connection_breaks()
        self.calls.clear()
        for left in (self.switch.alive, self.switch.table, self.switch.up, self.switch.down, self.switch.deleting):
            left.clear()
        self.switch.events.clear()
        self.switch.salt += b"+"

    @precondition(lambda self: self.connected)
    @rule()
    def profile_restarts(self) -> None:
        DONE["restarts of the profile"] += 1
        for left in (self.switch.up, self.switch.down, self.switch.deleting):
            left.clear()
        self.services.session.on_switch_event(ProfileStarted("providers"))

    @rule()
    def edge_restarts(self) -> None:
        DONE["restarts of the edge"] += 1
        self.edge.restart()

    @rule()
    def all_settles(self) -> None:
        DONE["settled"] += 1
        for _ in range(12):
            self.services.clock.advance(1.0)
            self.sync.step()
            self.services.session.step()
            self.services.keeper.step()
            self.tell()
            if self.connected:
                self.services.register()
            self.switch.delete_marked()
            self.tell()

    def tell(self) -> None:
        """What happens while nobody is connected is told to nobody."""
        if not self.connected:
            self.switch.events.clear()
        self.switch.deliver()

    # What must hold

    @invariant()
    def every_line_holds_the_calls_that_go_through_its_account(self) -> None:
        if self.connected:
            there = Counter(self.calls.values())
            assert {line.id: line.calls for line in self.lines} == {line.id: there[line.id] for line in self.lines}

    @invariant()
    def the_accounts_are_those_of_the_file_and_of_what_was_read(self) -> None:
        assert self.present() == {*self.in_file, *(self.read or {})}

    @invariant()
    def the_available_accounts_are_those_with_a_free_line(self) -> None:
        for line in self.lines:
            limit = self.limits[line.pool.policy.name]
            is_drained = line.account.uri.user in self.drained
            assert not (line.is_available and is_drained)
            assert line.is_available == (line.is_usable and line.calls < limit and not line.is_drained)

    def teardown(self) -> None:
        if not self.connected:
            self.connection_stands(breaks_at=None)
        self.read_database()
        self.all_settles()
        # Now and then it is looked whether the edge has more than it should.
        self.services.clock.advance(600.0)
        self.all_settles()
        for channel in list(self.calls):
            self.end(channel)
        assert self.services.calls.calls_in_progress == 0
        assert all((line.calls, line.is_usable) == (0, True) for line in self.lines)
        names = {self.services.keeper.gateway_of(line) for line in self.lines}
        assert names == self.switch.up
        assert not self.switch.down
        hashed = {line.gateway for line in self.lines if line.account.uri.user in WITH_HASH}
        assert self.edge.table.keys() == hashed


TestLinesFollowAccounts = LinesFollowAccounts.TestCase
TestLinesFollowAccounts.settings = settings(
    max_examples=EXAMPLES, stateful_step_count=STEPS_OF_ONE, deadline=None, suppress_health_check=list(HealthCheck)
)


def test_the_steps_that_were_tried_are_told() -> None:
    print(", ".join(f"{name} {count}" for name, count in DONE.most_common()))  # noqa: T201
    assert DONE["calls bridged"] > 0

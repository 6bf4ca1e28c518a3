"""After the host's network has changed and settled, accounts register again and profiles are rebound."""

from __future__ import annotations

import dataclasses
import logging

import pytest
from memory_switch import LOCAL_ADDRESS as OLD
from memory_switch import FakeClock, MemoryProfiles

from sipbridge.core.network import HostNetwork
from sipbridge.ports import CommandRefused, SwitchLost
from sipbridge.services.network_watch import NetworkWatch

STABLE_S = 1.0
NEW = "192.0.2.20"
BEFORE = HostNetwork(frozenset({"127.0.0.1", OLD}), frozenset({"inet via 192.0.2.1 dev eth0"}), OLD)
DOWN = HostNetwork(frozenset({"127.0.0.1"}))
AFTER = HostNetwork(frozenset({"127.0.0.1", NEW}), frozenset({"inet via 192.0.2.1 dev eth0"}), NEW)


class World:
    """A network watch that has seen how things are at first."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.profiles = MemoryProfiles()
        self.registered_again = 0
        self.watch = NetworkWatch(self.profiles, ("providers", "inside"), self._again, self.clock, STABLE_S)
        self.see(BEFORE)

    def _again(self) -> int:
        self.registered_again += 1
        return 3

    def see(self, *networks: HostNetwork) -> None:
        """Let the network be like this, one after the other, and then for long enough."""
        for network in networks:
            self.watch.on_network(network)
        self.step(STABLE_S)

    def step(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.watch.step()


@pytest.fixture
def world() -> World:
    return World()


def test_nothing_is_done_as_long_as_nothing_changes(world: World) -> None:
    world.see(BEFORE)
    world.step(60)
    assert (world.registered_again, world.profiles.restarted) == (0, [])


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param([DOWN, BEFORE], id="gone for a moment"),
        pytest.param([dataclasses.replace(BEFORE, default_routes=frozenset({"inet dev wwan0"}))], id="another way out"),
    ],
)
def test_accounts_register_again(world: World, changes: list[HostNetwork], caplog: pytest.LogCaptureFixture) -> None:
    world.see(*changes)
    world.step(60)
    assert world.registered_again == 1
    assert world.profiles.restarted == []
    assert "registering 3 gateways of sofia profile providers again" in caplog.text


def test_an_address_that_was_gone_for_long_is_back(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.see(DOWN)
    world.step(600)
    assert world.registered_again == 0
    assert OLD in world.watch.problem
    assert f"bound to {OLD}, which this host no longer has" in caplog.text
    world.see(BEFORE)
    assert world.registered_again == 1
    assert f"{OLD} is back" in caplog.text
    assert world.watch.problem == ""


@pytest.mark.parametrize(
    "change",
    [
        dataclasses.replace(BEFORE, addresses=BEFORE.addresses | {NEW}),
        dataclasses.replace(BEFORE, default_routes=BEFORE.default_routes | {"inet6 via fe80::1 dev eth0"}),
        dataclasses.replace(BEFORE, default_routes=frozenset()),
    ],
    ids=["one more address", "a default route of the other family", "a default route less"],
)
def test_what_concerns_no_registration_is_left_alone(world: World, change: HostNetwork) -> None:
    world.see(change)
    world.step(60)
    assert (world.registered_again, world.profiles.restarted) == (0, [])


def test_nothing_is_done_before_the_network_has_settled(world: World) -> None:
    for _ in range(20):
        world.watch.on_network(DOWN)
        world.step(STABLE_S / 2)
        world.watch.on_network(BEFORE)
        world.step(STABLE_S / 2)
    assert world.registered_again == 0
    world.step(STABLE_S / 2)
    assert world.registered_again == 1


def test_a_profile_follows_its_configuration_to_the_new_address(world: World) -> None:
    world.see(AFTER)
    assert world.profiles.restarted == ["providers"]
    assert "restarting" in world.watch.problem
    world.profiles.finish_restart()
    world.step(1)
    world.step(60)
    assert world.profiles.bound["providers"] == NEW
    assert world.profiles.restarted == ["providers"]
    assert world.watch.problem == ""
    # The next step adds the gateways of a profile that has started; they need not register twice.
    assert world.registered_again == 0


def test_a_profile_that_has_never_run_is_left_alone(world: World) -> None:
    del world.profiles.bound["providers"]
    watch = NetworkWatch(world.profiles, ("providers",), lambda: 0, world.clock, STABLE_S)
    watch.on_network(AFTER)
    world.clock.advance(STABLE_S)
    watch.step()
    assert world.profiles.restarted == []


def test_a_profile_that_is_stopped_by_somebody_is_left_alone(world: World) -> None:
    del world.profiles.bound["providers"]
    world.see(dataclasses.replace(BEFORE, addresses=BEFORE.addresses | {"192.0.2.30"}))
    assert world.profiles.restarted == []
    assert world.watch.problem == ""


def test_accounts_register_again_once_however_long_the_other_profile_takes(world: World) -> None:
    world.profiles.bound["inside"] = NEW
    world.profiles.configured["inside"] = OLD
    world.see(DOWN, BEFORE)
    for _ in range(5):
        world.step(1)
    assert world.profiles.restarted == ["inside"]
    assert world.registered_again == 1


def test_a_profile_that_gave_up_is_started_when_its_address_is_back(world: World) -> None:
    world.profiles.configured["providers"] = OLD
    world.see(AFTER)
    assert world.profiles.restarted == []
    del world.profiles.bound["providers"]
    world.see(BEFORE)
    assert world.profiles.restarted == ["providers"]


def test_a_restart_that_is_refused_is_tried_again(world: World, caplog: pytest.LogCaptureFixture) -> None:
    # Both profiles, twice.
    world.profiles.failures.extend([CommandRefused("sofia", "must be up for at least 10 seconds")] * 4)
    world.see(AFTER)
    world.step(1)
    assert world.profiles.restarted == []
    world.step(1)
    assert world.profiles.restarted == ["providers"]
    assert caplog.text.count("must be up for at least 10 seconds") == 2


def test_a_restart_is_given_time_and_then_tried_again(world: World) -> None:
    world.see(AFTER)
    for _ in range(14):
        world.step(1)
    assert world.profiles.restarted == ["providers"]
    world.step(1)
    assert world.profiles.restarted == ["providers", "providers"]


def test_what_changed_without_a_switch_is_done_when_there_is_one(world: World) -> None:
    world.profiles.failures.extend([SwitchLost("gone")] * 5)
    world.see(DOWN, BEFORE)
    for _ in range(4):
        world.step(1)
    assert world.registered_again == 0
    world.step(1)
    assert world.registered_again == 1


def test_a_configuration_that_names_no_address_is_reported_once(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.profiles.configured["providers"] = None
    caplog.set_level(logging.ERROR)
    world.see(AFTER)
    world.see(dataclasses.replace(AFTER, addresses=AFTER.addresses | {"192.0.2.30"}))
    assert [record.message for record in caplog.records] == [
        f"sofia profile providers is bound to {OLD}, which this host no longer has; its configured address is "
        "chosen by FreeSWITCH: no calls until the address is back"
    ]

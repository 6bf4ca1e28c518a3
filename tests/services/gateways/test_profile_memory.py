"""The memory of deleted gateways is counted, stored, and reported when it is large."""

from __future__ import annotations

import logging

import pytest
from services_examples import LOST_MEMORY_WARNING_MB, Services, account, pool

from sipbridge.core.calls.events import GatewayDeleted, ProfileStarted
from sipbridge.services.gateways.profile_memory import GATEWAY_BYTES

MANY = LOST_MEMORY_WARNING_MB * 1_000_000 // GATEWAY_BYTES + 1


def change(services: Services, secret: str) -> None:
    """Have the gateway of alice replaced."""
    line = services.line("alice")
    line.pool.replace(line, account("alice", secret))
    services.keeper.on_account_changed(line)
    services.settle()
    services.switch.delete_marked()
    services.settle()


@pytest.fixture
def services() -> Services:
    made = Services(pool("alice"))
    made.connect_and_register()
    return made


def test_every_gateway_that_goes_is_counted_and_the_count_is_kept(services: Services) -> None:
    change(services, "second")
    change(services, "third")
    memory = services.keeper.memory
    assert (memory.lost_gateways, memory.lost_bytes) == (2, 2 * GATEWAY_BYTES)
    assert services.switch.lost == 2
    before = services.switch.count("keep_lost_gateways")
    services.settle()
    assert services.switch.count("keep_lost_gateways") == before, "told only when it is another"


def test_a_gateway_that_was_not_there_and_those_of_others_are_not_counted(services: Services) -> None:
    for name in ("sipbridge.nobody.0", "external-trunk"):
        services.switch.events.append(GatewayDeleted(name))
    services.step()
    assert services.keeper.memory.lost_gateways == 0


def test_an_event_that_is_told_twice_counts_once(services: Services) -> None:
    name = services.gateway_name("alice")
    services.disconnect()
    services.switch.during("gateways", lambda: services.session.on_switch_event(GatewayDeleted(name)))
    services.connect()
    assert services.keeper.memory.lost_gateways == 1


def test_the_count_is_taken_up_again_by_the_next_daemon() -> None:
    services = Services(pool("alice"))
    services.switch.lost = 1_000
    services.connect()
    assert services.keeper.memory.lost_gateways == 1_000


def test_a_restart_of_the_profile_gives_all_back(services: Services) -> None:
    change(services, "second")
    services.switch.events.append(ProfileStarted("inside"))
    services.step()
    assert services.keeper.memory.lost_gateways == 1, "another profile"
    services.switch.up.clear()
    services.switch.events.append(ProfileStarted("providers"))
    services.step()
    services.step(1.0)
    assert (services.keeper.memory.lost_gateways, services.switch.lost) == (0, 0)


def test_much_is_told_and_again_when_it_has_doubled(services: Services, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    memory = services.keeper.memory
    told = []
    for number in range(1, 4 * MANY + 1):
        memory.note_deleted()
        memory.step()
        if len(caplog.records) > len(told):
            told.append(number)
    assert told == [pytest.approx(MANY * factor, abs=4) for factor in (1, 2, 4)]
    assert "sofia profile providers restart" in caplog.text

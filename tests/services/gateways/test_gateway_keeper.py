"""Accounts get their gateways at the right pace and in the right order, whatever happens to them."""

from __future__ import annotations

import dataclasses
import logging
from collections import Counter
from collections.abc import Callable
from itertools import pairwise

import pytest
from services_examples import CONFIRM_TIMEOUT_S, Services, account, policy, pool

from sipbridge.core.calls.events import GatewayAdded, GatewayDeleted, GatewayStateChanged, ProfileStarted
from sipbridge.core.gateways.gateway import gateway_for
from sipbridge.core.gateways.registration import Registration, RegistrationStatus
from sipbridge.ports import CommandRefused, NotSent, SwitchLost, Unconfirmed

IN_PROGRESS = Registration(RegistrationStatus.IN_PROGRESS)
REGISTERED = Registration(RegistrationStatus.REGISTERED)
FORBIDDEN = Registration(RegistrationStatus.FAILED, "403 Forbidden")
NONE = Registration()
SHUTDOWN_S = 60.0
REFUSED = CommandRefused("rescan", "Reload XML [[error near line 18]: ...]")


# From nothing to registered


def test_every_account_gets_a_gateway_and_becomes_available_when_it_is_registered() -> None:
    services = Services()
    services.connect()
    assert services.keeper.gateway_of(services.line("alice")) is None
    services.settle()
    assert [gateway.username for gateway in services.switch.added] == ["alice", "bob"]
    assert services.line("alice").registration == IN_PROGRESS
    assert services.keeper.gateway_of(services.line("alice")) == services.gateway_name("alice")
    assert not services.line("alice").is_available
    services.register("alice")
    assert services.line("alice").is_available
    assert not services.line("bob").is_available


def test_an_account_that_need_not_register_is_ready_when_its_gateway_is_there() -> None:
    services = Services(pool("alice", with_=policy(registration_required=False)))
    services.connect()
    assert services.line("alice").registration == NONE
    assert not services.line("alice").is_available
    services.step()
    assert services.line("alice").registration == REGISTERED
    assert services.line("alice").is_available


def test_an_account_that_need_not_register_takes_no_calls_while_its_gateway_is_replaced() -> None:
    services = Services(pool("alice", with_=policy(registration_required=False)))
    services.connect()
    services.settle()
    line = services.line("alice")
    line.pool.replace(line, account("alice", secret="another"))
    services.keeper.on_account_changed(line)
    assert not line.is_available
    services.settle()
    services.switch.delete_marked()
    services.step()
    services.settle()
    assert line.is_available
    assert services.keeper.gateway_of(line) == services.gateway_name("alice")


def test_what_is_there_already_is_not_added_again() -> None:
    before = Services()
    before.connect_and_register()
    services = Services(switch=before.switch)
    services.connect()
    for _ in range(4):
        services.step(30.0)
    assert len(services.switch.added) == 2
    assert not services.switch.removed
    assert services.line("alice").registration == REGISTERED


def test_gateways_of_others_are_left_alone() -> None:
    services = Services()
    services.switch.up.add("carrier.main")
    services.connect_and_register()
    services.switch.events.append(GatewayAdded("carrier.second"))
    for _ in range(4):
        services.step(30.0)
    assert not services.switch.removed
    assert services.keeper.pending_removals == 0


# States


def test_a_refresh_keeps_an_account_available() -> None:
    services = Services()
    services.connect_and_register()
    for state in ("TRYING", "REGISTER", "REGED"):
        services.state(services.gateway("alice"), state)
        assert services.line("alice").is_available


def test_a_failure_keeps_its_reason_until_a_retry_succeeds() -> None:
    services = Services()
    services.connect()
    services.settle()
    alice = services.gateway("alice")
    services.state(alice, "TRYING")
    services.state(alice, "FAILED", "403", "Forbidden")
    for state in ("FAIL_WAIT", "UNREGED", "TRYING", "REGISTER"):
        services.state(alice, state)
        assert services.line("alice").registration == FORBIDDEN
    services.state(alice, "REGED")
    assert services.line("alice").registration == REGISTERED


def test_a_failure_keeps_its_reason_over_a_lost_connection() -> None:
    services = Services()
    services.connect()
    services.settle()
    services.state(services.gateway("alice"), "FAILED", "403", "Forbidden")
    services.disconnect()
    services.connect()
    assert services.line("alice").registration == FORBIDDEN
    services.disconnect()
    services.register("alice")
    services.connect()
    assert services.line("alice").registration == REGISTERED


def test_a_failure_is_logged_once_and_so_is_its_end(caplog: pytest.LogCaptureFixture) -> None:
    services = Services()
    services.connect()
    services.settle()
    caplog.set_level(logging.INFO)
    alice = services.gateway("alice")
    for _ in range(3):
        for state, status, phrase in (
            ("TRYING", "", ""),
            ("FAILED", "503", "Service Unavailable"),
            ("FAIL_WAIT", "", ""),
        ):
            services.state(alice, state, status, phrase)
    services.state(alice, "REGED")
    assert [record.getMessage() for record in caplog.records] == [
        "account sip:alice@provider.example.net cannot register: 503 Service Unavailable",
        "account sip:alice@provider.example.net: OK",
    ]


# Order


def _changed(switch_of: Services, **differing: object) -> Services:
    """The controller is started again with another definition of its accounts."""
    return Services(pool("alice", "bob", with_=policy(**differing)), switch=switch_of.switch)


def test_a_changed_account_is_added_only_after_its_old_gateway_is_deleted() -> None:
    before = Services()
    before.connect_and_register()
    old = {gateway.name for gateway in before.gateways()}
    services = _changed(before, registration_required=False)
    services.connect()
    for _ in range(8):
        services.step(0.25)
        assert len(services.switch.added) == 2
    assert set(services.switch.removed) == old
    services.switch.delete_marked()
    services.switch.deliver()
    services.step(0.25)
    assert len(services.switch.added) == 4
    assert services.line("alice").is_available
    assert services.keeper.pending_removals == 0


def test_a_changed_account_is_added_when_its_old_gateway_has_unregistered() -> None:
    services = Services(pool("alice"))
    services.connect_and_register()
    line, old = services.line("alice"), services.gateway("alice")
    line.pool.replace(line, account("alice", secret="another"))
    services.keeper.on_account_changed(line)
    services.settle()
    assert services.switch.removed == [old.name]
    assert services.gateways() == [old]
    services.state(old, "DOWN")
    services.settle()
    new = services.gateway("alice")
    assert new.password == "another"
    services.switch.delete_marked()
    services.settle()
    services.register("alice")
    assert services.keeper.gateway_of(line) == new.name
    assert line.is_available
    assert services.keeper.pending_removals == 0


def test_the_old_gateway_is_waited_for_even_when_the_event_of_its_deletion_is_lost() -> None:
    before = Services()
    before.connect_and_register()
    services = _changed(before, registration_required=False)
    services.connect()
    services.settle()
    services.switch.delete_marked()
    services.switch.events.clear()
    services.step(CONFIRM_TIMEOUT_S - 1)
    assert len(services.switch.added) == 2
    services.step(1)
    assert len(services.switch.added) == 4


def test_a_removal_that_was_lost_is_asked_for_again() -> None:
    before = Services()
    before.connect_and_register()
    services = _changed(before, registration_required=False)
    services.connect()
    services.settle()
    services.switch.deleting.clear()
    services.step(CONFIRM_TIMEOUT_S)
    services.step(0.25)
    assert len(services.switch.removed) == 4
    assert len(services.switch.added) == 2


def test_an_account_that_waits_for_its_old_gateway_takes_nothing_of_the_pace() -> None:
    before = Services(pool("alice"))
    before.connect_and_register()
    # Another interval is no other definition, another pool is.
    services = Services(
        pool("alice", "bob", with_=policy("Other", registration_interval_ms=10_000)), switch=before.switch
    )
    services.connect()
    services.settle()
    assert [gateway.username for gateway in services.switch.added] == ["alice", "bob"]
    services.switch.delete_marked()
    services.switch.deliver()
    services.step(10.0)
    assert [gateway.username for gateway in services.switch.added] == ["alice", "bob", "alice"]


def test_a_gateway_that_is_removed_by_somebody_else_is_added_again() -> None:
    services = Services()
    services.connect_and_register()
    name = services.gateway_name("alice")
    services.switch.remove_gateway(name)
    services.switch.delete_marked()
    services.switch.deliver()
    assert services.line("alice").registration == NONE
    assert services.keeper.gateway_of(services.line("alice")) is None
    services.step()
    assert [gateway.name for gateway in services.switch.added].count(name) == 2
    assert services.line("alice").registration == IN_PROGRESS


# Pace


def test_registrations_keep_the_interval_of_their_pool() -> None:
    slow = pool("a", "b", "c", with_=policy("Slow", registration_interval_ms=1_000))
    fast = pool("x", "y", "z", with_=policy("Fast"))
    services = Services(slow, fast)
    services.connect()
    added: list[set[str]] = []
    for _ in range(13):
        services.step(0.25)
        added.append({gateway.username for gateway in services.switch.added if gateway.pool == "Slow"})
    assert [len(each) for each in added] == [1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 3]
    assert {gateway.username for gateway in services.switch.added if gateway.pool == "Fast"} == {"x", "y", "z"}


def test_without_an_interval_the_settings_limit_registrations() -> None:
    services = Services(pool(*(f"u{number}" for number in range(100))), max_registrations_per_s=16)
    services.connect()
    for step in range(1, 9):
        services.step(0.25)
        assert len(services.switch.added) == 1 + 4 * (step - 1)


def test_a_pool_that_is_all_changed_is_replaced_account_by_account() -> None:
    lines = pool(*(f"u{number}" for number in range(64)))
    services = Services(lines, max_registrations_per_s=16)
    services.connect()
    for _ in range(4 * 5):
        services.step(0.25)
    services.register()
    for line in lines:
        lines.replace(line, dataclasses.replace(line.account, secret="another"))
        services.keeper.on_account_changed(line)
    away: list[int] = []
    while services.keeper.pending_removals or len(services.switch.added) < 128:
        services.step(0.25)
        if len(away) % 4 == 0:
            services.switch.delete_marked()
        away.append(len(services.switch.removed) - (len(services.switch.added) - 64))
    assert max(away) <= 2 * 16, "accounts that had no gateway at a time"
    assert len(away) == pytest.approx(4 * 128 / 16, abs=6), "quarters of a second, at 16 changes a second"


def test_what_is_left_to_remove_keeps_its_pace_over_a_lost_connection() -> None:
    lines = pool("a", "b", "c", with_=policy(registration_interval_ms=2_000))
    services = Services(lines)
    services.connect()
    for _ in range(3):
        services.step(2.0)
    for line in list(lines):
        lines.remove(line)
        services.keeper.on_account_removed(line)
    services.disconnect()
    services.connect()
    removed = []
    for _ in range(5):
        services.step(1.0)
        removed.append(len(services.switch.removed))
    assert removed == [0, 1, 1, 2, 2]


def test_gateways_that_do_not_register_are_added_without_a_pause_in_between() -> None:
    users = [f"user{number}" for number in range(4_500)]
    services = Services(pool(*users, with_=policy(registration_required=False)), pool("alice", with_=policy("Other")))
    services.connect()
    assert [services.keeper.step() for _ in range(4)] == [True, True, False, False]
    assert len(services.switch.added) == 4_501


def test_gateways_that_wait_for_others_to_go_are_not_waited_for_without_a_pause() -> None:
    services = Services(pool("alice", with_=policy(registration_required=False)))
    services.connect()
    services.settle()
    line = services.line("alice")
    line.pool.replace(line, account("alice", secret="another"))
    services.keeper.on_account_changed(line)
    assert not services.keeper.step()


def test_gateways_that_do_not_register_go_at_once() -> None:
    lines = pool(*(f"u{number}" for number in range(100)), with_=policy(registration_required=False))
    services = Services(lines, max_registrations_per_s=1)
    services.connect()
    services.settle()
    assert len(services.switch.added) == 100


# Failures


@pytest.mark.parametrize(
    "error", [REFUSED, OSError("no space left"), Unconfirmed("lost"), NotSent("lost")], ids=lambda each: repr(each)[:12]
)
def test_what_fails_is_logged_once_and_tried_again_ever_more_seldom(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    services = Services(pool("alice"))
    services.connect()
    services.switch.fail("add_gateways", *[error] * 5)
    start, tries = services.clock.now, []
    while len(tries) < 6:
        before = services.switch.count("add_gateways")
        services.step(0.25)
        if services.switch.count("add_gateways") > before:
            tries.append(services.clock.now - start)
    assert [after - before for before, after in pairwise(tries)] == [1.0, 2.0, 4.0, 8.0, 16.0]
    assert len(services.switch.added) == 1
    assert [record.levelname for record in caplog.records] == ["ERROR"]


def test_gateways_that_the_switch_does_not_take_are_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    services = Services(pool("alice"))
    services.switch.takes_gateways = False
    services.connect()
    services.settle()
    services.step(CONFIRM_TIMEOUT_S - 1)
    assert services.switch.count("add_gateways") == 1
    services.step(1)
    assert services.switch.count("add_gateways") == 2
    assert services.gateway_name("alice") in caplog.text
    assert "secret" not in caplog.text
    services.switch.takes_gateways = True
    services.step(CONFIRM_TIMEOUT_S)
    services.register()
    assert services.line("alice").is_available


def test_a_gateway_whose_event_was_lost_is_found_by_asking() -> None:
    services = Services()
    services.connect()
    for _ in range(2):
        services.clock.advance(0.25)
        services.keeper.step()
        services.switch.events.clear()
    alice, bob = services.gateways()
    services.switch.down.discard(alice.name)
    services.switch.up.add(alice.name)
    services.step(CONFIRM_TIMEOUT_S)
    assert services.line("alice").registration == REGISTERED
    assert services.line("bob").registration == IN_PROGRESS
    assert len(services.switch.added) == 2
    assert bob.name in services.switch.down


def test_nothing_is_changed_while_there_is_no_connection() -> None:
    services = Services(pool("alice"))
    services.connect()
    services.disconnect()
    services.step(60.0)
    assert services.switch.count("add_gateways") == 0
    services.connect()
    services.settle()
    assert services.switch.count("add_gateways") == 1


def test_a_link_that_breaks_in_the_middle_of_a_rescan_adds_what_is_missing_after_the_next() -> None:
    services = Services()
    services.connect()
    services.switch.during("add_gateways", services.disconnect)
    services.switch.fail("add_gateways", Unconfirmed("lost"))
    services.step()
    services.step(60.0)
    assert services.switch.count("add_gateways") == 1
    services.connect()
    services.settle()
    assert sorted(gateway.username for gateway in services.switch.added) == ["alice", "bob"]


def test_a_rescan_whose_answer_was_lost_is_found_to_have_been_carried_out() -> None:
    services = Services()
    services.connect()
    services.settle()
    services.switch.events.clear()
    services.disconnect()
    services.connect()
    services.step(60.0)
    assert len(services.switch.added) == 2
    assert services.line("alice").registration == IN_PROGRESS


# What happens while a reconciliation asks


def _registers(services: Services) -> None:
    services.register("alice")


def _fails(services: Services) -> None:
    services.state(services.gateway("alice"), "FAILED", "403", "Forbidden")


def _is_deleted(services: Services) -> None:
    services.switch.remove_gateway(services.gateway_name("alice"))
    services.switch.delete_marked()
    services.switch.deliver()


@pytest.mark.parametrize(
    ("happening", "registration"),
    [(_registers, REGISTERED), (_fails, FORBIDDEN), (_is_deleted, NONE)],
    ids=["registers", "fails", "is deleted"],
)
def test_an_event_that_arrives_while_reconciling_is_newer_than_the_answer(
    happening: Callable[[Services], None], registration: Registration
) -> None:
    services = Services()
    services.connect()
    services.settle()
    services.disconnect()
    services.switch.during("gateways", lambda: happening(services))
    services.connect()
    assert services.line("alice").registration == registration
    present = services.keeper.gateway_of(services.line("alice")) is not None
    assert present == (services.gateway_name("alice") in services.switch.up | services.switch.down)
    services.step()
    assert services.keeper.gateway_of(services.line("alice")) is not None


def test_a_gateway_that_is_added_while_reconciling_is_not_added_twice() -> None:
    services = Services(pool("alice"))
    services.connect()
    services.settle()
    gateway = services.gateway("alice")
    services.disconnect()
    services.switch.down.clear()

    def arrives() -> None:
        services.switch.down.add(gateway.name)
        services.switch.events.append(GatewayAdded(gateway.name))
        services.switch.deliver()

    services.switch.during("gateways", arrives)
    services.connect()
    services.step(60.0)
    assert len(services.switch.added) == 1


def test_a_profile_that_starts_while_reconciling_is_asked_again() -> None:
    services = Services()
    services.connect()
    services.settle()
    services.register()
    services.disconnect()

    def restarts() -> None:
        services.switch.up.clear()
        services.session.on_switch_event(ProfileStarted("providers"))

    services.switch.during("gateways", restarts)
    services.connect()
    assert services.line("alice").registration == REGISTERED
    services.settle()
    assert services.line("alice").registration == IN_PROGRESS
    assert len(services.switch.added) == 4


def test_a_reconciliation_that_fails_is_done_again() -> None:
    services = Services()
    services.connect_and_register()
    services.switch.up.clear()
    services.session.on_switch_event(ProfileStarted("providers"))
    services.switch.fail("gateway_salt", NotSent("50000 commands wait"))
    services.settle()
    assert len(services.switch.added) == 2
    services.step(1.0)
    services.settle()
    assert len(services.switch.added) == 4


def test_an_answer_that_overtakes_the_note_that_it_is_waited_for_is_asked_for_again() -> None:
    services = Services()
    services.connect()
    services.settle()
    alice = services.gateway_name("alice")

    def tell(state: str, status: str = "") -> None:
        services.session.on_switch_event(GatewayStateChanged(alice, state, status, ""))

    # As it should be, and again at the next refresh.
    for _ in range(2):
        tell("TRYING")
        tell("REGISTER", "200")
        tell("REGED")
    assert services.switch.registered == []
    tell("REGISTER", "200")
    tell("TRYING")
    assert services.switch.registered == [alice]
    tell("TRYING")
    assert services.switch.registered == [alice]


# Restarts of the switch


def test_a_profile_restart_brings_all_gateways_back() -> None:
    services = Services()
    services.connect_and_register()
    services.switch.up.clear()
    services.session.on_switch_event(ProfileStarted("providers"))
    services.settle()
    services.register()
    assert len(services.switch.added) == 4
    assert services.line("alice").is_available


def test_while_a_profile_restarts_nothing_can_be_added_and_after_it_no_time_is_lost() -> None:
    services = Services()
    services.connect_and_register()
    for gateway in services.gateways():
        services.switch.up.discard(gateway.name)
        services.switch.events.append(GatewayDeleted(gateway.name))
    services.switch.fail("add_gateways", *[CommandRefused("rescan", "Invalid Profile [providers]")] * 3)
    services.switch.deliver()
    assert not services.line("alice").is_available
    for _ in range(3 * 4):
        services.step(0.25)
    assert services.switch.failures["add_gateways"]
    services.switch.failures.clear()
    services.session.on_switch_event(ProfileStarted("providers"))
    services.step(0.25)
    services.step(0.25)
    assert len(services.switch.added) == 4


def test_a_profile_that_is_not_running_has_no_gateways() -> None:
    services = Services()
    services.connect_and_register()
    services.disconnect()
    services.switch.fail("gateways", CommandRefused("gwlist", "Invalid Profile [providers]"))
    services.connect()
    assert not services.line("alice").is_available
    assert services.keeper.gateway_of(services.line("alice")) is None


def test_after_a_restart_of_the_switch_all_gateways_have_new_names() -> None:
    services = Services()
    services.connect_and_register()
    old = services.gateways()
    services.disconnect()
    services.switch.up.clear()
    services.switch.salt = b"another"
    services.connect()
    assert services.keeper.account_behind(old[0].name) is None
    services.settle()
    assert {gateway.account_id for gateway in services.switch.added[2:]} == {gateway.account_id for gateway in old}
    assert not {gateway.name for gateway in services.switch.added[2:]} & {gateway.name for gateway in old}
    services.session.on_switch_event(GatewayStateChanged(old[0].name, "REGED", "", ""))
    assert services.line("alice").registration == IN_PROGRESS


def test_gateways_named_with_another_key_are_removed_first() -> None:
    services = Services()
    services.connect_and_register()
    old = {gateway.name for gateway in services.gateways()}
    services.disconnect()
    services.switch.salt = b"another"
    services.connect()
    services.settle()
    assert set(services.switch.removed) == old
    assert len(services.switch.added) == 2
    services.switch.delete_marked()
    services.switch.deliver()
    services.settle()
    assert len(services.switch.added) == 4


# Shutdown


def test_shutdown_removes_the_gateways_of_the_pools_that_unregister() -> None:
    services = Services(
        pool("alice", with_=policy("Leaves")), pool("bob", with_=policy("Stays", unregister_on_shutdown=False))
    )
    services.connect_and_register()
    services.keeper.begin_shutdown(SHUTDOWN_S)
    assert services.keeper.pending_removals == 1
    services.settle()
    assert services.switch.removed == [services.gateway_name("alice")]
    assert services.keeper.pending_removals == 1
    services.switch.delete_marked()
    services.switch.deliver()
    assert services.keeper.pending_removals == 0
    services.step(60.0)
    assert services.switch.up == {services.gateway_name("bob")}


def test_shutdown_keeps_the_interval_of_the_pool() -> None:
    services = Services(pool("a", "b", "c", with_=policy(registration_interval_ms=2_000)))
    services.connect()
    for _ in range(3):
        services.step(2.0)
    services.keeper.begin_shutdown(SHUTDOWN_S)
    removed = []
    for _ in range(5):
        services.step(1.0)
        removed.append(len(services.switch.removed))
    assert removed == [0, 1, 1, 2, 2]


def test_shutdown_is_quicker_than_the_pace_of_a_pool_where_it_has_to_be() -> None:
    slow = pool(*(f"s{number}" for number in range(100)), with_=policy("Slow", registration_interval_ms=2_000))
    fast = pool(*(f"f{number}" for number in range(3_000)), with_=policy("Fast"))
    services = Services(slow, fast, max_registrations_per_s=1_000)
    services.switch.down = {
        gateway_for(line.id, line.account, each.policy, services.switch.salt, 600).name
        for each in (slow, fast)
        for line in each
    }
    services.connect()
    services.keeper.begin_shutdown(10.0)
    removed = []
    for _ in range(4 * 8):
        services.step(0.25)
        removed.append(Counter(name.split(".")[1][0] for name in services.switch.removed))
    assert removed[0].total() < 300
    # The quick pool does not wait for the slow one, and keeps its own pace.
    assert removed[4 * 3] == {"s": pytest.approx(3 / 7 * 100, abs=5), "f": 3_000}
    assert removed[-1] == {"s": 100, "f": 3_000}


def test_no_account_that_changes_during_a_shutdown_is_added() -> None:
    services = Services()
    services.connect_and_register()
    services.keeper.begin_shutdown(SHUTDOWN_S)
    line = services.line("alice")
    line.pool.replace(line, account("alice", "another secret"))
    services.keeper.on_account_changed(line)
    services.keeper.on_account_changed(line.pool.add(account("carol")))
    for _ in range(8):
        services.step(1.0)
        services.switch.delete_marked()
    assert len(services.switch.added) == 2
    assert not services.switch.up | services.switch.down
    assert services.keeper.pending_removals == 0


def test_shutdown_adds_nothing_that_was_still_missing() -> None:
    services = Services(pool("a", "b", with_=policy(registration_interval_ms=60_000)))
    services.connect()
    services.settle()
    services.keeper.begin_shutdown(SHUTDOWN_S)
    services.step(60.0)
    assert [gateway.username for gateway in services.switch.added] == ["a"]


def test_shutdown_waits_for_what_is_just_being_added_and_removes_it() -> None:
    services = Services(pool("alice"))
    services.connect()
    pending: list[int] = []

    def shut_down() -> None:
        services.keeper.begin_shutdown(SHUTDOWN_S)
        pending.append(services.keeper.pending_removals)

    services.switch.during("add_gateways", shut_down)
    services.step()
    assert pending == [1]
    services.step(0.25)
    assert services.switch.removed == [services.gateway_name("alice")]
    services.switch.delete_marked()
    services.switch.deliver()
    assert services.keeper.pending_removals == 0


def test_shutdown_forgets_what_could_not_be_added() -> None:
    services = Services(pool("alice"))
    services.connect()
    services.switch.during("add_gateways", lambda: services.keeper.begin_shutdown(SHUTDOWN_S))
    services.switch.fail("add_gateways", REFUSED)
    services.step()
    services.step(60.0)
    assert services.switch.count("add_gateways") == 1
    assert services.keeper.pending_removals == 0


def test_shutdown_does_not_wait_for_ever_for_a_gateway_that_is_never_taken() -> None:
    services = Services(pool("alice"))
    services.switch.takes_gateways = False
    services.connect()
    services.settle()
    services.keeper.begin_shutdown(SHUTDOWN_S)
    assert services.keeper.pending_removals == 1
    services.step(CONFIRM_TIMEOUT_S)
    assert services.keeper.pending_removals == 0
    asked = services.switch.count("gateways")
    services.step(60.0)
    assert services.switch.count("gateways") == asked


# Calls and accounts


def test_the_account_behind_a_gateway_is_known_by_its_name() -> None:
    services = Services()
    services.connect_and_register()
    name = services.gateway_name("alice")
    assert services.keeper.account_behind(name) == services.line("alice").account.uri
    assert services.keeper.account_behind("carrier.main") is None


def test_accounts_of_two_pools_with_one_user_are_told_apart() -> None:
    services = Services(pool("alice", with_=policy("One")), pool("alice", with_=policy("Two")))
    services.connect_and_register()
    one, two = services.gateways()
    assert one.name != two.name
    services.state(one, "FAILED", "403", "Forbidden")
    lines = [line for each in services.pools.values() for line in each]
    assert [line.is_available for line in lines] == [False, True]


def test_a_link_that_is_lost_while_reconciling_leaves_nothing_half_done() -> None:
    services = Services()
    services.switch.fail("gateways", SwitchLost("lost"))
    with pytest.raises(SwitchLost):
        services.connect()
    services.step(60.0)
    assert services.switch.count("add_gateways") == 0
    services.connect()
    services.settle()
    assert len(services.switch.added) == 2


def test_a_link_that_is_lost_while_thousands_are_compared_ends_the_comparison() -> None:
    users = [f"user{number}" for number in range(2_000)]
    services = Services(pool(*users, with_=policy(registration_required=False)))
    services.connect()
    services.settle()
    services.keeper.on_profile_started(ProfileStarted("providers"))
    services.switch.up.clear()
    before = services.scheduler.breaths
    services.scheduler.at_breath = services.disconnect
    services.step()
    assert services.scheduler.breaths == before + 1

    # The next link finds out what the one before did not.
    services.scheduler.at_breath = lambda: None
    services.connect()
    services.settle()
    services.settle()
    assert services.pools["Pool"].available_count == 2_000


def test_thousands_of_gateways_that_should_not_be_there_are_noted_in_slices() -> None:
    services = Services(pool("alice"))
    services.switch.up = {f"sipbridge.gone{number}.0" for number in range(2_000)}
    services.connect()
    assert services.scheduler.breaths == 4
    assert services.keeper.pending_removals == 2_000


# Registering again


def test_accounts_register_again_at_the_pace_of_their_pool() -> None:
    slow = policy(registration_interval_ms=2_000)
    services = Services(pool("alice", "bob", "carol", with_=slow))
    services.connect()
    for _ in range(8):
        services.step(1.0)
    services.register()
    assert services.keeper.register_again() == 3
    services.step(10.0)
    assert len(services.switch.registered) == 1
    services.step(1.9)
    assert len(services.switch.registered) == 1
    for _ in range(4):
        services.step(1.0)
    assert set(services.switch.registered) == {services.gateway_name(user) for user in ("alice", "bob", "carol")}
    services.step(60.0)
    assert len(services.switch.registered) == 3


def test_thousands_register_again_and_all_of_them() -> None:
    services = Services(pool(*(f"user{number}" for number in range(5_000))))
    services.connect()
    for _ in range(20):
        services.step(1.0)
    services.register()
    assert services.keeper.register_again() == 5_000
    for _ in range(20):
        services.step(1.0)
    assert len(services.switch.registered) == len(set(services.switch.registered)) == 5_000


def test_only_what_is_there_and_registers_does_so_again() -> None:
    services = Services(pool("alice", "bob"), pool("carol", with_=policy("Trunk", registration_required=False)))
    services.connect_and_register()
    services.keeper.register_again()
    services.state(services.gateway("bob"), "FAILED", "403", "Forbidden")
    services.settle()
    services.switch.delete_marked()
    services.step()
    assert services.switch.registered == [services.gateway_name("alice")]


def test_accounts_register_again_after_the_link_is_back() -> None:
    services = Services()
    services.connect_and_register()
    services.disconnect()
    services.keeper.register_again()
    services.settle()
    assert not services.switch.registered
    services.connect()
    services.settle()
    assert len(services.switch.registered) == 2

"""Accounts come, change and go while the switch runs; refused ones wait. Nothing else is touched."""

from __future__ import annotations

import dataclasses

import pytest
from memory_switch import MemorySwitch
from services_examples import BY_ALIAS, Services, account, policy, pool

from sipbridge.core.accounts.account import AccountId
from sipbridge.core.gateways.refusals import FIRST_RETRY_S, LONGEST_RETRY_S, Refusals
from sipbridge.core.gateways.registration import RegistrationStatus
from sipbridge.core.pools.account_pool import AccountPool


@pytest.fixture
def services() -> Services:
    """Alice and Bob are registered."""
    services = Services()
    services.connect_and_register()
    services.switch.log.clear()
    services.switch.added.clear()
    return services


def change(services: Services, user: str, **differing: object) -> None:
    line = services.line(user)
    line.pool.replace(line, dataclasses.replace(line.account, **differing))  # type: ignore[arg-type]
    services.keeper.on_account_changed(line)


def test_a_new_account_gets_a_gateway(services: Services) -> None:
    line = services.pools["Pool"].add(account("carol"))
    services.keeper.on_account_changed(line)
    services.step(1.0)
    assert [gateway.username for gateway in services.switch.added] == ["carol"]
    services.register("carol")
    assert line.is_available
    assert services.switch.count("remove_gateway") == 0


@pytest.mark.parametrize("breath", [1, 4, 5, 7], ids=["named", "all named", "compared", "nearly done"])
def test_accounts_may_come_change_and_go_while_thousands_of_gateways_are_looked_at(breath: int) -> None:
    users = [f"user{number}" for number in range(2_000)]
    services = Services(pool(*users, with_=policy(registration_required=False)))

    def meanwhile() -> None:
        if services.scheduler.breaths != breath:
            return
        for user in ("user0", "user1999"):
            change(services, user, secret="new")
        for user in ("user1", "user1998"):
            line = services.line(user)
            services.pools["Pool"].remove(line)
            services.keeper.on_account_removed(line)
        services.keeper.on_account_changed(services.pools["Pool"].add(account("carol")))

    services.scheduler.at_breath = meanwhile
    services.connect()
    services.settle()

    assert services.scheduler.breaths >= 7
    passwords = {gateway.username: gateway.password for gateway in services.switch.added}
    assert passwords.keys() == {*users, "carol"} - {"user1", "user1998"}
    assert len(services.switch.added) == len(passwords)
    assert {user for user, password in passwords.items() if password == "new"} == {"user0", "user1999"}
    assert services.pools["Pool"].available_count == len(passwords)
    assert services.switch.removed == []


def test_an_account_that_is_gone_loses_its_gateway(services: Services) -> None:
    line = services.line("alice")
    name = services.keeper.gateway_of(line)
    services.pools["Pool"].remove(line)
    services.keeper.on_account_removed(line)
    services.step(1.0)
    assert services.switch.removed == [name]
    services.switch.delete_marked()
    services.step(1.0)
    assert services.switch.added == []
    assert services.keeper.pending_removals == 0


def test_a_changed_secret_rotates_the_gateway_after_the_old_one_is_gone(services: Services) -> None:
    old = services.keeper.gateway_of(services.line("alice"))
    change(services, "alice", secret="new")
    assert not services.line("alice").is_available
    services.step(1.0)
    services.step(1.0)
    assert services.switch.removed == [old]
    assert services.switch.added == [], "while the old one is there"
    services.switch.delete_marked()
    services.step(1.0)
    services.step(1.0)
    assert [gateway.password for gateway in services.switch.added] == ["new"]
    services.register()
    assert services.line("alice").is_available


def test_what_freeswitch_need_not_know_touches_no_gateway(services: Services) -> None:
    change(services, "alice", alias=None)
    services.step(1.0)
    assert services.switch.added == []
    assert services.switch.removed == []
    assert services.line("alice").is_available


def test_an_account_that_comes_and_goes_at_once_leaves_nothing(services: Services) -> None:
    line = services.pools["Pool"].add(account("carol"))
    services.keeper.on_account_changed(line)
    services.pools["Pool"].remove(line)
    services.keeper.on_account_removed(line)
    services.step(1.0)
    assert services.switch.added == []
    assert services.keeper.pending_removals == 0


def test_a_change_that_is_taken_back_before_anything_happened_touches_nothing(services: Services) -> None:
    change(services, "alice", secret="new")
    change(services, "alice", secret="secret")
    services.step(1.0)
    assert services.switch.removed == []
    assert services.switch.added == []
    assert services.line("alice").is_available


def test_accounts_of_the_time_before_the_first_connection_get_their_gateways_with_it() -> None:
    services = Services(pool())
    line = services.pools["Pool"].add(account("carol"))
    services.keeper.on_account_changed(line)
    services.connect()
    services.settle()
    assert [gateway.username for gateway in services.switch.added] == ["carol"]


# Refused ones


def refuse(services: Services, user: str) -> None:
    services.state(services.gateway(user), "FAILED", "403", "Forbidden")


def connected(*users: str) -> Services:
    services = Services(pool(*users))
    services.connect()
    services.settle()
    return services


def test_a_refused_account_is_taken_out_and_tries_again_ever_more_seldom() -> None:
    services = connected("alice", "bob")
    services.register("bob")
    for pause in (60.0, 120.0, 240.0):
        refuse(services, "alice")
        services.step(1.0)
        services.state(services.gateway("alice"), "DOWN")
        services.switch.delete_marked()
        services.switch.added.clear()
        services.step(pause - 2.0)
        assert services.switch.added == [], "too early"
        assert services.line("alice").registration.reason == "403 Forbidden"
        services.step(2.0)
        assert [gateway.username for gateway in services.switch.added] == ["alice"]
    assert services.line("bob").is_available


def test_a_refused_account_tries_at_once_with_another_secret() -> None:
    services = connected("alice")
    refuse(services, "alice")
    services.step(1.0)
    services.switch.delete_marked()
    services.step(1.0)
    change(services, "alice", secret="right")
    services.step(1.0)
    assert [gateway.password for gateway in services.gateways()] == ["right"]


def test_a_refused_account_that_is_accepted_later_starts_afresh() -> None:
    services = connected("alice")
    refuse(services, "alice")
    services.step(1.0)
    services.switch.delete_marked()
    services.step(1.0)
    services.step(60.0)
    services.register()
    assert services.line("alice").is_available
    refuse(services, "alice")
    services.step(1.0)
    services.switch.delete_marked()
    services.step(1.0)
    services.switch.added.clear()
    services.step(60.0)
    assert len(services.switch.added) == 1, "a minute, as the first time"


def test_what_is_not_a_refusal_is_left_to_freeswitch() -> None:
    services = connected("alice")
    services.state(services.gateway("alice"), "FAILED", "503", "Service Unavailable")
    services.step(1.0)
    assert services.switch.removed == []


def test_a_refused_account_stays_out_over_a_lost_connection() -> None:
    services = connected("alice")
    refuse(services, "alice")
    services.step(1.0)
    services.switch.delete_marked()
    services.step(1.0)
    services.switch.added.clear()
    services.disconnect()
    services.connect()
    services.step(1.0)
    assert services.switch.added == []
    assert services.line("alice").registration.status is not RegistrationStatus.REGISTERED
    services.step(60.0)
    assert len(services.switch.added) == 1


def test_refusals_wait_a_minute_then_twice_as_long_up_to_an_hour() -> None:
    refused = Refusals()
    one, other = AccountId("one"), AccountId("other")
    pauses = [refused.refuse(one, 0.0) for _ in range(9)]
    assert pauses[:3] == [FIRST_RETRY_S, 120.0, 240.0]
    assert pauses[-1] == LONGEST_RETRY_S
    refused.refuse(other, 0.0)
    assert refused.take_due(59.0) == []
    assert refused.take_due(60.0) == [other]
    assert one in refused
    refused.clear(one)
    assert len(refused) == 0
    assert refused.take_due(10_000.0) == []
    assert refused.refuse(one, 0.0) == FIRST_RETRY_S


def test_pools_do_not_wait_for_each_others_paces() -> None:
    slow = pool("alice", "bob", with_=policy("Slow", registration_interval_ms=60_000))
    quick = pool("carol", "dave", with_=policy("Quick"))
    services = Services(slow, quick)
    services.connect()
    services.settle()
    assert sorted(gateway.username for gateway in services.switch.added) == ["alice", "carol", "dave"]


# A bridge that is started again, and a database that is slower than FreeSWITCH


class StartedAgain:
    """Alice, Bob and Dave have gateways; the bridge knows Bob by now."""

    def __init__(self, secret_of_bob: str = "secret") -> None:
        self.has_read_all = False
        before = Services(pool("alice", "bob", "dave"), switch=MemorySwitch())
        before.connect_and_register()
        self.names = {user: before.gateway_name(user) for user in ("alice", "bob", "dave")}
        accounts = AccountPool(policy(), [BY_ALIAS])
        accounts.add(account("bob", secret_of_bob))
        self.services = Services(accounts, switch=before.switch, knows_all=lambda: self.has_read_all)
        self.services.switch.added.clear()
        self.services.connect()
        for _ in range(5):
            self.services.step(1.0)


def test_gateways_of_accounts_that_are_still_to_be_read_stay() -> None:
    started = StartedAgain()
    services = started.services
    assert services.switch.removed == []
    assert services.line("bob").is_available

    alice = services.pools["Pool"].add(account("alice"))
    services.account_changed(alice)
    services.step(1.0)
    assert alice.is_available
    assert services.switch.added == []

    started.has_read_all = True
    for _ in range(5):
        services.step(1.0)
    assert services.switch.removed == [started.names["dave"]]


def test_a_gateway_that_is_in_the_way_of_another_goes_at_once() -> None:
    started = StartedAgain("another secret")
    assert started.services.switch.removed == [started.names["bob"]]
    started.services.switch.delete_marked()
    started.services.step(1.0)
    started.services.step(1.0)
    assert [gateway.password for gateway in started.services.switch.added] == ["another secret"]
    assert started.services.switch.removed == [started.names["bob"]]


def test_at_the_end_all_of_them_go() -> None:
    started = StartedAgain()
    started.services.keeper.begin_shutdown(5.0)
    for _ in range(5):
        started.services.step(1.0)
    assert sorted(started.services.switch.removed) == sorted(started.names.values())

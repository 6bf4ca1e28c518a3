"""Calls wait until the call counts are known, the lease lasts as long as they are, and audits correct them."""

from __future__ import annotations

import pytest
from services_examples import LEASE_RENEWAL_S, Services, ended, parked

from sipbridge.core.sip.call import ChannelUuid
from sipbridge.ports import CommandRefused, SwitchLost


@pytest.fixture
def services() -> Services:
    made = Services()
    made.connect_and_register()
    return made


# Calls that arrive while nobody can decide them


def test_a_call_that_arrives_while_reconciling_is_decided_after_it(services: Services) -> None:
    services.disconnect()
    for channel in ("old-1", "old-2"):
        services.show(channel)
        services.switch.alive.add(ChannelUuid(channel))
    services.switch.during("gateways", lambda: services.park("call-1"))
    services.switch.during("accounts_of", lambda: services.park("call-2", "bob"))
    services.connect()
    assert services.declined() == [("call-1", "lines-taken")]
    assert services.bridged() == ["call-2"]


def test_a_call_that_ends_before_it_could_be_decided_is_forgotten(services: Services) -> None:
    services.disconnect()
    services.switch.during("gateways", lambda: services.park("call-1"))
    services.switch.during("accounts_of", lambda: services.end("call-1"))
    services.connect()
    assert not services.bridged()
    assert services.calls.calls_in_progress == 0


def test_a_call_that_waited_for_a_link_that_broke_is_left_to_the_switch(services: Services) -> None:
    services.disconnect()
    services.switch.during("gateways", lambda: services.park("call-1"))
    services.switch.fail("accounts_of", SwitchLost("lost"))
    with pytest.raises(SwitchLost):
        services.connect()
    services.disconnect()
    services.switch.alive.clear()
    services.connect()
    assert not services.bridged()


def test_nothing_is_decided_without_a_connection(services: Services) -> None:
    services.disconnect()
    assert not services.session.is_ready
    services.session.on_switch_event(parked("call-1"))
    services.step(60.0)
    assert not services.bridged()
    assert services.switch.log[-1] != "renew_lease"


def test_a_call_that_cannot_be_decided_costs_no_other(
    services: Services, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = services.table.providers[0].account_to_use
    monkeypatch.setattr(type(broken.source), "uri", None)  # type: ignore[union-attr]
    monkeypatch.setattr(type(broken.source), "render", lambda *_: 1 / 0)  # type: ignore[union-attr]
    services.disconnect()
    services.switch.during("gateways", lambda: services.park("call-1"))
    services.connect()
    services.park("call-2")
    assert services.session.is_ready
    assert caplog.text.count("ZeroDivisionError") == 2
    assert "call-1" in caplog.text
    assert "call-2" in caplog.text


# The lease


def test_the_lease_is_taken_only_when_the_counts_are_right() -> None:
    services = Services()
    services.switch.fail("channels", SwitchLost("lost"))
    with pytest.raises(SwitchLost):
        services.connect()
    services.step(60.0)
    assert services.switch.count("renew_lease") == 0
    services.connect()
    assert services.switch.log[-3:] == ["channels", "accounts_of", "renew_lease"]


def test_the_lease_is_renewed_at_its_interval(services: Services) -> None:
    before = services.switch.count("renew_lease")
    for _ in range(40):
        services.step(0.25)
    assert services.switch.count("renew_lease") - before == 10.0 / LEASE_RENEWAL_S


def test_the_lease_is_not_renewed_after_calls_are_no_longer_taken(services: Services) -> None:
    services.session.stop_taking_calls()
    services.step(60.0)
    services.disconnect()
    services.connect()
    services.step(60.0)
    assert "renew_lease" not in services.switch.log[services.switch.log.index("end_lease") :]


def test_calls_in_progress_go_on_after_calls_are_no_longer_taken(services: Services) -> None:
    services.park("call-1")
    services.session.stop_taking_calls()
    assert services.session.is_ready
    services.end("call-1")
    assert services.calls.calls_in_progress == 0


def test_calls_are_taken_again_at_once(services: Services) -> None:
    services.session.stop_taking_calls()
    services.step(0.25)
    services.session.take_calls_again()
    assert services.switch.log[-1] == "renew_lease"
    renewed = services.switch.count("renew_lease")
    services.step(LEASE_RENEWAL_S)
    assert services.switch.count("renew_lease") == renewed + 1


def test_the_lease_of_the_connection_before_does_not_outlive_the_wish_to_take_no_calls(services: Services) -> None:
    services.disconnect()
    services.session.stop_taking_calls()
    services.switch.log.clear()
    services.connect()
    assert services.switch.log[-1] == "end_lease"
    assert services.switch.count("renew_lease") == 0


def test_calls_are_taken_again_with_the_next_connection(services: Services) -> None:
    services.session.stop_taking_calls()
    services.disconnect()
    services.session.take_calls_again()
    assert services.switch.count("renew_lease") == 1
    services.connect()
    assert services.switch.log[-1] == "renew_lease"


# The claim


def test_a_controller_keeps_its_switch_while_it_takes_no_calls(services: Services) -> None:
    services.session.stop_taking_calls()
    before = services.switch.claims
    for _ in range(40):
        services.step(0.25)
    assert services.switch.claims - before == 10.0 / LEASE_RENEWAL_S


# Audits


def test_a_call_that_the_table_showed_too_late_is_found_by_the_first_audit() -> None:
    services = Services()
    services.switch.alive.add(ChannelUuid("old-1"))
    services.connect_and_register()
    assert services.line("alice").calls == 0
    services.show("old-1")
    services.step(1.0)
    assert services.line("alice").calls == 0
    services.step(1.0)
    assert services.line("alice").calls == 1


def test_an_end_that_was_never_told_is_found_by_an_audit(services: Services, caplog: pytest.LogCaptureFixture) -> None:
    services.park("call-1")
    services.step(2.0)
    services.switch.alive.clear()
    services.step(30.0)
    assert services.line("alice").calls == 1
    services.step(30.0)
    assert services.line("alice").calls == 0
    assert "1 lines of ended calls" in caplog.text


def test_a_call_that_was_just_ending_when_it_was_found_is_let_go_again(services: Services) -> None:
    services.park("call-1")
    services.show("call-1")
    services.session.on_switch_event(ended("call-1"))
    services.step(2.0)
    assert services.line("alice").calls == 1
    services.switch.alive.clear()
    services.step(2.0)
    assert services.line("alice").calls == 0


@pytest.mark.parametrize(
    "error", [SwitchLost("lost"), CommandRefused("show channels as json", "-ERR no database")], ids=["lost", "refused"]
)
def test_an_audit_that_fails_is_no_catastrophe(services: Services, error: Exception) -> None:
    services.park("call-1")
    services.switch.fail("channels", error)
    services.step(2.0)
    assert not services.switch.failures["channels"]
    assert services.line("alice").calls == 1
    services.switch.alive.clear()
    services.step(60.0)
    assert services.line("alice").calls == 0


def test_audits_are_a_minute_apart(services: Services) -> None:
    before = services.switch.count("channels")
    for _ in range(4 * 182):
        services.step(0.25)
    assert services.switch.count("channels") - before == 4


def test_calls_are_decided_during_an_audit(services: Services) -> None:
    services.switch.during("accounts_of", lambda: services.park("call-1"))
    services.step(2.0)
    assert services.bridged() == ["call-1"]
    assert services.line("alice").calls == 1

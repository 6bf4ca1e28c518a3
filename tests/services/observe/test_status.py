"""A snapshot contains the state of the switch, calls, providers, pools, and the requested accounts."""

from __future__ import annotations

import pytest
from services_examples import Services, ended, outbound, policy, pool

from sipbridge.core.calls.events import Heartbeat
from sipbridge.core.observe.snapshot import AccountQuery, BridgeState, CallCounts, Failure, SourceState, SwitchState
from sipbridge.core.observe.snapshot_json import JsonError
from sipbridge.services.accounts.account_sync import SourceStatus, SyncState
from sipbridge.services.observe.call_feed import CallFeed
from sipbridge.services.observe.call_pages import CallPages
from sipbridge.services.observe.query_commands import QueryCommands

NOBODY = AccountQuery()
ALL = AccountQuery(limit=100)


@pytest.fixture
def services() -> Services:
    made = Services(pool("alice", "bob", with_=policy("First")), pool("carol", with_=policy("Second")))
    made.connect_and_register()
    return made


def test_before_and_after_the_switch_is_there(services: Services) -> None:
    services.clock.advance(10)
    services.session.on_switch_event(Heartbeat("1.10.12", 500.0, 3, 1_000, 97.5))
    services.clock.advance(20)
    snapshot = services.status.snapshot(NOBODY)
    assert snapshot.bridge == BridgeState("1.2.3", uptime_s=30.25, takes_calls=True)
    assert snapshot.switch == SwitchState(True, "", 30.25, True, "1.10.12", 520.0, 3, 1_000, 97.5)
    services.disconnect()
    services.clock.advance(5)
    services.session.on_switch_down("Connection refused")
    snapshot = services.status.snapshot(NOBODY)
    assert snapshot.switch == SwitchState(False, "Connection refused", 5.0, has_lease=False)
    assert not snapshot.bridge.takes_calls


def test_a_drained_bridge_has_no_lease(services: Services) -> None:
    services.session.stop_taking_calls()
    snapshot = services.status.snapshot(NOBODY)
    assert (snapshot.bridge.is_drained, snapshot.bridge.takes_calls, snapshot.switch.has_lease) == (True, False, False)


def test_calls_are_counted_by_provider_and_reason(services: Services) -> None:
    for channel in ("call-1", "call-2", "call-3"):
        services.park(channel)
    services.park("call-4", "carol")
    services.park("call-5", "nobody")
    services.end("call-1")
    services.session.on_switch_event(ended("call-4", "GATEWAY_DOWN", answered=False))
    services.clock.advance(1)
    snapshot = services.status.snapshot(NOBODY)
    first, second = snapshot.providers
    assert first.recent == CallCounts(bridged=2, answered=1, declined={"lines-taken": 1})
    assert second.recent == CallCounts(bridged=1, failed={"GATEWAY_DOWN": 1})
    assert (first.calls, second.calls) == (1, 0)
    assert first.last_failure == Failure(
        "lines-taken, 2 of 2 calls in progress (sip:alice@provider.example.net)", age_s=1.0
    )
    assert second.last_failure == Failure("GATEWAY_DOWN (sip:carol@provider.example.net)", age_s=1.0)
    traffic = snapshot.traffic
    assert traffic.in_progress == 1
    assert traffic.per_second == 0.5
    everything = CallCounts(
        bridged=3, answered=1, declined={"lines-taken": 1, "no-provider": 1}, failed={"GATEWAY_DOWN": 1}
    )
    assert traffic.recent == everything
    services.clock.advance(600)
    traffic = services.status.snapshot(NOBODY).traffic
    assert (traffic.recent, traffic.total) == (CallCounts(), everything)


def test_a_busy_callee_is_no_failure_of_the_provider(services: Services) -> None:
    services.park("call-1")
    services.session.on_switch_event(ended("call-1", "USER_BUSY", answered=False))
    first = services.status.snapshot(NOBODY).providers[0]
    assert first.last_failure is None
    assert first.total.failed == {"USER_BUSY": 1}


def test_a_pool_tells_what_its_accounts_add_up_to(services: Services) -> None:
    services.state(services.gateway("alice"), "FAILED", "403", "Forbidden")
    services.park("call-1", "bob")
    services.line("bob").set_drained(True)
    services.sync_states["First"] = SyncState(SourceStatus.STALE, skipped=2, problem="no route to host")
    services.clock.advance(7)
    first, second = services.status.snapshot(NOBODY).pools
    assert first.registrations == {"OK": 1, "Registration failed": 1}
    assert first.failures == {"403 Forbidden": 1}
    assert (first.accounts, first.available, first.drained) == (2, 0, 1)
    assert (first.lines_used, first.lines) == (1, 4)
    assert first.last_failure == Failure("sip:alice@provider.example.net: 403 Forbidden", age_s=7.0)
    assert first.source == SourceState("may be out of date", "no route to host", 2)
    assert first.registrar == "sip:proxy.example.net"
    assert (second.registrations, second.last_failure, second.source) == ({"OK": 1}, None, None)


def test_an_account_that_was_refused_says_since_when_and_until_when(services: Services) -> None:
    services.state(services.gateway("alice"), "FAILED", "403", "Forbidden")
    services.clock.advance(10)
    alice, *others = services.status.snapshot(ALL).accounts.rows
    assert (alice.uri, alice.alias) == ("sip:alice@provider.example.net", "sip:alice@home.example.org")
    assert (alice.status, alice.reason) == ("Registration failed", "403 Forbidden")
    assert (alice.failing_s, alice.next_try_s) == (10.0, 50.0)
    assert [(each.status, each.failing_s, each.next_try_s) for each in others] == [("OK", None, None)] * 2
    assert others[0].gateway == services.gateway_name("bob")


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (AccountQuery(limit=9, pool="First"), ["alice", "bob"]),
        (AccountQuery(limit=9, pool="none"), []),
        (AccountQuery(limit=9, provider="through Second"), ["carol"]),
        (AccountQuery(limit=9, provider="none"), []),
        (AccountQuery(limit=9, provider="through Second", pool="First"), []),
    ],
    ids=str,
)
def test_accounts_of_a_pool_or_a_provider(services: Services, query: AccountQuery, expected: list[str]) -> None:
    page = services.status.snapshot(query).accounts
    assert [row.alias.removeprefix("sip:").partition("@")[0] for row in page.rows] == expected
    assert page.matching == len(expected)


def test_memory_of_gateways_that_are_gone_and_a_storm_are_told(services: Services) -> None:
    before = services.status.snapshot(NOBODY)
    assert (before.switch.lost_gateways, before.bridge.is_storm) == (0, False)
    services.keeper.memory.note_deleted()
    while services.admission.let_in():
        pass
    after = services.status.snapshot(NOBODY)
    assert (after.switch.lost_gateways, after.switch.loses_much, after.bridge.is_storm) == (1, False, True)
    assert after.switch.lost_mb == pytest.approx(0.0)


def test_two_providers_may_share_a_name_and_a_pool() -> None:
    services = Services(pool("alice"), providers=(outbound(), outbound()))
    services.connect_and_register()
    services.park("call-1")
    assert [each.calls for each in services.status.snapshot(NOBODY).providers] == [1, 1]


def test_the_command_takes_a_query_and_shows_a_bounded_page(services: Services) -> None:
    pages = CallPages(services.switch, services.calls, services.journal, services.clock, services.scheduler)
    commands = QueryCommands(services.status, pages, CallFeed(services.clock, services.scheduler))
    assert commands.status({})["accounts"]["rows"] == []
    told = commands.status({"accounts": {"limit": 10**9, "offset": -1, "match": "bob"}})["accounts"]
    assert [row["uri"] for row in told["rows"]] == ["sip:bob@provider.example.net"]
    with pytest.raises(JsonError, match="limit must be a whole number"):
        commands.status({"accounts": {"limit": "all"}})

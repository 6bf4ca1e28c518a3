"""Events are counted by labels that callers cannot choose."""

from __future__ import annotations

from typing import get_args

import pytest
from services_examples import Services, ended

from sipbridge.core.calls.events import CallEnded, CallTimes, GatewayStateChanged, ProfileStarted, SwitchEvent
from sipbridge.core.calls.routing import DeclineReason
from sipbridge.core.observe import metrics
from sipbridge.core.observe.metric import Histogram, MetricDefinition, MetricSource, Samples
from sipbridge.core.sip.call import ChannelUuid
from sipbridge.services.accounts.account_sync import SourceStatus, SyncState
from sipbridge.services.observe.account_metrics import AccountMetrics
from sipbridge.services.observe.call_tally import CallTally
from sipbridge.services.observe.switch_tally import SwitchTally


def samples(source: MetricSource, definition: MetricDefinition) -> Samples:
    (found,) = (metric.samples for metric in source() if metric.definition is definition)
    return dict(found)


def count(samples_: Samples, *labels: str) -> int:
    histogram = samples_[labels]
    assert isinstance(histogram, Histogram)
    return sum(histogram.counts)


@pytest.fixture
def services() -> Services:
    made = Services()
    made.connect_and_register()
    return made


@pytest.fixture
def calls(services: Services) -> CallTally:
    made = CallTally(lambda: [provider.name for provider in services.table.providers])
    services.journal.add(made)
    return made


def test_calls_are_counted_by_provider_outcome_and_reason(services: Services, calls: CallTally) -> None:
    for channel, user in (("a", "alice"), ("b", "alice"), ("c", "alice"), ("d", "mallory"), ("e", "bob")):
        services.park(channel, user)
    for channel in "acd":
        services.end(channel)
    services.session.on_switch_event(ended("b", "USER_BUSY", answered=False))
    services.session.on_switch_event(ended("e", "Made up, by somebody", answered=False))
    services.session.on_switch_event(ended("f", "NORMAL_TEMPORARY_FAILURE", answered=False))
    counted = {labels: count for labels, count in samples(calls.metrics, metrics.CALLS).items() if count}
    assert counted == {
        ("through Pool", "answered", "NORMAL_CLEARING"): 1,
        ("through Pool", "failed", "USER_BUSY"): 1,
        ("through Pool", "failed", "OTHER"): 1,
        ("through Pool", "declined", "lines-taken"): 1,
        ("", "declined", "no-provider"): 1,
        ("", "undecided", "NORMAL_TEMPORARY_FAILURE"): 1,
    }
    assert count(samples(calls.metrics, metrics.DECISION)) == 5


def test_what_alerts_wait_for_is_there_from_the_beginning(calls: CallTally) -> None:
    told = samples(calls.metrics, metrics.CALLS)
    assert set(told.values()) == {0}
    assert {reason for _, outcome, reason in told if outcome == "declined"} == {each.value for each in DeclineReason}
    assert ("through Pool", "declined", "lines-taken") in told


def test_how_long_calls_took_is_counted_by_provider(services: Services, calls: CallTally) -> None:
    services.park("a")
    times = CallTimes(received=1_000_000, progress=1_400_000, answered=3_000_000, ended=45_000_000)
    services.session.on_switch_event(CallEnded(ChannelUuid("a"), "NORMAL_CLEARING", True, 200, times))
    services.park("b")
    services.session.on_switch_event(ended("b", "USER_BUSY", answered=False))
    for definition, seconds in ((metrics.PROGRESS, 0.4), (metrics.SETUP, 2.0), (metrics.TALK, 42.0)):
        (histogram,) = samples(calls.metrics, definition).values()
        assert isinstance(histogram, Histogram)
        assert (sum(histogram.counts), histogram.total) == (1, seconds)


@pytest.mark.parametrize(
    ("state", "sip_status", "result"),
    [
        ("TRYING", "", "sent"),
        ("REGISTER", "200", "accepted"),
        ("FAILED", "403", "refused"),
        ("FAILED", "904", "refused"),
        ("FAILED", "503", "failed"),
        ("FAILED", "908", "no_answer"),
        ("TIMEOUT", "", "no_answer"),
        ("FAILED", "", None),
        ("REGED", "", None),
        ("FAIL_WAIT", "", None),
    ],
)
def test_registers_are_counted_by_what_came_of_them(state: str, sip_status: str, result: str | None) -> None:
    told: list[SwitchEvent] = []
    tally = SwitchTally(_Listener(told))
    event = GatewayStateChanged("sipbridge.alice.1", state, sip_status, "")
    tally.on_switch_event(event)
    counted = {labels: value for labels, value in samples(tally.metrics, metrics.REGISTRATIONS).items() if value}
    assert counted == ({(result,): 1} if result else {})
    assert told == [event]


def test_events_and_connections_are_counted_and_passed_on() -> None:
    told: list[object] = []
    tally = SwitchTally(_Listener(told))
    tally.on_switch_up()
    tally.on_switch_event(ended("a"))
    tally.on_switch_event(ProfileStarted("providers"))
    tally.on_switch_down("lost")
    tally.on_switch_up()
    assert told == ["up", ended("a"), ProfileStarted("providers"), "down: lost", "up"]
    assert samples(tally.metrics, metrics.CONNECTIONS) == {(): 2}
    assert samples(tally.metrics, metrics.LOSSES) == {(): 1}
    assert samples(tally.metrics, metrics.EVENTS) == {
        ("call_parked",): 0,
        ("call_ended",): 1,
        ("gateway_state",): 0,
        ("gateway_added",): 0,
        ("gateway_deleted",): 0,
        ("profile_started",): 1,
        ("heartbeat",): 0,
    }


def test_there_is_a_count_for_every_kind_of_event() -> None:
    counted = samples(SwitchTally(_Listener([])).metrics, metrics.EVENTS)
    assert len(counted) == len(get_args(SwitchEvent))


class _Listener:
    def __init__(self, told: list[SwitchEvent] | list[object]) -> None:
        self.told: list[object] = told  # type: ignore[assignment]

    def on_switch_up(self) -> None:
        self.told.append("up")

    def on_switch_down(self, reason: str) -> None:
        self.told.append(f"down: {reason}")

    def on_switch_event(self, event: SwitchEvent) -> None:
        self.told.append(event)


def test_pools_are_told_by_their_counts(services: Services) -> None:
    services.sync_states["Pool"] = SyncState(SourceStatus.STALE, skipped=3, problem="no route")
    services.sources.notifications["Pool"] = 7
    accounts = AccountMetrics(services.calls, services.keeper, services.sources)
    services.state(services.gateway("bob"), "FAILED", "403", "Forbidden")
    services.park("a")
    found = {metric.definition: dict(metric.samples) for metric in accounts.metrics()}
    assert found[metrics.ACCOUNTS] == {
        ("Pool", "registered"): 1,
        ("Pool", "failed"): 1,
        ("Pool", "in_progress"): 0,
        ("Pool", "none"): 0,
    }
    assert (found[metrics.LINES], found[metrics.LINES_USED]) == ({("Pool",): 4}, {("Pool",): 1})
    assert (found[metrics.AVAILABLE], found[metrics.DRAINED]) == ({("Pool",): 1}, {("Pool",): 0})
    assert (found[metrics.SOURCE_UP], found[metrics.SOURCE_LOADED]) == ({("Pool",): False}, {("Pool",): True})
    assert (found[metrics.SOURCE_SKIPPED], found[metrics.SOURCE_PENDING]) == ({("Pool",): 3}, {("Pool",): 7})
    # What was refused leaves, and comes again later.
    assert (found[metrics.GATEWAYS_TO_ADD], found[metrics.GATEWAYS_TO_REMOVE]) == ({(): 0}, {(): 1})

"""Each call has one decision and one record, reported to all observers, whatever its outcome."""

from __future__ import annotations

import pytest
from services_examples import Services, ended

from sipbridge.core.calls.call_record import CallDecided, CallOutcome, CallRecord
from sipbridge.core.calls.events import CallEnded, CallTimes
from sipbridge.core.calls.routing import Bridge, Decline, DeclineReason
from sipbridge.core.sip.call import ChannelUuid


class Observed:
    """What an observer is told."""

    def __init__(self) -> None:
        self.decided: list[CallDecided] = []
        self.over: list[CallRecord] = []

    def on_call_decided(self, decided: CallDecided) -> None:
        self.decided.append(decided)

    def on_call_over(self, record: CallRecord) -> None:
        self.over.append(record)

    def outcomes(self) -> list[tuple[str, CallOutcome, str]]:
        return [(record.channel_uuid, record.outcome, record.reason) for record in self.over]


@pytest.fixture
def services() -> Services:
    made = Services()
    made.connect_and_register()
    return made


@pytest.fixture
def observed(services: Services) -> Observed:
    observer = Observed()
    services.journal.add(observer)
    return observer


def test_a_bridged_call_is_told_with_all_that_was_decided(services: Services, observed: Observed) -> None:
    services.park("call-1")
    (decided,) = observed.decided
    assert decided.is_bridged
    assert isinstance(decided.decision, Bridge)
    assert decided.decision.line is services.line("alice")
    assert (decided.call.channel_uuid, decided.call.call_id, decided.status_line) == (
        "call-1",
        "call-1@example.org",
        "",
    )
    assert decided.request.request_uri_text == "sip:carol@bridge.example.org"
    assert (decided.at, decided.took_s) == (services.clock.wall(), 0.0)
    assert list(services.journal.under_way) == ["call-1"]
    assert observed.over == []


def test_an_answered_call_is_over_once(services: Services, observed: Observed) -> None:
    services.park("call-1")
    times = CallTimes(received=1_000_000, progress=1_500_000, answered=3_000_000, ended=63_000_000)
    told = CallEnded(ChannelUuid("call-1"), "NORMAL_CLEARING", answered=True, sip_status=200, times=times)
    services.session.on_switch_event(told)
    (record,) = observed.over
    assert record.decided is observed.decided[0]
    assert record.line is services.line("alice")
    assert (record.outcome, record.provider, record.sip_status) == (CallOutcome.ANSWERED, "through Pool", 200)
    assert (record.times.progress_s, record.times.setup_s, record.times.talk_s) == (0.5, 2.0, 60.0)
    assert not services.journal.under_way


def test_a_call_that_nobody_answers_has_failed(services: Services, observed: Observed) -> None:
    services.park("call-1")
    services.session.on_switch_event(CallEnded(ChannelUuid("call-1"), "USER_BUSY", answered=False, sip_status=486))
    assert observed.outcomes() == [("call-1", CallOutcome.FAILED, "USER_BUSY")]
    assert observed.over[0].sip_status == 486


def test_a_declined_call_tells_why_and_with_what(services: Services, observed: Observed) -> None:
    services.park("call-1", "mallory")
    (decided,) = observed.decided
    assert isinstance(decided.decision, Decline)
    assert (decided.decision.reason, decided.status_line) == (DeclineReason.NO_PROVIDER, "488 no-provider")
    assert not decided.is_bridged
    services.session.on_switch_event(ended("call-1", "INCOMPATIBLE_DESTINATION", answered=False))
    assert observed.outcomes() == [("call-1", CallOutcome.DECLINED, "no-provider")]
    (record,) = observed.over
    assert (record.sip_status, record.hangup_cause, record.provider, record.line) == (
        488,
        "INCOMPATIBLE_DESTINATION",
        None,
        None,
    )


def test_a_declined_call_names_the_account_that_could_not_be_used(services: Services, observed: Observed) -> None:
    services.state(services.gateway("alice"), "FAILED", "403", "Forbidden")
    services.park("call-1")
    services.end("call-1")
    assert observed.over[0].line is services.line("alice")
    assert observed.over[0].provider == "through Pool"


def test_a_call_that_ends_before_it_can_be_decided_is_told_too(services: Services, observed: Observed) -> None:
    services.disconnect()
    services.park("call-1")
    services.session.on_switch_event(ended("call-1", "NORMAL_TEMPORARY_FAILURE", answered=False))
    assert observed.decided == []
    assert observed.outcomes() == [("call-1", CallOutcome.UNDECIDED, "NORMAL_TEMPORARY_FAILURE")]
    (record,) = observed.over
    assert (record.call_id, record.provider, record.line) == ("", None, None)


def test_a_call_of_before_the_start_ends_with_its_account(services: Services, observed: Observed) -> None:
    services.show("call-1")
    services.switch.alive.add(ChannelUuid("call-1"))
    services.calls.reconcile()
    services.end("call-1")
    assert observed.outcomes() == [("call-1", CallOutcome.ANSWERED, "NORMAL_CLEARING")]
    (record,) = observed.over
    assert (record.line, record.decided, record.provider) == (services.line("alice"), None, None)


def test_a_call_that_is_gone_is_lost_at_the_second_look(services: Services, observed: Observed) -> None:
    services.park("call-1")
    services.switch.alive.clear()
    services.calls.reconcile()
    assert observed.over == []
    services.calls.reconcile()
    services.calls.reconcile()
    assert observed.outcomes() == [("call-1", CallOutcome.LOST, "")]
    (record,) = observed.over
    assert (record.line, record.ended, record.sip_status) == (services.line("alice"), None, None)
    assert not services.journal.under_way


def test_an_end_that_is_told_after_all_or_twice_is_no_other_call(services: Services, observed: Observed) -> None:
    services.park("call-1")
    services.switch.alive.clear()
    services.calls.reconcile()
    services.calls.reconcile()
    services.end("call-1")
    services.park("call-2")
    services.end("call-2")
    services.end("call-2")
    assert observed.outcomes() == [
        ("call-1", CallOutcome.LOST, ""),
        ("call-2", CallOutcome.ANSWERED, "NORMAL_CLEARING"),
    ]


def test_as_many_ends_are_remembered_as_there_can_be_calls(
    services: Services, observed: Observed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sipbridge.services.calls.call_journal._OVER_KEPT", 2)
    for name in ("call-1", "call-2", "call-3", "call-3", "call-2", "call-1"):
        services.end(name)
    assert [record.channel_uuid for record in observed.over] == ["call-1", "call-2", "call-3", "call-1"]


def test_a_call_that_is_gone_and_told_after_all_is_not_lost(services: Services, observed: Observed) -> None:
    services.park("call-1")
    services.switch.alive.clear()
    services.calls.reconcile()
    services.end("call-1")
    services.calls.reconcile()
    assert observed.outcomes() == [("call-1", CallOutcome.ANSWERED, "NORMAL_CLEARING")]
    assert observed.over[0].line is services.line("alice")


def test_a_call_of_before_the_start_that_is_gone_is_lost_with_its_account(
    services: Services, observed: Observed
) -> None:
    services.show("call-1")
    services.switch.alive.add(ChannelUuid("call-1"))
    services.calls.reconcile()
    services.switch.alive.clear()
    services.switch.table.clear()
    services.calls.reconcile()
    services.calls.reconcile()
    assert observed.outcomes() == [("call-1", CallOutcome.LOST, "")]
    assert observed.over[0].line is services.line("alice")


def test_a_declined_call_whose_end_is_missed_is_over_all_the_same(services: Services, observed: Observed) -> None:
    services.park("call-1", "mallory")
    services.switch.alive.clear()
    services.calls.reconcile()
    services.calls.reconcile()
    assert observed.outcomes() == [("call-1", CallOutcome.DECLINED, "no-provider")]
    assert not services.journal.under_way


def test_channels_of_others_are_no_calls(services: Services, observed: Observed) -> None:
    services.switch.table = {ChannelUuid("other"): None}
    services.calls.reconcile()
    services.calls.reconcile()
    assert observed.over == []


def test_an_observer_that_fails_costs_nobody_else(services: Services, caplog: pytest.LogCaptureFixture) -> None:
    class Failing(Observed):
        def on_call_decided(self, decided: CallDecided) -> None:
            raise RuntimeError("a defect")

        def on_call_over(self, record: CallRecord) -> None:
            raise RuntimeError("a defect")

    failing, observed = Failing(), Observed()
    services.journal.add(failing)
    services.journal.add(observed)
    services.park("call-1")
    services.end("call-1")
    assert services.bridged() == ["call-1"]
    assert services.line("alice").calls == 0
    assert len(observed.decided) == len(observed.over) == 1
    assert caplog.text.count("RuntimeError: a defect") == 2
    services.journal.remove(failing)
    caplog.clear()
    services.park("call-2")
    assert "a defect" not in caplog.text
    assert len(observed.decided) == 2

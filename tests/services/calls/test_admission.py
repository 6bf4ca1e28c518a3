"""Above the call rate limit the switch refuses calls itself, and calls that slip through are declined."""

from __future__ import annotations

from services_examples import Services, policy, pool

from sipbridge.services.calls.admission import Admission
from sipbridge.services.observe.admission_metrics import AdmissionMetrics

RATE = 10


def _services() -> Services:
    services = Services(pool("alice", with_=policy(max_calls_per_line=1_000)), max_calls_per_s=RATE)
    services.connect_and_register()
    # What registering took has filled the bucket.
    services.step(1.0)
    return services


def _park(services: Services, count: int, name: str = "call") -> None:
    for number in range(count):
        services.park(f"{name}-{number}")


def test_as_many_as_are_let_in_are_none_too_many() -> None:
    services = _services()
    for second in range(5):
        _park(services, RATE, f"second-{second}")
        services.step(1.0)
    assert len(services.bridged()) == 5 * RATE
    assert services.declined() == []
    assert "hold_calls" not in services.switch.log
    assert not services.admission.is_storm


def test_the_excess_is_declined_and_then_held() -> None:
    services = _services()
    _park(services, RATE + 3)
    assert len(services.bridged()) == RATE
    assert [reason for _, reason in services.declined()] == ["overload"] * 3
    assert [each.retry_after_s for each in services.switch.responded] == [5, 5, 5]
    assert services.switch.count("hold_calls") == 1
    assert services.admission.is_storm


def test_calls_come_again_when_there_is_room_for_some() -> None:
    services = _services()
    _park(services, RATE + 1)
    services.step(0.1)
    assert services.switch.count("release_calls") == 0
    services.step(0.15)
    assert services.switch.count("release_calls") == 1
    # Room for two and a half; the third of them shuts the door again.
    _park(services, 3, "again")
    assert len(services.bridged()) == RATE + 2
    assert services.switch.count("hold_calls") == 2


def test_ten_times_the_calls_cost_little_and_no_more_than_the_rate_gets_in() -> None:
    services = _services()
    parked = 0
    for tick in range(400):  # 10 s in steps of 25 ms; what was on its way when the door was shut arrives all the same
        held = services.switch.count("hold_calls") > services.switch.count("release_calls")
        arriving = 0 if held else RATE * 10 // 40
        _park(services, arriving, f"tick-{tick}")
        parked += arriving
        services.step(0.025) if tick % 10 == 9 else services.clock.advance(0.025)
    assert RATE * 10 - 5 <= len(services.bridged()) <= RATE * 11
    assert len(services.bridged()) + len(services.declined()) == parked
    assert parked < RATE * 10 * 3


def test_a_storm_is_over_after_a_while() -> None:
    services = _services()
    _park(services, RATE + 1)
    services.step(4.9)
    assert services.admission.is_storm
    services.step(0.2)
    assert not services.admission.is_storm


def test_a_lost_link_opens_the_door_by_itself() -> None:
    services = _services()
    _park(services, RATE + 1)
    services.disconnect()
    services.connect()
    services.step(1.0)
    assert services.switch.count("release_calls") == 0
    services.park("after")
    assert services.bridged()[-1] == "after"


def test_metrics_tell_of_the_storm() -> None:
    services = _services()
    admission: Admission = services.admission
    before = {metric.definition.name: dict(metric.samples) for metric in AdmissionMetrics(admission).metrics()}
    _park(services, RATE + 1)
    after = {metric.definition.name: dict(metric.samples) for metric in AdmissionMetrics(admission).metrics()}
    assert before != after


def test_the_lease_which_opens_the_door_is_not_renewed_while_it_is_shut() -> None:
    services = _services()
    _park(services, RATE + 1)
    services.switch.log.clear()
    services.session.step()
    services.clock.advance(0.1)
    services.session.step()
    assert services.admission.is_shut
    assert "renew_lease" not in services.switch.log
    services.step(60.0)
    assert services.switch.log.index("release_calls") < services.switch.log.index("renew_lease")


def test_a_drained_bridge_opens_no_door() -> None:
    services = _services()
    _park(services, RATE + 1)
    services.session.stop_taking_calls()
    services.park("on its way")
    services.step(1.0)
    assert services.switch.count("release_calls") == 0
    services.session.take_calls_again()
    assert services.switch.count("renew_lease") >= 1

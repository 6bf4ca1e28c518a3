"""Calls are counted by provider, outcome and reason."""

from __future__ import annotations

import pytest
from services_examples import Services, ended, outbound, policy, pool

from sipbridge.core.observe.snapshot import CallCounts


@pytest.fixture
def services() -> Services:
    made = Services(
        pool("alice", with_=policy("First")),
        pool("bob", with_=policy("Second")),
        providers=(outbound("First"), outbound("Second")),
    )
    made.connect_and_register()
    return made


def test_each_call_counts_once_and_for_all_of_them_too(services: Services) -> None:
    for channel in ("call-1", "call-2", "call-3"):
        services.park(channel)
    services.park("call-4", "bob")
    services.end("call-1")
    services.end("call-1")
    services.end("call-3")
    services.session.on_switch_event(ended("call-2", "USER_BUSY", answered=False))
    services.session.on_switch_event(ended("call-4", "GATEWAY_DOWN", answered=False))
    counted = services.traffic.total()
    first = CallCounts(bridged=2, answered=1, declined={"lines-taken": 1}, failed={"USER_BUSY": 1})
    assert counted["through First"] == first
    assert counted["through Second"] == CallCounts(bridged=1, failed={"GATEWAY_DOWN": 1})
    assert counted[None] == CallCounts(3, 1, {"lines-taken": 1}, {"USER_BUSY": 1, "GATEWAY_DOWN": 1})
    assert services.traffic.recent() == counted


def test_a_call_that_nobody_takes_counts_for_no_provider(services: Services) -> None:
    services.park("call-1", "nobody")
    services.end("call-1")
    nobody = CallCounts(declined={"no-provider": 1})
    assert services.traffic.total() == {None: nobody, "": nobody}
    failure = services.traffic.last_failure("")
    assert failure is not None
    assert failure.what == "no-provider, no provider matches this call"


def test_a_call_that_is_not_ours_does_not_count(services: Services) -> None:
    services.end("call-1")
    assert services.traffic.total() == {None: CallCounts()}


def test_the_commonest_reasons_come_first(services: Services) -> None:
    services.park("call-1", "bob")
    services.session.on_switch_event(ended("call-1", "USER_BUSY", answered=False))
    for channel in ("call-2", "call-3"):
        services.park(channel, "bob")
        services.session.on_switch_event(ended(channel, "NO_ANSWER", answered=False))
    assert list(services.traffic.total()["through Second"].failed) == ["NO_ANSWER", "USER_BUSY"]

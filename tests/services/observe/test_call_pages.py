"""Calls in progress, as far as they are known."""

from __future__ import annotations

import pytest
from services_examples import Services, policy, pool

from sipbridge.core.observe.call_news import CallInProgress
from sipbridge.core.sip.call import ChannelUuid
from sipbridge.ports import NotSent
from sipbridge.services.observe.call_pages import CallPages


@pytest.fixture
def services() -> Services:
    made = Services(pool("alice", "bob", with_=policy("First")), pool("carol", with_=policy("Second")))
    made.connect_and_register()
    return made


@pytest.fixture
def pages(services: Services) -> CallPages:
    return CallPages(services.switch, services.calls, services.journal, services.clock, services.scheduler)


def test_a_call_with_all_that_is_known(services: Services, pages: CallPages) -> None:
    services.park("call-1")
    services.show("call-1")
    services.clock.advance(12)
    page = pages.page(10)
    assert page.calls == (
        CallInProgress(
            "call-1",
            "call-1@example.org",
            "through First",
            "sip:alice@provider.example.net",
            "sip:alice@home.example.org",
            "sip:carol@home.example.org",
            "talking",
            12.0,
        ),
    )
    assert (page.in_progress, page.problem) == (1, "")


def test_calls_of_before_the_start_come_first_and_show_their_account(services: Services, pages: CallPages) -> None:
    services.park("call-1")
    services.switch.alive.add(ChannelUuid("old"))
    services.show("call-1")
    services.show("old", "bob")
    services.session.on_switch_up()
    old, new = pages.page(10).calls
    assert (old.channel_uuid, old.account, old.provider, old.seconds) == (
        "old",
        "sip:bob@provider.example.net",
        "",
        None,
    )
    assert new.channel_uuid == "call-1"


def test_declined_calls_and_ended_ones_are_not_in_progress(services: Services, pages: CallPages) -> None:
    services.park("call-1", "nobody")
    services.park("call-2")
    services.end("call-2")
    assert pages.page(10).calls == ()


def test_some_of_many(services: Services, pages: CallPages) -> None:
    for number, user in enumerate(["alice", "alice", "bob", "carol"]):
        services.park(f"call-{number}", user)

    def shown(limit: int, match: str = "", provider: str = "") -> tuple[list[str], int]:
        page = pages.page(limit, match, provider)
        return [call.channel_uuid for call in page.calls], page.in_progress

    assert shown(2) == (["call-0", "call-1"], 4)
    assert shown(9, "BOB@") == (["call-2"], 1)
    assert shown(9, "call-3@example") == (["call-3"], 1)
    assert shown(9, provider="through Second") == (["call-3"], 1)
    assert shown(0) == ([], 4)


def test_without_a_switch_only_the_states_are_missing(services: Services, pages: CallPages) -> None:
    services.park("call-1")
    services.switch.fail("call_states", NotSent("FreeSWITCH is not connected"))
    page = pages.page(10)
    assert [call.state for call in page.calls] == [""]
    assert page.problem == "states unknown, FreeSWITCH does not answer: FreeSWITCH is not connected"


def test_others_run_while_many_are_looked_at_and_calls_may_end() -> None:
    lines = policy("Many", max_calls_per_line=1_000)
    many = Services(pool("alice", with_=lines))
    many.connect_and_register()
    for number in range(900):
        many.park(f"call-{number}")
    many.scheduler.at_breath = lambda: many.end("call-899")
    found = CallPages(many.switch, many.calls, many.journal, many.clock, many.scheduler).page(5, "alice")
    assert (len(found.calls), found.in_progress) == (5, 900)
    assert many.scheduler.breaths >= 4


def test_the_switch_is_asked_once_a_second_at_most(services: Services, pages: CallPages) -> None:
    services.park("call-1")
    services.show("call-1")
    assert [pages.page(1).calls[0].state for _ in range(3)] == ["talking"] * 3
    assert services.switch.count("call_states") == 1
    services.clock.advance(1.0)
    services.switch.fail("call_states", NotSent("FreeSWITCH is not connected"))
    assert pages.page(1).problem
    assert not pages.page(1).problem
    assert services.switch.count("call_states") == 3

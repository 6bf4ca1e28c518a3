"""Followers of calls receive each decision with its reasons, each end, and the number of missed items."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from services_examples import Services, ended, outbound, parked, policy, pool

from sipbridge.core.calls.events import CallEnded, CallTimes
from sipbridge.core.observe.call_news import CallNews, Explanation, NewsKind
from sipbridge.core.observe.snapshot_json import JsonError
from sipbridge.core.sip.call import CallRequest
from sipbridge.services.observe import call_feed
from sipbridge.services.observe.call_feed import CallFeed
from sipbridge.services.observe.call_pages import CallPages
from sipbridge.services.observe.query_commands import QueryCommands


@pytest.fixture
def services() -> Services:
    made = Services(
        pool("carol", with_=policy("First")),
        pool("alice", with_=policy("Second", max_calls_per_line=1)),
        providers=(outbound("First"), outbound("Second")),
    )
    made.connect_and_register()
    return made


@pytest.fixture
def feed(services: Services) -> CallFeed:
    made = CallFeed(services.clock, services.scheduler)
    services.journal.add(made)
    return made


def now(news: Iterator[CallNews | None]) -> list[CallNews]:
    """What there is to tell now."""
    return list(iter(lambda: next(news), None))


def test_a_bridged_call_is_told_with_what_each_provider_made_of_it(services: Services, feed: CallFeed) -> None:
    following = feed.follow(0)
    assert now(following) == []
    services.park("call-1")
    (news,) = now(following)
    assert news == CallNews(
        NewsKind.BRIDGED,
        at=services.clock.wall(),
        channel_uuid="call-1",
        call_id="call-1@example.org",
        provider="through Second",
        account="sip:alice@provider.example.net",
        request_uri="sip:carol@bridge.example.org",
        from_="sip:alice@home.example.org",
        to="sip:carol@home.example.org",
        goes_to="sip:carol@provider.example.net",
        goes_as="sip:alice@provider.example.net",
        next_hop="sip:proxy.example.net",
        explanations=(
            Explanation("through First", "its pool has no such account: sip:alice@home.example.org"),
            Explanation("through Second", "bridges the call: sip:alice@home.example.org"),
        ),
        took_ms=0.0,
    )


def test_a_declined_call_is_told_with_the_reason_and_once(services: Services, feed: CallFeed) -> None:
    services.park("call-1")
    following = feed.follow(0)
    assert now(following) == []
    services.park("call-2")
    services.end("call-2")
    (news,) = now(following)
    assert (news.kind, news.answer, news.reason, news.detail) == (
        NewsKind.DECLINED,
        "488 lines-taken",
        "lines-taken",
        "1 of 1 calls in progress",
    )
    assert news.explanations[-1] == Explanation("through Second", "declines the call: 1 of 1 calls in progress")


def test_ends_are_told(services: Services, feed: CallFeed) -> None:
    services.park("call-1")
    times = CallTimes(received=1_000_000, progress=2_000_000, answered=3_000_000, ended=8_500_000)
    services.session.on_switch_event(CallEnded(ended("call-1").channel_uuid, "NORMAL_CLEARING", True, 200, times))
    services.park("call-2")
    services.session.on_switch_event(ended("call-2", "USER_BUSY", answered=False))
    answered, busy = (each for each in now(feed.follow(10)) if each.kind is NewsKind.OVER)
    assert (answered.reason, answered.sip_status, answered.talk_s) == ("answered", 200, 5.5)
    assert (answered.from_, answered.request_uri) == ("sip:alice@home.example.org", "sip:carol@bridge.example.org")
    assert (busy.reason, busy.talk_s, busy.account) == ("USER_BUSY", None, "sip:alice@provider.example.net")


def test_the_latest_of_before_come_first(services: Services, feed: CallFeed) -> None:
    for number in range(5):
        services.park(f"call-{number}")
    following = feed.follow(2)
    assert [each.channel_uuid for each in now(following)] == ["call-3", "call-4"]
    services.park("call-5")
    assert [each.channel_uuid for each in now(following)] == ["call-5"]
    assert [each.channel_uuid for each in now(feed.follow(100))] == [f"call-{number}" for number in range(6)]


def test_who_is_too_slow_is_told_how_much_he_missed(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(call_feed, "_KEPT", 10)
    feed = CallFeed(services.clock, services.scheduler)
    services.journal.add(feed)
    following = feed.follow(0)
    assert now(following) == []
    for number in range(25):
        services.park(f"call-{number}")
    missed, *told = now(following)
    assert (missed.kind, missed.missed) == (NewsKind.MISSED, 15)
    assert [each.channel_uuid for each in told] == [f"call-{number}" for number in range(15, 25)]


def test_many_news_are_told_in_slices(services: Services, feed: CallFeed) -> None:
    for number in range(450):
        services.park(f"call-{number}")
    breaths = services.scheduler.breaths
    assert len(now(feed.follow(1_000))) == 450
    assert services.scheduler.breaths - breaths >= 4


def test_a_header_that_is_no_address_is_told_as_it_is(services: Services, feed: CallFeed) -> None:
    request = CallRequest("sip:carol@bridge.example.org", "<urn:service:sos>", "<sip:carol@home.example.org>")
    services.session.on_switch_event(replace(parked("call-1"), request=request))
    (news,) = now(feed.follow(1))
    assert news.from_ == "<urn:service:sos>"
    assert news.kind is NewsKind.DECLINED


def test_the_command_tells_news_as_values(services: Services, feed: CallFeed) -> None:
    pages = CallPages(services.switch, services.calls, services.journal, services.clock, services.scheduler)
    commands = QueryCommands(services.status, pages, feed)
    services.park("call-1")
    following = commands.follow({"limit": 5})
    told = next(following)
    assert told is not None
    assert (told["kind"], told["channelUuid"], told["from"]) == ("bridged", "call-1", "sip:alice@home.example.org")
    assert next(following) is None
    with pytest.raises(JsonError):
        commands.follow({"limit": "all"})

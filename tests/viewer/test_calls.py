"""Printed calls and call news."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest
from viewer_examples import text

from sipbridge.core.observe.call_news import CallInProgress, CallNews, CallsInProgress, Explanation, NewsKind
from sipbridge.viewer.calls import calls_table, news_lines

CALL = CallInProgress(
    "uuid", "1@example.org", "Outbound", "sip:alice@far.example.org", "sip:a@x.org", "sip:b@y.org", "talking", 75.0
)
OLD = CallInProgress("old", "", "", "sip:bob@far.example.org", "", "", "", None)
BRIDGED = CallNews(
    NewsKind.BRIDGED,
    at=1_700_000_000.25,
    provider="Outbound",
    account="sip:alice@far.example.org",
    request_uri="sip:b@bridge.example.org",
    from_="sip:a@x.org",
    to="sip:b@y.org",
    goes_to="sip:b@far.example.org",
    goes_as="sip:alice@far.example.org",
    next_hop="sip:far.example.org;transport=tls",
    explanations=(Explanation("Telephone", "its pattern does not match"), Explanation("Outbound", "bridges the call")),
)
DECLINED = replace(
    BRIDGED,
    kind=NewsKind.DECLINED,
    goes_to="",
    answer="488 Not Acceptable Here",
    reason="lines-taken",
    detail="2 of 2 calls in progress",
)
OVER = replace(BRIDGED, kind=NewsKind.OVER, reason="answered", sip_status=200, talk_s=75.0)


@pytest.fixture(autouse=True)
def utc() -> Iterator[None]:
    before = os.environ.get("TZ")
    os.environ["TZ"] = "UTC"
    time.tzset()
    yield
    if before is None:
        del os.environ["TZ"]
    else:
        os.environ["TZ"] = before
    time.tzset()


def test_calls_in_progress() -> None:
    assert (
        text(calls_table(CallsInProgress((OLD, CALL), 2), None))
        == """\
2 calls in progress

  FOR  STATE    FROM         TO           ACCOUNT                    PROVIDER  CALL-ID
    -  -        -            -            sip:bob@far.example.org    -
1 min  talking  sip:a@x.org  sip:b@y.org  sip:alice@far.example.org  Outbound  1@example.org"""
    )


@pytest.mark.parametrize(
    ("page", "first"),
    [
        (CallsInProgress(), "0 calls in progress"),
        (CallsInProgress((CALL,), 3_000), "first 1 of 3,000 calls in progress"),
        (CallsInProgress((CALL,), 1, "FreeSWITCH does not tell"), "1 call in progress\nFreeSWITCH does not tell\n"),
    ],
    ids=["none", "many", "without states"],
)
def test_how_many(page: CallsInProgress, first: str) -> None:
    assert text(calls_table(page, 80)).startswith(first)


@pytest.mark.parametrize(
    ("news", "expected"),
    [
        (
            BRIDGED,
            """\
22:13:20.250  bridged   sip:a@x.org -> sip:b@bridge.example.org
              1. Telephone: its pattern does not match
              2. Outbound: bridges the call
              account sip:alice@far.example.org
              to sip:b@far.example.org as sip:alice@far.example.org, via sip:far.example.org;transport=tls""",
        ),
        (
            DECLINED,
            """\
22:13:20.250  declined  sip:a@x.org -> sip:b@bridge.example.org
              1. Telephone: its pattern does not match
              2. Outbound: bridges the call
              answered 488 Not Acceptable Here: lines-taken, account sip:alice@far.example.org""",
        ),
        (
            replace(DECLINED, explanations=(), account="", reason="no-provider"),
            """\
22:13:20.250  declined  sip:a@x.org -> sip:b@bridge.example.org
              there are no providers
              answered 488 Not Acceptable Here: no-provider""",
        ),
        (
            OVER,
            "22:13:20.250  ended     sip:a@x.org -> sip:b@bridge.example.org 200 answered, talked for 1 min",
        ),
        (
            replace(OVER, reason="USER_BUSY", sip_status=486, talk_s=None, request_uri=""),
            "22:13:20.250  ended     sip:a@x.org -> sip:b@y.org 486 USER_BUSY",
        ),
        (
            replace(OVER, from_="", reason="lost", sip_status=None, talk_s=None),
            "22:13:20.250  ended     a call from before the restart, account sip:alice@far.example.org: lost",
        ),
        (
            CallNews(NewsKind.MISSED, at=1_700_000_000.0, missed=15),
            "22:13:20.000  15 messages missed: too many to show",
        ),
    ],
    ids=["bridged", "declined", "declined by nobody", "answered", "busy", "lost", "missed"],
)
def test_news(news: CallNews, expected: str) -> None:
    assert text(news_lines(news)) == expected


@pytest.mark.parametrize("evil", ["\x1b]0;title\x07", "\x1b[2J", "a\rb", "a\nb", "\x9b31m"])
def test_what_callers_choose_does_nothing_to_the_terminal(evil: str) -> None:
    news = replace(DECLINED, from_=evil, request_uri=evil, explanations=(Explanation(evil, evil),), reason=evil)
    call = replace(CALL, from_=evil, to=evil, call_id=evil, state=evil)
    lines = [
        *news_lines(news),
        *news_lines(replace(news, kind=NewsKind.OVER)),
        *calls_table(CallsInProgress((call,)), 80),
    ]
    assert all(line.plain.isprintable() for line in lines)

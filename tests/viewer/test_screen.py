"""Screens of every size show the most important parts and never exceed the size."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.text import Text
from viewer_examples import OUTBOUND, PSTN, ROWS, TROUBLED, WELL, text

from sipbridge.core.observe.snapshot import (
    AccountOrder,
    AccountPage,
    AccountQuery,
    BridgeState,
    Snapshot,
    SwitchState,
)
from sipbridge.core.providers.edge import EdgeState
from sipbridge.viewer.screen import Size, narrowed, screen
from sipbridge.viewer.tables import account_section

QUERY = AccountQuery(limit=60)
FOOTER = [Text("q quit")]
LOST = replace(
    TROUBLED,
    bridge=BridgeState("0.1.0", 273_000.0, takes_calls=False),
    switch=SwitchState(False, "Connection refused", 12.0, has_lease=False),
)

SMALL = """\
sipbridge 0.1.0 · 2 problems · up 3 d 3 h · Redis OK
FreeSWITCH 1.11.2 · connected for 2 h 13 min · lease held · up 12 d 3 h
14 calls now, 2.3 a second · in 5 min: 690 bridged · 10 declined · 20 failed

warn  accounts    pool Jabiru: 12 of 100,000 rejected: 403 Forbidden
                  The secret is wrong, or the provider has locked the account:
                  ask the provider.
warn  lines       provider "Flexisip -> Jabiru": 10 calls declined in 5 min:
                  lines-taken

POOL    ACCOUNTS      OK  FAILED  WAITING       LINES USED  ACCOUNTS FROM
Jabiru   100,000  99,985      12        3  14 of 2,000,000  database
PSTN           1       1       -        -         3 of 682  file

PROVIDER            POOL    CALLS  5 MIN: BRIDGED  FAILED  DECLINED
Flexisip -> Jabiru  Jabiru     12             690      20        10
Telephone           PSTN        2               -       -         -

accounts 1-3 of 100,001, failing first, then busiest
ACCOUNT                        POOL    REGISTRATION   SINCE  NEXT TRY    CALLS
sip:user0@jabiru.example.org   Jabiru  403 Forbidden  3 min   in 42 s  0 of 20
sip:user1@jabiru.example.org   Jabiru  403 Forbidden  3 min   in 42 s  1 of 20
sip:user2@jabiru.example.org   Jabiru  OK                              2 of 20
q quit"""

QUIET = """\
sipbridge 0.1.0 · no problems · up 3 d 3 h · Redis OK
FreeSWITCH 1.11.2 · connected for 2 h 13 min · lease held · up 12 d 3 h
0 calls now, 0.0 a second · in 5 min: 0 bridged · 0 declined · 0 failed

POOL  ACCOUNTS  OK  FAILED  WAITING  LINES USED  ACCOUNTS FROM  LAST FAILURE
PSTN         1   1       -        -    3 of 682  file

PROVIDER   POOL  CALLS  5 MIN: BRIDGED  FAILED  DECLINED  LAST FAILURE
Telephone  PSTN      2               -       -         -

1 account, failing first, then busiest
ACCOUNT                       POOL  REGISTRATION  SINCE  NEXT TRY    CALLS
sip:user2@jabiru.example.org  PSTN  OK                             2 of 20"""

TINY = """\
sipbridge 0.1.0 · 3 problems
FreeSWITCH · not connected for 12 s
14 calls now, 2.3 a second

DOWN  FreeSWITCH  not connected: Connec…
warn  accounts    pool Jabiru: 12 of 10…
warn  lines       provider "Flexisip ->…"""


@pytest.mark.parametrize(
    ("snapshot", "size", "expected"),
    [
        (TROUBLED, Size(80, 24), SMALL),
        (WELL, Size(80), QUIET),
        (LOST, Size(40, 7), TINY),
    ],
    ids=["80x24", "printed, 80 wide", "40x7"],
)
def test_screens(snapshot: Snapshot, size: Size, expected: str) -> None:
    footer = FOOTER if expected.endswith("q quit") else []
    assert text(screen(snapshot, QUERY, size, footer)[0]) == expected


def test_where_there_is_no_terminal_nothing_is_cut() -> None:
    everything = text(screen(TROUBLED, QUERY, Size())[0])
    assert "…" not in everything
    for row in ROWS:
        assert row.uri in everything
        assert row.alias in everything
    assert OUTBOUND.last_failure is not None
    assert OUTBOUND.last_failure.what in everything


def test_a_large_screen_shows_as_many_accounts_as_fit() -> None:
    lines, shown = screen(TROUBLED, QUERY, Size(200, 50), FOOTER)
    assert len(lines) == 50
    assert f"accounts 1-{shown} of 100,001" in text(lines)
    assert f"sip:user{shown - 1}@" in text(lines)
    assert f"sip:user{shown}@" not in text(lines)


@given(
    snapshot=st.sampled_from([TROUBLED, WELL, LOST]),
    width=st.integers(1, 250),
    height=st.integers(0, 80),
    footer=st.sampled_from([[], FOOTER]),
)
def test_every_size_has_just_as_many_lines_and_the_footer_at_the_end(
    snapshot: Snapshot, width: int, height: int, footer: list[Text]
) -> None:
    lines, shown = screen(snapshot, QUERY, Size(width, height), footer)
    assert len(lines) == max(height, len(footer))
    assert lines[len(lines) - len(footer) :] == footer
    assert shown <= len(snapshot.accounts.rows)


@given(snapshot=st.sampled_from([TROUBLED, WELL, LOST]), width=st.integers(60, 250), height=st.integers(0, 80))
def test_no_line_is_wider_than_the_screen(snapshot: Snapshot, width: int, height: int) -> None:
    lines, _ = screen(snapshot, AccountQuery(limit=60), Size(width, height))
    assert [line.plain for line in lines if line.cell_len > max(width, 76)] == []


@given(height=st.integers(4, 80))
def test_what_is_wrong_goes_before_everything_below_it(height: int) -> None:
    lines, _ = screen(LOST, QUERY, Size(80, height))
    if height > 4:
        assert "DOWN  FreeSWITCH  not connected: Connection refused" in text(lines)


def test_a_page_says_where_it_is_and_what_it_was_asked_for() -> None:
    query = AccountQuery(limit=60, offset=40, order=AccountOrder.ADDRESS, match='a"b', only_failed=True)
    snapshot = replace(TROUBLED, accounts=AccountPage(ROWS[40:43], 40, 43))
    assert 'accounts 41-43 of 43, by address, with "a"b", failed only' in text(screen(snapshot, query, Size())[0])
    nobody = replace(TROUBLED, accounts=AccountPage((), 0, 0))
    assert text(screen(nobody, query, Size())[0]).endswith('\n\nno accounts with "a"b", failed only')
    assert "accounts" not in text(screen(WELL, AccountQuery(), Size())[0]).replace("ACCOUNTS", "")


@pytest.mark.parametrize("evil", ["\x1b]0;title\x07", "\x1b[2J", "a\rb", "a\nb", "\x9b31m", "\u202e"])
def test_what_strangers_choose_does_nothing_to_the_terminal(evil: str) -> None:
    """A registrar chooses its phrase, and whoever writes the providers file its names."""
    row = replace(ROWS[0], reason=f"403 {evil}", uri=f"sip:{evil}@x")
    snapshot = replace(
        TROUBLED,
        pools=(replace(PSTN, name=evil, failures={f"403 {evil}": 1}),),
        providers=(replace(OUTBOUND, name=evil),),
        switch=replace(LOST.switch, problem=evil, version=evil),
        accounts=AccountPage((row,), 0, 1),
    )
    lines, _ = screen(snapshot, replace(QUERY, match=evil), Size(80))
    lines += account_section(row, [evil], 80).lines
    assert all(line.plain.isprintable() for line in lines)


def test_a_closer_look_shows_what_belongs_together() -> None:
    by_pool = narrowed(TROUBLED, AccountQuery(pool="PSTN"))
    by_provider = narrowed(TROUBLED, AccountQuery(provider="Flexisip -> Jabiru"))
    assert [each.name for each in (*by_pool.providers, *by_pool.pools)] == ["Telephone", "PSTN"]
    assert [each.name for each in (*by_provider.providers, *by_provider.pools)] == ["Flexisip -> Jabiru", "Jabiru"]
    assert narrowed(TROUBLED, QUERY) == TROUBLED


def test_one_account_with_all_that_is_known() -> None:
    assert text(account_section(ROWS[0], ["One", "Two"], None).lines) == (
        "account       sip:user0@jabiru.example.org\n"
        "alias         sip:user0@flexisip.example.org\n"
        "pool          Jabiru\n"
        "used by       One, Two\n"
        "registration  403 Forbidden for 3 min, next try in 42 s\n"
        "calls         0 of 20\n"
        "gateway       sipbridge.user0.0123456789\n"
        "registrar     sip:jabiru.example.org;transport=tls\n"
        "proxy         sip:jabiru.example.org;transport=tls"
    )


@pytest.mark.parametrize(
    ("redis", "edge", "end"),
    [
        ("not used", None, ""),
        ("OK", EdgeState("", 12, 12), " · Redis OK · edge knows 12 of 12 accounts"),
        ("No route", EdgeState("no answer", 3, 0), " · Redis: No route · edge cannot be updated"),
    ],
    ids=["neither", "both", "both fail"],
)
def test_what_helps_the_bridge_is_shown_where_it_is_used(redis: str, edge: EdgeState | None, end: str) -> None:
    shown = text(screen(replace(TROUBLED, redis=redis, edge=edge), QUERY, Size(120))[0])
    assert f"up 3 d 3 h{end}\nFreeSWITCH" in shown


def test_memory_that_freeswitch_has_lost_is_shown() -> None:
    switch = replace(TROUBLED.switch, lost_gateways=25_000, lost_mb=117.5)
    assert "CPU 12 % · 118 MB leaked\n" in text(screen(replace(TROUBLED, switch=switch), QUERY, Size(130))[0])

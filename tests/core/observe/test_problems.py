"""The problems of a bridge, and who has to act."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sipbridge.core.observe.problem import Problem, Severity, Side
from sipbridge.core.observe.problems import find_problems
from sipbridge.core.observe.snapshot import (
    BridgeState,
    CallCounts,
    PoolState,
    ProviderState,
    Snapshot,
    SourceState,
    SwitchState,
    TrafficState,
)
from sipbridge.core.providers.edge import EdgeState

SWITCH = SwitchState(True, "", 60.0, True, "1.11.2", 100.0, 5, 1_000, 90.0)
POOL = PoolState("Pool", "sip:registrar.example.net", True, 10, 10, {"OK": 10}, {}, 0, 3, 2)
PROVIDER = ProviderState("Provider", "Pool")
WELL = Snapshot(
    BridgeState("1.2.3", 60.0, takes_calls=True),
    SWITCH,
    TrafficState(3, 0.5, CallCounts(), CallCounts()),
    (PROVIDER,),
    (POOL,),
)


def with_switch(**differing: object) -> Snapshot:
    return replace(WELL, switch=replace(SWITCH, **differing))  # type: ignore[arg-type]


def with_pool(**differing: object) -> Snapshot:
    return replace(WELL, pools=(replace(POOL, **differing),))  # type: ignore[arg-type]


def with_calls(**differing: object) -> Snapshot:
    recent = CallCounts(**differing)  # type: ignore[arg-type]
    traffic = replace(WELL.traffic, recent=recent)
    return replace(WELL, providers=(replace(PROVIDER, recent=recent),), traffic=traffic)


def failing(reason: str, number: int = 1) -> Snapshot:
    return with_pool(failures={reason: number})


DOWN, WARNING = Severity.DOWN, Severity.WARNING


@pytest.mark.parametrize(
    ("snapshot", "severity", "side", "what"),
    [
        (
            with_switch(is_connected=False, problem="Connection refused", has_lease=False),
            DOWN,
            Side.SWITCH,
            "not connected: Connection refused",
        ),
        (
            with_switch(has_lease=False),
            DOWN,
            Side.SWITCH,
            "connected; reading its calls and gateways",
        ),
        (
            replace(with_switch(has_lease=False), bridge=BridgeState("1", 1.0, takes_calls=False, is_drained=True)),
            DOWN,
            Side.OPERATOR,
            "the bridge is drained: no new calls are accepted",
        ),
        (
            with_switch(version="1.11.1"),
            WARNING,
            Side.SWITCH,
            "version 1.11.1 has 4 known holes that peers can reach: sdes-key, dtls-fingerprint, rtp-strangers",
        ),
        (
            replace(WELL, providers=(replace(PROVIDER, dtls_fault="FreeSWITCH is old: upgrade it"),)),
            DOWN,
            Side.CONFIGURATION,
            'provider "Provider": its calls are declined: FreeSWITCH is old',
        ),
        (with_switch(sessions=950), WARNING, Side.SWITCH, "950 of 1,000 sessions in use"),
        (with_switch(idle_cpu_percent=4.0), WARNING, Side.SWITCH, "the host is busy: 96 % CPU"),
        (
            with_switch(lost_gateways=25_000, lost_mb=117.5, loses_much=True),
            WARNING,
            Side.SWITCH,
            "leaked about 118 MB for 25,000 deleted gateways",
        ),
        (
            replace(WELL, bridge=replace(WELL.bridge, is_storm=True)),
            WARNING,
            Side.CALLERS,
            "call rate above the limit: excess calls get 503",
        ),
        (failing("403 Forbidden", 3), WARNING, Side.ACCOUNTS, "pool Pool: 3 of 10 rejected: 403 Forbidden"),
        (
            failing("904 Operation has no matching challenge"),
            WARNING,
            Side.ACCOUNTS,
            "pool Pool: 1 of 10 rejected: 904 Operation has no matching challenge",
        ),
        (failing("404 Not Found"), WARNING, Side.ACCOUNTS, "pool Pool: 1 of 10 not accepted: 404 Not Found"),
        (
            failing("no answer", 10),
            DOWN,
            Side.PROVIDER,
            "pool Pool: all 10 accounts cannot reach the registrar: no answer",
        ),
        (failing("503 Service Unavailable"), WARNING, Side.PROVIDER, "1 of 10 cannot reach the registrar"),
        (failing("500 Oops"), WARNING, Side.PROVIDER, "pool Pool: 1 of 10 not served: 500 Oops"),
        (
            with_pool(accounts=1, lines_used=0, failures={"403 Forbidden": 1}),
            DOWN,
            Side.ACCOUNTS,
            "pool Pool: its only account rejected: 403 Forbidden",
        ),
        (with_pool(lines_used=20), DOWN, Side.LINES, "pool Pool: all lines are taken, 20 of 20"),
        (with_pool(lines_used=18), WARNING, Side.LINES, "pool Pool: nearly all lines are taken, 18 of 20"),
        (
            with_pool(source=SourceState("may be out of date", "no route to host")),
            WARNING,
            Side.DATABASE,
            "pool Pool: may be out of date: no route to host",
        ),
        (
            with_pool(accounts=0, registrations={}, source=SourceState("not loaded yet", "no route to host")),
            DOWN,
            Side.DATABASE,
            "pool Pool: not loaded yet: no route to host",
        ),
        (
            with_pool(source=SourceState("up to date", "", 7)),
            WARNING,
            Side.DATABASE,
            "pool Pool: 7 rows are not valid accounts",
        ),
        (with_pool(drained=2), WARNING, Side.OPERATOR, "pool Pool: 2 of 10 drained"),
        (
            replace(WELL, providers=(replace(PROVIDER, is_drained=True),)),
            WARNING,
            Side.OPERATOR,
            'provider "Provider" is drained: its calls are declined',
        ),
        (replace(WELL, redis="Connection refused"), WARNING, Side.REDIS, "Connection refused"),
        (
            replace(WELL, edge=EdgeState("no Kamailio listens", 1_200, 0)),
            DOWN,
            Side.EDGE,
            "1,200 accounts through it cannot register or call: no Kamailio listens",
        ),
        (replace(WELL, edge=EdgeState("no Kamailio listens", 0, 0)), WARNING, Side.EDGE, "no Kamailio listens"),
        (replace(WELL, edge=EdgeState("", 1_200, 500)), WARNING, Side.EDGE, "it knows 500 of 1,200"),
        (replace(WELL, network="bound to 192.0.2.10"), DOWN, Side.NETWORK, "bound to 192.0.2.10"),
        (replace(WELL, sip="no answer to OPTIONS within 2 s on: inside"), DOWN, Side.SWITCH, "no answer to OPTIONS"),
        (
            with_calls(declined={"lines-taken": 1}),
            WARNING,
            Side.LINES,
            'provider "Provider": 1 call declined in 5 min: lines-taken',
        ),
        (
            with_calls(declined={"no-provider": 1_200}),
            WARNING,
            Side.CONFIGURATION,
            "1,200 calls declined in 5 min: no provider matches",
        ),
        (
            with_calls(bridged=20, failed={"NORMAL_TEMPORARY_FAILURE": 3, "USER_BUSY": 9}),
            WARNING,
            Side.PROVIDER,
            'provider "Provider": 3 of 20 calls failed in 5 min: NORMAL_TEMPORARY_FAILURE',
        ),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_problems(snapshot: Snapshot, severity: Severity, side: Side, what: str) -> None:
    (problem,) = find_problems(snapshot)
    assert (problem.severity, problem.side) == (severity, side)
    assert what in problem.what
    assert problem.advice


@pytest.mark.parametrize(
    "snapshot",
    [
        WELL,
        replace(WELL, redis="OK"),
        replace(WELL, edge=EdgeState("", 1_200, 1_200)),
        with_calls(bridged=100, answered=60, failed={"USER_BUSY": 40}),
        with_calls(bridged=100, failed={"NORMAL_TEMPORARY_FAILURE": 9}),
        with_calls(bridged=4, failed={"NORMAL_TEMPORARY_FAILURE": 2}),
        with_calls(declined={"account-not-found": 7, "draining": 2}),
        with_pool(accounts=0, registrations={}, lines_used=0),
        with_pool(registrations={"OK": 1, "Registration in progress": 9}),
        with_switch(sessions=None, max_sessions=None, idle_cpu_percent=None, version=""),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_no_problems(snapshot: Snapshot) -> None:
    assert find_problems(snapshot) == ()


def test_the_worst_come_first_and_kinds_of_failures_are_told_apart() -> None:
    snapshot = with_pool(failures={"403 Forbidden": 2, "407 Proxy Authentication": 1, "no answer": 2}, lines_used=20)
    assert [(each.severity, each.side) for each in find_problems(snapshot)] == [
        (DOWN, Side.LINES),
        (WARNING, Side.ACCOUNTS),
        (WARNING, Side.PROVIDER),
    ]
    refused = find_problems(snapshot)[1]
    assert isinstance(refused, Problem)
    assert "3 of 10 rejected: 403 Forbidden" in refused.what

"""Hundreds of calls while accounts are added, changed and removed: no line is ever wrong, and nothing leaks.

``SIPBRIDGE_CHURN_S=60 pytest -s tests/test_account_churn.py`` does it for a minute, and prints what happened.
"""

from __future__ import annotations

import gc
import itertools
import logging
import os
import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import TypeVar

import gevent
import pytest

from sipbridge.core.pools.account_pool import AccountPool, Line
from sipbridge.daemon.app import App
from sipbridge.simulator import Simulator
from support.account_churn import CALLS_PER_LINE, Accounts, Callers, MemoryDatabase, account, bridge, until
from support.line_watch import LineWatch

T = TypeVar("T")

CHURN_S = float(os.environ.get("SIPBRIDGE_CHURN_S", "4"))
CALLS = 500
CHANGES_PER_S = 100
HANG_UPS_PER_S = 30
USERS = [f"user{number}" for number in range(400)]


@pytest.mark.timeout(CHURN_S + 90)
def test_lines_are_right_while_accounts_churn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    # Hundreds of declined calls are no news here.
    caplog.set_level(logging.ERROR)
    # What is shown of the latest calls names accounts that are gone.
    monkeypatch.setattr("sipbridge.services.observe.call_feed._KEPT", 0)
    random = Random(4)
    greenlets_before = living_greenlets()
    database = MemoryDatabase()
    database.rows.update({user: account(user) for user in USERS[:300]})
    watch = LineWatch(monkeypatch)
    with bridge(tmp_path, database) as (simulator, app):
        (pool,) = app.table.pools.values()
        accounts = Accounts(app, database, USERS, random)
        callers = Callers(simulator, USERS, random)
        watch.begin(app, callers.calls)
        until("all are registered", lambda: is_settled(simulator, pool, database))
        until("all calls are held", lambda: fill_up(callers))
        churn(simulator, accounts, callers, random)
        held = len(callers.held)
        assert watch.violations == []
        until("all is as it should be", lambda: is_settled(simulator, pool, database))
        callers.hang_up_all()
        until("all lines are given back", lambda: app.calls_in_progress == 0)
        watch.check()
        print(accounts.changes, f"{callers.placed} calls, {held} held at the end, {watch}")  # noqa: T201
        assert watch.violations == []
        assert watch.exact_checks > watch.checks / 10
        assert min(watch.came_back, watch.reconciliations) > 1
        assert held > CALLS / 2
        assert_nothing_is_left(simulator, app, pool)
    assert simulator.registrar.bindings == set()
    assert living_greenlets() - greenlets_before == set()
    assert [record.getMessage() for record in caplog.records if record.exc_info] == []


def fill_up(callers: Callers) -> bool:
    """Place the calls that are missing; whether all are held."""
    callers.place_up_to(CALLS, at_once=50)
    return len(callers.held) == CALLS


def churn(simulator: Simulator, accounts: Accounts, callers: Callers, random: Random) -> None:
    """All of it at once, for as long as it is to last."""

    def break_link() -> None:
        simulator.faults.refuses_connections = True
        simulator.faults.drop_connections()
        gevent.sleep(random.uniform(0.0, 0.3))
        simulator.faults.refuses_connections = False

    happenings = [
        gevent.spawn(each_second, CHANGES_PER_S, accounts.change_one),
        gevent.spawn(each_second, HANG_UPS_PER_S, callers.hang_up_one),
        gevent.spawn(each_second, 50, lambda: callers.place_up_to(CALLS, at_once=20)),
        gevent.spawn(each_second, 0.6, break_link),
        gevent.spawn(each_second, 0.5, accounts.lose_notifications),
    ]
    gevent.wait(happenings, timeout=CHURN_S, count=1)
    gevent.killall(happenings)
    simulator.faults.refuses_connections = False
    for happening in happenings:
        happening.get()


def each_second(times: float, do: Callable[[], None]) -> None:
    """Do something at a steady rate."""
    started = time.monotonic()
    for number in itertools.count(1):
        gevent.sleep(max(0.0, started + number / times - time.monotonic()))
        do()


def is_settled(simulator: Simulator, pool: AccountPool, database: MemoryDatabase) -> bool:
    """Whether the pool is as the database is, and FreeSWITCH as the pool is."""
    gateways = simulator.switch.profiles["providers"].gateways
    return (
        {line.account.uri.user: line.account for line in pool} == database.rows
        and all(line.is_usable for line in pool)
        and simulator.registrar.bindings == {gateway.name for gateway in gateways}
        and len(simulator.registrar.bindings) == len(pool)
    )


def assert_nothing_is_left(simulator: Simulator, app: App, pool: AccountPool) -> None:
    """No call, no channel, no line that is not in the pool, and all of those are free."""
    assert all((line.calls, line.free_slots, line.is_available) == (0, CALLS_PER_LINE, True) for line in pool)
    assert pool.available_count == len(pool)
    assert simulator.switch.calls == {}
    assert list(simulator.switch.channels) == []
    # A call whose end was not told is known until the second look that does not find it.
    until("no other line is known", lambda: lines_of(pool) == {id(line) for line in pool})


def lines_of(pool: AccountPool) -> set[int]:
    """All that somebody still knows. Those of other pools are other tests' affair."""
    return {id(line) for line in objects(Line) if line.pool is pool}


def living_greenlets() -> set[gevent.Greenlet]:
    return {greenlet for greenlet in objects(gevent.Greenlet) if not greenlet.dead}


def objects(kind: type[T]) -> list[T]:
    """All of a kind that somebody still holds on to."""
    # The daemon lets the collector pass over what is there when it starts.
    gc.unfreeze()
    gc.collect()
    return [one for one in gc.get_objects() if isinstance(one, kind)]

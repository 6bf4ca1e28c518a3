"""Every greenlet of the daemon is watched: the first that fails stops it."""

from __future__ import annotations

from collections.abc import Iterator

import gevent
import pytest

from sipbridge.daemon.supervisor import Supervisor
from support.account_churn import until


@pytest.fixture
def stops() -> list[str]:
    return []


@pytest.fixture
def supervisor(stops: list[str]) -> Iterator[Supervisor]:
    made = Supervisor(lambda: stops.append("stop"))
    yield made
    if not made.has_failed:
        made.stop_all()


def fail() -> None:
    raise LookupError("a defect")


def test_a_greenlet_that_fails_stops_the_daemon_and_is_its_error(
    supervisor: Supervisor, stops: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    others = supervisor.spawn(gevent.sleep, 3600)
    supervisor.spawn(fail)
    until("it is noticed", lambda: bool(stops))
    assert supervisor.has_failed
    assert [record.levelname for record in caplog.records] == ["CRITICAL"]
    with pytest.raises(LookupError, match="a defect"):
        supervisor.stop_all()
    assert others.dead


def test_one_that_ends_or_is_stopped_is_no_failure(supervisor: Supervisor, stops: list[str]) -> None:
    ended = supervisor.spawn(lambda: None)
    stopped = supervisor.spawn(gevent.sleep, 3600)
    supervisor.stop(stopped)
    ended.join(5)
    supervisor.stop_all()
    assert stops == []
    assert not supervisor.has_failed


def test_steps_go_on_and_at_once_where_there_is_more_to_do(supervisor: Supervisor) -> None:
    done: list[int] = []

    def step() -> bool:
        done.append(len(done))
        return len(done) < 5

    supervisor.spawn_steps(step, 3600.0)
    until("there is no more to do", lambda: len(done) == 5)
    gevent.sleep(0)
    assert len(done) == 5


def test_a_step_that_fails_is_the_last(supervisor: Supervisor, stops: list[str]) -> None:
    supervisor.spawn_steps(fail, 0.0)
    until("it is noticed", lambda: bool(stops))
    with pytest.raises(LookupError):
        supervisor.stop_all()
    assert stops == ["stop"]

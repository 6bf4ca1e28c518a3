"""A flood of one warning is a few lines and a count; other lines, and those of calls, are all there."""

from __future__ import annotations

import logging

import pytest

from sipbridge.adapters.observe.log_limit import LINES_PER_S, LogLimit

REDIS = "sipbridge.adapters.redis.redis_notifications"


class Log:
    def __init__(self) -> None:
        self.now = 100.0
        self.lines: list[str] = []
        self._limit = LogLimit(lambda: self.now)

    def write(self, text: str, *arguments: object, level: int = logging.WARNING, name: str = REDIS) -> None:
        record = logging.LogRecord(name, level, "", 0, text, arguments, None)
        if self._limit.admits(record):
            self.lines.append(record.getMessage())


@pytest.fixture
def log() -> Log:
    return Log()


def test_a_flood_is_as_many_lines_as_are_read_and_a_count(log: Log) -> None:
    for number in range(10_000):
        log.write("not a notification: %s", number)
    assert log.lines == [f"not a notification: {number}" for number in range(int(LINES_PER_S))]
    log.now += 1.0
    log.write("not a notification: %s", "later")
    assert log.lines[-1] == "not a notification: later (9990 more of these left out)"
    log.write("not a notification: %s", "last")
    assert log.lines[-1] == "not a notification: last"


def test_another_kind_is_not_left_out(log: Log) -> None:
    for _ in range(100):
        log.write("not a notification: %s", "x")
    log.write("a row is skipped")
    assert log.lines[-1] == "a row is skipped"


@pytest.mark.parametrize(
    ("level", "name"),
    [(logging.INFO, REDIS), (logging.WARNING, "sipbridge.services.observe.call_log")],
    ids=["information", "calls"],
)
def test_some_are_never_left_out(log: Log, level: int, name: str) -> None:
    for _ in range(100):
        log.write("call declined: %s", "busy", level=level, name=name)
    assert len(log.lines) == 100


def test_the_state_is_bounded(log: Log) -> None:
    for number in range(5_000):
        log.write(f"a text made on the fly {number}")
    assert len(log.lines) == 5_000

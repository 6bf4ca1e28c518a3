"""Pauses double up to the longest, are shortened by up to half by jitter, and start again after a success."""

from __future__ import annotations

import pytest

from sipbridge.core.backoff import Backoff, doubled_pause_s

PAUSES = [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0]


def test_it_doubles_up_to_the_longest_pause() -> None:
    backoff = Backoff(1.0, 30.0)
    now, pauses = 100.0, []
    assert backoff.is_due(now)
    for failures in range(1, 9):
        said = backoff.failed(now)
        assert backoff.failures == failures
        before = now
        while not backoff.is_due(now):
            now += 0.5
        pauses.append(now - before)
        assert said == pauses[-1]
    assert pauses == PAUSES
    assert [doubled_pause_s(failures, 1.0, 30.0) for failures in range(1, 9)] == PAUSES


@pytest.mark.parametrize("failures", [1, 5_000])
def test_it_starts_afresh_after_a_success(failures: int) -> None:
    backoff = Backoff(1.0, 30.0)
    for _ in range(failures):
        backoff.failed(100.0)
    backoff.succeeded()
    assert backoff.failures == 0
    assert backoff.is_due(0.0)
    assert backoff.failed(100.0) == 1.0
    assert backoff.is_due(101.0)
    assert not backoff.is_due(100.9)


@pytest.mark.parametrize(("jitter", "part"), [(0.0, 0.5), (0.5, 0.75), (1.0, 1.0)])
def test_jitter_takes_at_most_half_of_a_pause(jitter: float, part: float) -> None:
    backoff = Backoff(1.0, 30.0, jitter=lambda: jitter)
    assert [backoff.failed(100.0) for _ in PAUSES] == [pause * part for pause in PAUSES]
    assert backoff.is_due(100.0 + 30.0 * part)
    assert not backoff.is_due(99.9 + 30.0 * part)

"""Paces never exceed their rate; backoffs double and start afresh."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipbridge.services.pace import Backoff, Pace

# Sixteenths and eighths are exact in binary: what is tested is the pace, not the rounding.
_PAUSES = st.lists(st.sampled_from([0.0, 0.125, 0.25, 0.5, 1.0, 1.25, 7.0]), min_size=1, max_size=60)


def _takes(pace: Pace, moments: Iterable[float], at_most: int = 40) -> list[float]:
    """When something happened, if as much as possible is wanted at each of the moments."""
    happened: list[float] = []
    for now in moments:
        for _ in range(at_most):
            if not pace.take(now):
                break
            happened.append(now)
    return happened


def _moments(pauses: Iterable[float]) -> list[float]:
    moments = [100.0]
    for pause in pauses:
        moments.append(moments[-1] + pause)
    return moments


@given(_PAUSES, st.sampled_from([0.0625, 0.125, 0.25, 0.5]))
def test_a_short_interval_is_kept_on_average_over_any_window(pauses: list[float], interval: float) -> None:
    happened = _takes(Pace(interval), _moments(pauses))
    for first, start in enumerate(happened):
        for last in range(first, len(happened)):
            window = happened[last] - start
            assert last - first + 1 <= 1 + (window + 1.0) / interval


@given(_PAUSES, st.sampled_from([1.0, 1.5, 2.0, 10.0]))
def test_a_long_interval_lies_between_any_two(pauses: list[float], interval: float) -> None:
    happened = _takes(Pace(interval), _moments(pauses))
    assert all(after - before >= interval for before, after in pairwise(happened))


def test_a_steady_demand_gets_its_whole_rate() -> None:
    happened = _takes(Pace(0.125), _moments([0.25] * 40))
    assert len(happened) == 1 + 80
    assert bisect_right(happened, 105.0) == 1 + 40


def test_a_rest_is_not_saved_up_for_a_burst() -> None:
    pace = Pace(0.125)
    assert pace.take(100.0)
    assert len(_takes(pace, [160.0])) == 1


def test_backoff_doubles_up_to_the_longest_pause() -> None:
    backoff = Backoff(1.0, 30.0)
    now, pauses = 100.0, []
    assert backoff.is_due(now)
    for failures in range(1, 9):
        assert backoff.failed(now) == failures
        before = now
        while not backoff.is_due(now):
            now += 0.5
        pauses.append(now - before)
    assert pauses == [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0]


@pytest.mark.parametrize("failures", [1, 5_000])
def test_backoff_starts_afresh_after_a_success(failures: int) -> None:
    backoff = Backoff(1.0, 30.0)
    for _ in range(failures):
        backoff.failed(100.0)
    backoff.succeeded()
    assert backoff.is_due(0.0)
    assert backoff.failed(100.0) == 1
    assert backoff.is_due(101.0)
    assert not backoff.is_due(100.9)

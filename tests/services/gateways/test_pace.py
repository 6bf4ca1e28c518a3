"""Paces never exceed their rate."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from sipbridge.services.gateways.pace import Pace

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

"""Recent events count, older ones are forgotten."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sipbridge.core.observe.recent_counts import RecentCounts


def test_what_is_older_than_the_window_counts_no_longer() -> None:
    counts: RecentCounts[str] = RecentCounts(window_s=60)
    counts.add("a", 1_000.2)
    counts.add("a", 1_030.0)
    counts.add("b", 1_030.9)
    assert counts.totals(1_031.0) == {"a": 2, "b": 1}
    assert counts.totals(1_060.0) == {"a": 1, "b": 1}
    assert counts.totals(1_090.0) == {}


def test_a_rate_is_that_of_the_seconds_that_are_over() -> None:
    counts: RecentCounts[str] = RecentCounts(window_s=300)
    for second in range(20):
        for kind in ("call", "call", "other"):
            counts.add(kind, 1_000.0 + second)
    assert counts.per_second(lambda kind: kind == "call", 1_019.5, over_s=10) == 2.0
    assert counts.per_second(lambda _: True, 1_025.0, over_s=10) == 1.5
    assert counts.per_second(lambda _: True, 1_500.0) == 0.0


@given(
    st.lists(st.tuples(st.floats(0, 4), st.sampled_from("abc")), max_size=60),
    st.floats(0, 30),
)
def test_counts_are_those_of_the_last_seconds(pauses: list[tuple[float, str]], later: float) -> None:
    counts: RecentCounts[str] = RecentCounts(window_s=10)
    now, happened = 0.0, []
    for pause, kind in pauses:
        now += pause
        counts.add(kind, now)
        happened.append((int(now), kind))
    now += later
    expected = [kind for second, kind in happened if second > int(now) - 10]
    assert counts.totals(now) == {kind: expected.count(kind) for kind in set(expected)}

"""Metrics: a definition and its samples. Pure.

Counters are plain numbers, so that counting costs next to nothing; `Metric` objects are built only on scrape.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum


class MetricKind(Enum):
    """The type of a metric."""

    GAUGE = "gauge"
    """Goes up and down."""
    COUNTER = "counter"
    """Only goes up, from 0 at the start of the controller."""
    HISTOGRAM = "histogram"
    """Counts observations by size."""


class Histogram:
    """Counts observations by size.

    Args:
        bounds: upper bounds of the buckets, ascending; one more bucket holds everything larger.

    Attributes:
        counts: the count of each bucket, including the last one; not cumulative.
        total: the sum of all observations.
    """

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = tuple(bounds)
        self.counts = [0] * (len(self.bounds) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        """Count an observation."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    def cumulated(self) -> list[tuple[str, int]]:
        """Return each upper bound as text with the cumulative count: ``[("0.1", 3), ("+Inf", 4)]``."""
        told, so_far = [], 0
        for bound, count in zip([*(f"{bound:g}" for bound in self.bounds), "+Inf"], self.counts, strict=True):
            so_far += count
            told.append((bound, so_far))
        return told


Samples = Mapping[tuple[str, ...], float | Histogram]
"""Values, by label values."""


@dataclass(frozen=True, slots=True)
class MetricDefinition:
    """A public name and its meaning.

    Attributes:
        name: with its unit, by Prometheus convention: ``sipbridge_call_setup_seconds``. A counter ends in ``_total``.
        text: its meaning, for people.
        labels: the label names. Their values come from the configuration or a fixed list, never from callers, because
            each value costs memory for as long as the metrics are kept.
    """

    name: str
    kind: MetricKind
    text: str
    labels: tuple[str, ...] = ()

    def of(self, samples: Samples) -> Metric:
        """Return the metric with its samples."""
        return Metric(self, samples)

    def one(self, value: float | Histogram) -> Metric:
        """Return the metric with its only value."""
        return Metric(self, {(): value})


@dataclass(frozen=True, slots=True)
class Metric:
    """A definition and its values at one moment."""

    definition: MetricDefinition
    samples: Samples


MetricSource = Callable[[], Iterable[Metric]]
"""Returns metrics with their current values."""

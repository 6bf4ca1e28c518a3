"""What is counted, and how a count is told: a definition and its samples make a metric. Pure.

Who counts keeps plain numbers, so that counting costs next to nothing; only who is asked makes metrics of them.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum


class MetricKind(Enum):
    """How a number moves."""

    GAUGE = "gauge"
    """Up and down."""
    COUNTER = "counter"
    """Up only, from 0 at the start of the controller."""
    HISTOGRAM = "histogram"
    """How many observations were how large."""


class Histogram:
    """How many observations were how large.

    Args:
        bounds: upper bounds of the buckets, ascending; what is larger than the last one counts in a bucket of its own.

    Attributes:
        counts: of each bucket alone, the last one included.
        total: sum of all that was observed.
    """

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = tuple(bounds)
        self.counts = [0] * (len(self.bounds) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        """Count one."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    def cumulated(self) -> list[tuple[str, int]]:
        """Upper bound, as text, and how many were not larger: ``[("0.1", 3), ("+Inf", 4)]``."""
        told, so_far = [], 0
        for bound, count in zip([*(f"{bound:g}" for bound in self.bounds), "+Inf"], self.counts, strict=True):
            so_far += count
            told.append((bound, so_far))
        return told


Samples = Mapping[tuple[str, ...], float | Histogram]
"""Values by the values of their labels."""


@dataclass(frozen=True, slots=True)
class MetricDefinition:
    """A name that operators may rely on.

    Attributes:
        name: with its unit, as Prometheus has it: ``sipbridge_call_setup_seconds``. A counter ends in ``_total``.
        text: what it says, for people.
        labels: what its samples are told apart by. Their values come from the configuration or a fixed list, never
            from callers: each costs memory for as long as the metrics are kept.
    """

    name: str
    kind: MetricKind
    text: str
    labels: tuple[str, ...] = ()

    def of(self, samples: Samples) -> Metric:
        """With its values."""
        return Metric(self, samples)

    def one(self, value: float | Histogram) -> Metric:
        """With its only value."""
        return Metric(self, {(): value})


@dataclass(frozen=True, slots=True)
class Metric:
    """A definition and its values, at one moment."""

    definition: MetricDefinition
    samples: Samples


MetricSource = Callable[[], Iterable[Metric]]
"""Tells its metrics as they are now."""

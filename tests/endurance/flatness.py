"""What a process held, measured again and again, becomes a verdict: flat, or what grew. Pure.

The later half of the measurements counts: by then what is kept on purpose, such as the latest calls, is full. A
straight line is laid through it, because memory goes up and down a little by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Holdings:
    """What the daemon holds at one moment, between calls.

    Attributes:
        calls: how many it has had.
        seconds: since the first.
        resident_kb: memory.
        objects: those that the garbage collector knows, by type.
        tables: how much is in each collection that is an attribute of one of our objects, by class and attribute.
    """

    calls: int
    seconds: float
    resident_kb: float
    descriptors: int
    greenlets: int
    objects: Mapping[str, int]
    tables: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Bound:
    """How much may have come in the later half.

    Attributes:
        flat: whatever the number of calls, for what goes up and down by itself.
        per_call: a leak of anything at all with each call is a hundred times more.
    """

    flat: float
    per_call: float

    def over(self, calls: int) -> float:
        """What it allows for so many calls."""
        return self.flat + self.per_call * calls


RESIDENT_KB = Bound(flat=4_096, per_call=0)
"""8 bytes a call in the later half of a million; Python has no object that is so small."""
OBJECTS = Bound(flat=2_000, per_call=0.001)
"""Of one type, or in one table: each of the last 300 seconds has some, and so have a few hundred accounts."""
SINGLE = Bound(flat=16, per_call=0)
"""Descriptors and greenlets: that a follower of calls is gone is noticed some seconds later."""


@dataclass(frozen=True, slots=True)
class Growth:
    """What something grew by in the later half, by the line through it, and what it may have."""

    what: str
    by: float
    bound: float

    @property
    def is_flat(self) -> bool:
        """Whether that is little enough."""
        return self.by <= self.bound

    def __str__(self) -> str:
        return f"{self.what}: {self.by:+,.1f} (at most {self.bound:+,.1f})"


def growths(measured: Sequence[Holdings]) -> Iterator[Growth]:
    """What everything grew by in the later half; the great ones, then each type of object and each table."""
    later = measured[len(measured) // 2 :]

    def growth(what: str, bound: Bound, value: Callable[[Holdings], float]) -> Growth:
        calls = later[-1].calls - later[0].calls
        by = _slope([(each.calls, value(each)) for each in later]) * calls
        return Growth(what, by, bound.over(calls))

    yield growth("resident memory, kB", RESIDENT_KB, lambda each: each.resident_kb)
    yield growth("descriptors", SINGLE, lambda each: each.descriptors)
    yield growth("greenlets", SINGLE, lambda each: each.greenlets)
    yield growth("objects", OBJECTS, lambda each: sum(each.objects.values()))
    for kind in sorted({name for each in later for name in each.objects}):
        yield growth(f"objects, {kind}", OBJECTS, lambda each, kind=kind: each.objects.get(kind, 0))  # type: ignore[misc]
    for table in sorted({name for each in later for name in each.tables}):
        yield growth(f"table, {table}", OBJECTS, lambda each, table=table: each.tables.get(table, 0))  # type: ignore[misc]


def _slope(points: Sequence[tuple[float, float]]) -> float:
    """Of the straight line that is nearest to them: least squares."""
    middle_x = sum(x for x, _ in points) / len(points)
    middle_y = sum(y for _, y in points) / len(points)
    spread = sum((x - middle_x) ** 2 for x, _ in points)
    return sum((x - middle_x) * (y - middle_y) for x, y in points) / spread if spread else 0.0

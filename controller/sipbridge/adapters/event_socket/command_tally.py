"""Counts Event Socket commands over all connections of the daemon's life. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from sipbridge.core.observe import metrics
from sipbridge.core.observe.metric import Histogram, Metric

_ROUND_TRIP_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 10)


class CommandTally:
    """Commands by result, and their round-trip times.

    Attributes:
        ok: commands that were carried out.
        refused: commands that FreeSWITCH answered with an error.
        lost: commands without an answer.
    """

    __slots__ = ("lost", "ok", "refused", "round_trip")

    def __init__(self) -> None:
        self.ok = 0
        self.refused = 0
        self.lost = 0
        self.round_trip = Histogram(_ROUND_TRIP_S)

    def note(self, took_s: float, *, is_error: bool) -> None:
        """Count an answer."""
        if is_error:
            self.refused += 1
        else:
            self.ok += 1
        self.round_trip.observe(took_s)

    def metrics(self) -> Iterator[Metric]:
        """Yield all counters."""
        yield metrics.COMMANDS.of({("ok",): self.ok, ("refused",): self.refused, ("lost",): self.lost})
        yield metrics.ROUND_TRIP.one(self.round_trip)

"""Provides the metrics of admission."""

from __future__ import annotations

from collections.abc import Iterator

from sipbridge.core.observe import metrics
from sipbridge.core.observe.metric import Metric
from sipbridge.services.calls.admission import Admission


class AdmissionMetrics:
    """The metrics of admission."""

    def __init__(self, admission: Admission) -> None:
        self._admission = admission

    def metrics(self) -> Iterator[Metric]:
        """Yield whether there is a call storm, and how often the switch was told to refuse calls."""
        yield metrics.CALL_STORM.one(self._admission.is_storm)
        yield metrics.CALLS_HELD.one(self._admission.times_shut)

"""Counts calls by outcome. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator

from sipbridge.core.calls.call_record import CallDecided, CallOutcome, CallRecord
from sipbridge.core.calls.hangup_causes import known_cause
from sipbridge.core.calls.routing import DeclineReason
from sipbridge.core.observe import metrics
from sipbridge.core.observe.metric import Histogram, Metric

_DECISION_S = (0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.1)
_SETUP_S = (0.1, 0.25, 0.5, 1, 2, 3, 5, 8, 12, 20, 30, 60)
_TALK_S = (1, 5, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200)

_WITHOUT_PROVIDER = (DeclineReason.NO_PROVIDER, DeclineReason.MALFORMED_OFFER, DeclineReason.OVERLOAD)
"""Decline reasons that apply before a provider is selected."""


class _PerProvider(dict[tuple[str, ...], Histogram]):
    """A histogram per provider, created on first use."""

    def __init__(self, bounds: tuple[float, ...]) -> None:
        super().__init__()
        self._bounds = bounds

    def __missing__(self, provider: tuple[str, ...]) -> Histogram:
        made = self[provider] = Histogram(self._bounds)
        return made

    def observe(self, provider: tuple[str, ...], value: float | None) -> None:
        if value is not None and value >= 0:
            self[provider].observe(value)


class CallTally:
    """Counts calls by outcome; labels are only provider names and reasons, never text from callers.

    Args:
        providers: returns the names of the current providers.
    """

    def __init__(self, providers: Callable[[], Iterable[str]]) -> None:
        self._providers = providers
        self._calls: Counter[tuple[str, ...]] = Counter()
        self._decision = Histogram(_DECISION_S)
        self._progress = _PerProvider(_SETUP_S)
        self._setup = _PerProvider(_SETUP_S)
        self._talk = _PerProvider(_TALK_S)

    def on_call_decided(self, decided: CallDecided) -> None:
        """Count the time to decide."""
        self._decision.observe(decided.took_s)

    def on_call_over(self, record: CallRecord) -> None:
        """Count the outcome."""
        provider = record.provider or ""
        declined = record.outcome is CallOutcome.DECLINED
        self._calls[provider, record.outcome.value, record.reason if declined else known_cause(record.reason)] += 1
        times, key = record.times, (provider,)
        self._progress.observe(key, times.progress_s)
        self._setup.observe(key, times.setup_s)
        self._talk.observe(key, times.talk_s)

    def metrics(self) -> Iterator[Metric]:
        """All of it."""
        yield metrics.CALLS.of(dict.fromkeys(self._expected(), 0) | self._calls)
        yield metrics.DECISION.one(self._decision)
        yield metrics.PROGRESS.of(self._progress)
        yield metrics.SETUP.of(self._setup)
        yield metrics.TALK.of(self._talk)

    def _expected(self) -> Iterator[tuple[str, ...]]:
        """Yield the label sets that alerts use: Prometheus misses the first increase of a count that did not exist."""
        for reason in _WITHOUT_PROVIDER:
            yield "", CallOutcome.DECLINED.value, reason.value
        yield "", CallOutcome.UNDECIDED.value, "NORMAL_TEMPORARY_FAILURE"
        for provider in self._providers():
            yield provider, CallOutcome.ANSWERED.value, "NORMAL_CLEARING"
            yield provider, CallOutcome.LOST.value, ""
            for reason in DeclineReason:
                if reason not in _WITHOUT_PROVIDER:
                    yield provider, CallOutcome.DECLINED.value, reason.value

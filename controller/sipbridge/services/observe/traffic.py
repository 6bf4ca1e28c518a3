"""Counts decisions and ends of calls, recent and total, by provider and reason. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from enum import Enum
from typing import NamedTuple

from sipbridge.core.calls.call_record import CallDecided, CallOutcome, CallRecord
from sipbridge.core.calls.routing import Bridge, Decline
from sipbridge.core.observe.provider_problems import EVERYDAY_CAUSES
from sipbridge.core.observe.recent_counts import RecentCounts
from sipbridge.core.observe.snapshot import CallCounts, Failure
from sipbridge.ports import Clock

RECENT_S = 300
"""The window of recent counts: long enough for a quiet bridge, short enough to show current problems."""


class _Happened(Enum):
    BRIDGED = "bridged"
    DECLINED = "declined"
    ANSWERED = "answered"
    FAILED = "failed"

    # The default hash of an enum reads the name on every count, which is slow.
    __hash__ = object.__hash__


class _Kind(NamedTuple):
    """The key of a count: provider (``""`` for none), event and reason."""

    provider: str
    happened: _Happened
    reason: str = ""


class Traffic:
    """A `CallObserver` that counts."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._recent: RecentCounts[_Kind] = RecentCounts(RECENT_S)
        self._total: Counter[_Kind] = Counter()
        self._last_failure: dict[str, tuple[Decline | CallRecord, float]] = {}

    def on_call_decided(self, decided: CallDecided) -> None:
        """Count a call that was bridged or declined."""
        decision = decided.decision
        if isinstance(decision, Bridge):
            self._count(_Kind(decision.provider.name, _Happened.BRIDGED))
        else:
            provider = decision.provider.name if decision.provider else ""
            self._last_failure[provider] = (decision, self._clock.monotonic())
            self._count(_Kind(provider, _Happened.DECLINED, decision.reason.value))

    def on_call_over(self, record: CallRecord) -> None:
        """Count how a bridged call ended; declined calls are counted already, and calls without a line are not ours."""
        if record.line is None:
            return
        provider = record.provider or ""
        if record.outcome is CallOutcome.ANSWERED:
            self._count(_Kind(provider, _Happened.ANSWERED))
        elif record.outcome is CallOutcome.FAILED:
            if record.hangup_cause not in EVERYDAY_CAUSES:
                self._last_failure[provider] = (record, self._clock.monotonic())
            self._count(_Kind(provider, _Happened.FAILED, record.hangup_cause))

    def per_second(self) -> float:
        """Return the number of calls decided per second."""
        decided = (_Happened.BRIDGED, _Happened.DECLINED)
        return self._recent.per_second(lambda kind: kind.happened in decided, self._clock.monotonic())

    def recent(self) -> Mapping[str | None, CallCounts]:
        """Return the recent counts by provider, and under None those of all calls."""
        return _by_provider(self._recent.totals(self._clock.monotonic()))

    def total(self) -> Mapping[str | None, CallCounts]:
        """Return the counts since the daemon started, in the same form."""
        return _by_provider(self._total)

    def last_failure(self, provider: str) -> Failure | None:
        """Return the provider's last declined or failed call, not counting failures by the callee's choice."""
        found = self._last_failure.get(provider)
        return Failure(_text(found[0]), self._clock.monotonic() - found[1]) if found else None

    def _count(self, kind: _Kind) -> None:
        self._total[kind] += 1
        self._recent.add(kind, self._clock.monotonic())


def _by_provider(counts: Mapping[_Kind, int]) -> dict[str | None, CallCounts]:
    kinds: dict[str | None, Counter[tuple[_Happened, str]]] = {None: Counter()}
    for kind, number in counts.items():
        for provider in (None, kind.provider):
            kinds.setdefault(provider, Counter())[kind.happened, kind.reason] += number
    return {provider: _call_counts(of_provider) for provider, of_provider in kinds.items()}


def _call_counts(counts: Counter[tuple[_Happened, str]]) -> CallCounts:
    def reasons(happened: _Happened) -> dict[str, int]:
        return {reason: number for (what, reason), number in counts.most_common() if what is happened}

    return CallCounts(
        bridged=counts[_Happened.BRIDGED, ""],
        answered=counts[_Happened.ANSWERED, ""],
        declined=reasons(_Happened.DECLINED),
        failed=reasons(_Happened.FAILED),
    )


def _text(failed: Decline | CallRecord) -> str:
    if isinstance(failed, CallRecord):
        status = f"{failed.sip_status} " if failed.sip_status else ""
        return f"{status}{failed.hangup_cause}{_account(failed.line.account.uri.text if failed.line else '')}"
    account = failed.line.account.uri.text if failed.line else ""
    return f"{failed.reason.value}, {failed.detail}{_account(account)}"


def _account(uri: str) -> str:
    return f" ({uri})" if uri else ""

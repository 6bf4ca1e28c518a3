"""Finds the problems of providers, their accounts and their calls. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from sipbridge.core.gateways.registration import NO_ANSWER_STATUSES, REFUSED_STATUSES, RegistrationStatus
from sipbridge.core.observe.problem import Problem, Severity, Side, of_accounts
from sipbridge.core.observe.snapshot import PoolState, Snapshot


def registrations(snapshot: Snapshot) -> Iterator[Problem]:
    """Find accounts that cannot register, by the side that has to act."""
    for pool in snapshot.pools:
        kinds: Counter[_Kind] = Counter()
        reasons: dict[_Kind, str] = {}
        for reason, number in pool.failures.items():
            kind = _kind_of(reason)
            kinds[kind] += number
            reasons.setdefault(kind, reason)
        for kind, number in kinds.most_common():
            yield _unregistered(pool, kind, number, reasons[kind])


def _unregistered(pool: PoolState, kind: _Kind, number: int, reason: str) -> Problem:
    failed = max(number, pool.registrations.get(RegistrationStatus.FAILED.value, 0))
    severity = Severity.DOWN if failed >= pool.accounts else Severity.WARNING
    what = f"pool {pool.name}: {of_accounts(number, pool.accounts)} {kind.what}: {reason}"
    return Problem(severity, kind.side, what, kind.advice.format(registrar=pool.registrar))


def lines_taken(snapshot: Snapshot) -> Iterator[Problem]:
    """Find pools whose lines are all taken, or nearly."""
    for pool in snapshot.pools:
        if not pool.lines or pool.lines_used < _NEARLY_FULL * pool.lines:
            continue
        full = pool.lines_used >= pool.lines
        taken = "all lines are taken" if full else "nearly all lines are taken"
        what = f"pool {pool.name}: {taken}, {pool.lines_used:,} of {pool.lines:,}"
        advice = "Further calls are declined: add accounts, or raise maxCallsPerLine if the provider allows it."
        yield Problem(Severity.DOWN if full else Severity.WARNING, Side.LINES, what, advice)


def declined_calls(snapshot: Snapshot) -> Iterator[Problem]:
    """Find calls that were declined for a reason that can be fixed."""
    for provider in snapshot.providers:
        for reason, number in provider.recent.declined.items():
            if reason in _DECLINES:
                side, advice = _DECLINES[reason]
                what = f'provider "{provider.name}": {_calls(number)} declined in 5 min: {reason}'
                yield Problem(Severity.WARNING, side, what, advice)
    nobody = snapshot.traffic.recent.declined.get("no-provider", 0)
    if nobody:
        what = f"{_calls(nobody)} declined in 5 min: no provider matches"
        advice = "`sipbridge calls --follow` shows them; `sipbridge explain` shows why each provider does not match."
        yield Problem(Severity.WARNING, Side.CONFIGURATION, what, advice)
    malformed = snapshot.traffic.recent.declined.get("malformed-offer", 0)
    if malformed:
        what = f"{_calls(malformed)} declined in 5 min: malformed SDP"
        advice = "A faulty telephone, or an attack on FreeSWITCH: the log names each call, the line and what is wrong."
        yield Problem(Severity.WARNING, Side.CALLERS, what, advice)


def failed_calls(snapshot: Snapshot) -> Iterator[Problem]:
    """Find providers with more than a few failed calls, not counting failures by the callee's choice."""
    for provider in snapshot.providers:
        bad = {cause: n for cause, n in provider.recent.failed.items() if cause not in EVERYDAY_CAUSES}
        number = sum(bad.values())
        if number >= _MANY_FAILED and number >= _MANY_FAILED_SHARE * provider.recent.bridged:
            what = (
                f'provider "{provider.name}": {number:,} of {provider.recent.bridged:,} calls failed in 5 min: '
                f"{', '.join(sorted(bad, key=lambda cause: -bad[cause])[:3])}"
            )
            advice = "The cause is the far side or the path to it: `sipbridge calls --follow` shows each SIP status."
            yield Problem(Severity.WARNING, Side.PROVIDER, what, advice)


EVERYDAY_CAUSES = frozenset(
    {"USER_BUSY", "NO_ANSWER", "NO_USER_RESPONSE", "CALL_REJECTED", "ORIGINATOR_CANCEL", "NORMAL_CLEARING", "LOSE_RACE"}
)
"""Hangup causes that are the choice of one party, or normal."""


_NEARLY_FULL = 0.9
_MANY_FAILED = 3
_MANY_FAILED_SHARE = 0.1

_DECLINES = {
    "lines-taken": (Side.LINES, "All its accounts are at their call limit: add accounts, or raise maxCallsPerLine."),
    "bad-address": (
        Side.CONFIGURATION,
        "Its outgoingInvite does not result in a valid SIP URI: `sipbridge calls --follow` shows it.",
    ),
    "media-not-offered": (
        Side.CONFIGURATION,
        "FreeSWITCH cannot offer its media: `sipbridge check` says why.",
    ),
}
"""Decline reasons that are problems. Accounts that are not found are normal on some bridges, so they are not listed."""


@dataclass(frozen=True, slots=True)
class _Kind:
    """A kind of registration failure."""

    side: Side
    what: str
    advice: str


_REFUSED = _Kind(
    Side.ACCOUNTS, "rejected", "The secret is wrong, or the provider has locked the account: ask the provider."
)
_UNKNOWN = _Kind(Side.ACCOUNTS, "not accepted", "The registrar does not accept them: ask the provider.")
_SILENT = _Kind(
    Side.PROVIDER, "cannot reach the registrar", "{registrar} is unreachable or overloaded: run `sipbridge doctor`."
)
_BROKEN = _Kind(Side.PROVIDER, "not served", "{registrar} reports errors: contact the provider.")


def _kind_of(reason: str) -> _Kind:
    """Classify a failure. FreeSWITCH reports 503 and 908 when the registrar does not answer."""
    status = reason[:3]
    if status in REFUSED_STATUSES:
        return _REFUSED
    if status in NO_ANSWER_STATUSES | {"503", "504"} or not status.isdigit():
        return _SILENT
    return _BROKEN if status[0] in "569" else _UNKNOWN


def _calls(number: int) -> str:
    return f"{number:,} call{'' if number == 1 else 's'}"

"""A snapshot becomes what is wrong, and on whose side: what somebody reads at three in the morning. Pure.

A new rule is a function in `_RULES`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum

from sipbridge.core.gateway import NO_ANSWER_STATUSES, REFUSED_STATUSES
from sipbridge.core.snapshot import PoolState, Snapshot


class Severity(Enum):
    """How bad it is."""

    DOWN = "down"
    """Calls do not get through: all of them, or all of a pool."""
    WARNING = "warning"


class Side(Enum):
    """Who has to do something."""

    SWITCH = "FreeSWITCH"
    PROVIDER = "provider"
    ACCOUNTS = "accounts"
    """Their secrets or names: whoever keeps them."""
    LINES = "lines"
    DATABASE = "database"
    REDIS = "Redis"
    EDGE = "edge"
    NETWORK = "network"
    CONFIGURATION = "config"
    CALLERS = "callers"
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that a person has to look at.

    Attributes:
        what: ``pool Jabiru: 3 of 12 accounts are refused: 403 Forbidden``.
        advice: what to do.
    """

    severity: Severity
    side: Side
    what: str
    advice: str


def find_problems(snapshot: Snapshot) -> tuple[Problem, ...]:
    """What is wrong, the worst first."""
    found = [problem for rule in _RULES for problem in rule(snapshot)]
    return tuple(sorted(found, key=lambda problem: problem.severity is not Severity.DOWN))


def _switch(snapshot: Snapshot) -> Iterator[Problem]:
    switch, bridge = snapshot.switch, snapshot.bridge
    if not switch.is_connected:
        what = f"not connected: {switch.problem}"
        advice = "New calls are refused. Is FreeSWITCH running? `sipbridge doctor` looks further."
        yield Problem(Severity.DOWN, Side.SWITCH, what, advice)
    elif bridge.is_drained:
        advice = "`sipbridge drain --undo` takes calls again, unless the bridge is stopping."
        yield Problem(Severity.DOWN, Side.OPERATOR, "the bridge is drained: it takes no new calls", advice)
    elif not switch.has_lease:
        advice = "New calls get 503 until it has told which calls and gateways it has; that takes seconds."
        yield Problem(Severity.DOWN, Side.SWITCH, "connected, but not asked out yet", advice)


def _network(snapshot: Snapshot) -> Iterator[Problem]:
    if snapshot.network:
        advice = (
            "Is the cable in, is the address still ours? `sipbridge doctor` looks further; it is followed by itself."
        )
        yield Problem(Severity.DOWN, Side.NETWORK, snapshot.network, advice)


def _switch_load(snapshot: Snapshot) -> Iterator[Problem]:
    switch = snapshot.switch
    if switch.sessions and switch.max_sessions and switch.sessions >= 0.9 * switch.max_sessions:
        what = f"{switch.sessions:,} of {switch.max_sessions:,} sessions in use"
        yield Problem(Severity.WARNING, Side.SWITCH, what, "It refuses calls beyond: max-sessions in switch.conf.xml.")
    if switch.idle_cpu_percent is not None and switch.idle_cpu_percent < _BUSY_BELOW_PERCENT:
        what = f"its machine is busy: {100 - switch.idle_cpu_percent:.0f} % CPU"
        yield Problem(Severity.WARNING, Side.SWITCH, what, "Calls begin to be late: look for what takes the CPU.")


def _switch_memory(snapshot: Snapshot) -> Iterator[Problem]:
    switch = snapshot.switch
    if switch.loses_much:
        what = f"holds some {switch.lost_mb:,.0f} MB for {switch.lost_gateways:,} gateways that are gone"
        advice = "Restart the provider profile in a quiet hour: its calls end, and all accounts register anew."
        yield Problem(Severity.WARNING, Side.SWITCH, what, advice)


def _storm(snapshot: Snapshot) -> Iterator[Problem]:
    if snapshot.bridge.is_storm:
        what = "more calls a second than are let in: the excess gets 503"
        advice = "Who sends so many? What FreeSWITCH can carry is max_calls_per_s in [calls] of the settings."
        yield Problem(Severity.WARNING, Side.CALLERS, what, advice)


def _drained(snapshot: Snapshot) -> Iterator[Problem]:
    for provider in snapshot.providers:
        if provider.is_drained:
            what = f'provider "{provider.name}" is drained: its calls are declined'
            advice = f'`sipbridge drain --undo --provider "{provider.name}"`'
            yield Problem(Severity.WARNING, Side.OPERATOR, what, advice)
    for pool in snapshot.pools:
        if pool.drained:
            what = f"pool {pool.name}: {_of(pool.drained, pool.accounts)} drained"
            yield Problem(Severity.WARNING, Side.OPERATOR, what, "`sipbridge drain --undo --account SIP-URI`")


def _sources(snapshot: Snapshot) -> Iterator[Problem]:
    for pool in snapshot.pools:
        source = pool.source
        if source is None:
            continue
        if source.problem:
            severity = Severity.WARNING if pool.accounts else Severity.DOWN
            what = f"pool {pool.name}: {source.status}: {source.problem}"
            yield Problem(
                severity, Side.DATABASE, what, "Calls go on with the accounts that are known; it is asked again."
            )
        elif source.skipped_rows:
            what = f"pool {pool.name}: {source.skipped_rows:,} rows are no accounts"
            yield Problem(Severity.WARNING, Side.DATABASE, what, "`sipbridge check --connect` says which, and why.")


def _redis(snapshot: Snapshot) -> Iterator[Problem]:
    if snapshot.redis not in ("OK", "not used"):
        advice = "Changes of accounts wait until it is back; everything is then loaded again."
        yield Problem(Severity.WARNING, Side.REDIS, snapshot.redis, advice)


def _edge(snapshot: Snapshot) -> Iterator[Problem]:
    edge = snapshot.edge
    if edge is None:
        return
    if edge.problem:
        severity = Severity.DOWN if edge.accounts else Severity.WARNING
        what = f"{edge.accounts:,} accounts go through it and cannot register or call: {edge.problem}"
        advice = "Is Kamailio running? Accounts that do without it are not touched. `sipbridge doctor` looks further."
        yield Problem(severity, Side.EDGE, what, advice)
    elif edge.known < edge.accounts:
        what = f"is told its accounts: it knows {edge.known:,} of {edge.accounts:,}"
        yield Problem(Severity.WARNING, Side.EDGE, what, "It takes a second for tens of thousands.")


def _registrations(snapshot: Snapshot) -> Iterator[Problem]:
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
    severity = Severity.DOWN if number == pool.accounts else Severity.WARNING
    what = f"pool {pool.name}: {_of(number, pool.accounts)} {kind.what}: {reason}"
    return Problem(severity, kind.side, what, kind.advice.format(registrar=pool.registrar))


def _lines(snapshot: Snapshot) -> Iterator[Problem]:
    for pool in snapshot.pools:
        if not pool.lines or pool.lines_used < _NEARLY_FULL * pool.lines:
            continue
        full = pool.lines_used >= pool.lines
        taken = "all lines are taken" if full else "nearly all lines are taken"
        what = f"pool {pool.name}: {taken}, {pool.lines_used:,} of {pool.lines:,}"
        advice = "Calls beyond are declined: more accounts, or a higher maxCallsPerLine where the provider allows it."
        yield Problem(Severity.DOWN if full else Severity.WARNING, Side.LINES, what, advice)


def _declined(snapshot: Snapshot) -> Iterator[Problem]:
    for provider in snapshot.providers:
        for reason, number in provider.recent.declined.items():
            if reason in _DECLINES:
                side, advice = _DECLINES[reason]
                what = f'provider "{provider.name}": {_calls(number)} declined in 5 min: {reason}'
                yield Problem(Severity.WARNING, side, what, advice)
    nobody = snapshot.traffic.recent.declined.get("no-provider", 0)
    if nobody:
        what = f"{_calls(nobody)} declined in 5 min: no provider takes them"
        advice = "`sipbridge calls --follow` shows them; `sipbridge explain` says what each provider makes of one."
        yield Problem(Severity.WARNING, Side.CONFIGURATION, what, advice)


def _failed(snapshot: Snapshot) -> Iterator[Problem]:
    for provider in snapshot.providers:
        bad = {cause: n for cause, n in provider.recent.failed.items() if cause not in EVERYDAY_CAUSES}
        number = sum(bad.values())
        if number >= _MANY_FAILED and number >= _MANY_FAILED_SHARE * provider.recent.bridged:
            what = (
                f'provider "{provider.name}": {number:,} of {provider.recent.bridged:,} calls failed in 5 min: '
                f"{', '.join(sorted(bad, key=lambda cause: -bad[cause])[:3])}"
            )
            advice = "The far side or the way to it: `sipbridge calls --follow` shows each with its SIP status."
            yield Problem(Severity.WARNING, Side.PROVIDER, what, advice)


_RULES: tuple[Callable[[Snapshot], Iterator[Problem]], ...] = (
    _switch,
    _network,
    _edge,
    _storm,
    _registrations,
    _sources,
    _lines,
    _failed,
    _declined,
    _drained,
    _redis,
    _switch_load,
    _switch_memory,
)

EVERYDAY_CAUSES = frozenset(
    {"USER_BUSY", "NO_ANSWER", "NO_USER_RESPONSE", "CALL_REJECTED", "ORIGINATOR_CANCEL", "NORMAL_CLEARING", "LOSE_RACE"}
)
"""Hangup causes that are the wish of one of the two, or nobody's fault."""

_BUSY_BELOW_PERCENT = 10.0
_NEARLY_FULL = 0.9
_MANY_FAILED = 3
_MANY_FAILED_SHARE = 0.1

_DECLINES = {
    "lines-taken": (Side.LINES, "Its accounts carry as many calls as they may: more lines, or fewer calls."),
    "bad-address": (
        Side.CONFIGURATION,
        "Its outgoingInvite gives no valid SIP URI: `sipbridge calls --follow` shows it.",
    ),
    "media-not-offered": (Side.CONFIGURATION, "FreeSWITCH cannot offer what it asks for: `sipbridge check` says why."),
}
"""Reasons that are problems of their own. Accounts that are not found are daily life in some bridges."""


@dataclass(frozen=True, slots=True)
class _Kind:
    """A kind of failed registrations."""

    side: Side
    what: str
    advice: str


_REFUSED = _Kind(
    Side.ACCOUNTS, "refused", "Their secret is wrong, or the provider has locked them: compare it with what he has."
)
_UNKNOWN = _Kind(Side.ACCOUNTS, "not accepted", "The registrar does not want them: ask the provider what it has.")
_SILENT = _Kind(
    Side.PROVIDER, "without a registrar", "{registrar} cannot be reached, or is overloaded. See `sipbridge doctor`."
)
_BROKEN = _Kind(Side.PROVIDER, "not served", "{registrar} fails: tell the provider.")


def _kind_of(reason: str) -> _Kind:
    """What a failure says about whose it is. 503 and 908 are what FreeSWITCH says when nobody answers."""
    status = reason[:3]
    if status in REFUSED_STATUSES:
        return _REFUSED
    if status in NO_ANSWER_STATUSES | {"503", "504"} or not status.isdigit():
        return _SILENT
    return _BROKEN if status[0] in "569" else _UNKNOWN


def _calls(number: int) -> str:
    return f"{number:,} call{'' if number == 1 else 's'}"


def _of(number: int, accounts: int) -> str:
    if accounts == 1:
        return "its only account"
    return f"all {accounts:,} accounts" if number >= accounts else f"{number:,} of {accounts:,}"

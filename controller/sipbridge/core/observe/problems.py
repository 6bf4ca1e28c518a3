"""Finds the problems in a snapshot, for an operator at three in the morning. Pure.

To add a rule, add a function to `_RULES`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from sipbridge.core.freeswitch.known_holes import known_holes
from sipbridge.core.freeswitch.version import RECOMMENDED, parse_freeswitch_version
from sipbridge.core.observe.problem import Problem, Severity, Side, of_accounts
from sipbridge.core.observe.provider_problems import declined_calls, failed_calls, lines_taken, registrations
from sipbridge.core.observe.snapshot import Snapshot


def find_problems(snapshot: Snapshot) -> tuple[Problem, ...]:
    """Return all problems, the worst first."""
    found = [problem for rule in _RULES for problem in rule(snapshot)]
    return tuple(sorted(found, key=lambda problem: problem.severity is not Severity.DOWN))


def _switch(snapshot: Snapshot) -> Iterator[Problem]:
    switch, bridge = snapshot.switch, snapshot.bridge
    if not switch.is_connected:
        what = f"not connected: {switch.problem}"
        advice = "New calls are refused. Check that FreeSWITCH is running, or run `sipbridge doctor`."
        yield Problem(Severity.DOWN, Side.SWITCH, what, advice)
    elif bridge.is_drained:
        advice = "Run `sipbridge drain --undo` to accept calls again, unless the bridge is stopping."
        yield Problem(Severity.DOWN, Side.OPERATOR, "the bridge is drained: no new calls are accepted", advice)
    elif not switch.has_lease:
        advice = "New calls get 503 until this is done; it takes seconds."
        yield Problem(Severity.DOWN, Side.SWITCH, "connected; reading its calls and gateways", advice)


def _network(snapshot: Snapshot) -> Iterator[Problem]:
    if snapshot.network:
        advice = "Check the link and the address, or run `sipbridge doctor`. Recovery is automatic."
        yield Problem(Severity.DOWN, Side.NETWORK, snapshot.network, advice)


def _sip(snapshot: Snapshot) -> Iterator[Problem]:
    if snapshot.sip:
        advice = (
            "Calls wait or get no answer. Look for huge or very many SIP messages to that port; a firewall can limit "
            "them (freeswitch/firewall)."
        )
        yield Problem(Severity.DOWN, Side.SWITCH, snapshot.sip, advice)


def _switch_load(snapshot: Snapshot) -> Iterator[Problem]:
    switch = snapshot.switch
    if switch.sessions and switch.max_sessions and switch.sessions >= 0.9 * switch.max_sessions:
        what = f"{switch.sessions:,} of {switch.max_sessions:,} sessions in use"
        yield Problem(
            Severity.WARNING,
            Side.SWITCH,
            what,
            "FreeSWITCH refuses calls at max-sessions (switch.conf.xml).",
        )
    if switch.idle_cpu_percent is not None and switch.idle_cpu_percent < _BUSY_BELOW_PERCENT:
        what = f"the host is busy: {100 - switch.idle_cpu_percent:.0f} % CPU"
        yield Problem(Severity.WARNING, Side.SWITCH, what, "Calls are delayed: find out what uses the CPU.")


def _switch_memory(snapshot: Snapshot) -> Iterator[Problem]:
    switch = snapshot.switch
    if switch.loses_much:
        what = f"leaked about {switch.lost_mb:,.0f} MB for {switch.lost_gateways:,} deleted gateways"
        advice = "Restart the provider profile in a quiet hour: its calls end, and all accounts register again."
        yield Problem(Severity.WARNING, Side.SWITCH, what, advice)


def _known_holes(snapshot: Snapshot) -> Iterator[Problem]:
    # Those that an upgrade closes: the others are the doctor's, who can say what there is against them.
    known = known_holes(parse_freeswitch_version(snapshot.switch.version))
    holes = [hole for hole in known if hole.closed_by is not None]
    if holes:
        named = ", ".join(hole.name for hole in holes)
        plural = "" if len(holes) == 1 else "s"
        what = f"version {snapshot.switch.version} has {len(holes)} known hole{plural} that peers can reach: {named}"
        advice = f"Upgrade to {RECOMMENDED}. `sipbridge doctor` says what each of them is."
        yield Problem(Severity.WARNING, Side.SWITCH, what, advice)


def _storm(snapshot: Snapshot) -> Iterator[Problem]:
    if snapshot.bridge.is_storm:
        what = "call rate above the limit: excess calls get 503"
        advice = "Find out who sends them. The limit is max_calls_per_s in [calls] of the settings."
        yield Problem(Severity.WARNING, Side.CALLERS, what, advice)


def _unverified_dtls(snapshot: Snapshot) -> Iterator[Problem]:
    for provider in snapshot.providers:
        if provider.dtls_fault:
            what, _, advice = provider.dtls_fault.partition(": ")
            what = f'provider "{provider.name}": its calls are declined: {what}'
            yield Problem(Severity.DOWN, Side.CONFIGURATION, what, f"{advice[:1].upper()}{advice[1:]}.")


def _drained(snapshot: Snapshot) -> Iterator[Problem]:
    for provider in snapshot.providers:
        if provider.is_drained:
            what = f'provider "{provider.name}" is drained: its calls are declined'
            advice = f'To undo: `sipbridge drain --undo --provider "{provider.name}"`'
            yield Problem(Severity.WARNING, Side.OPERATOR, what, advice)
    for pool in snapshot.pools:
        if pool.drained:
            what = f"pool {pool.name}: {of_accounts(pool.drained, pool.accounts)} drained"
            yield Problem(Severity.WARNING, Side.OPERATOR, what, "To undo: `sipbridge drain --undo --account SIP-URI`")


def _sources(snapshot: Snapshot) -> Iterator[Problem]:
    for pool in snapshot.pools:
        source = pool.source
        if pool.skipped_accounts:
            plural = "" if pool.skipped_accounts == 1 else "s"
            what = f"pool {pool.name}: {pool.skipped_accounts:,} account{plural} of the providers file skipped"
            advice = "They are invalid, or there twice: `sipbridge check` says which, and why."
            yield Problem(Severity.WARNING, Side.CONFIGURATION, what, advice)
        if pool.shared_aliases:
            plural = "" if pool.shared_aliases == 1 else "es"
            what = f"pool {pool.name}: {pool.shared_aliases:,} alias{plural} shared by several accounts"
            advice = "The first of these accounts takes the calls of the others. Give each account an alias of its own."
            yield Problem(Severity.WARNING, Side.CONFIGURATION, what, advice)
        if source is None:
            continue
        if source.problem:
            severity = Severity.WARNING if pool.accounts else Severity.DOWN
            what = f"pool {pool.name}: {source.status}: {source.problem}"
            advice = "Calls continue with the accounts already known. The database is retried."
            yield Problem(severity, Side.DATABASE, what, advice)
        elif source.skipped_rows:
            what = f"pool {pool.name}: {source.skipped_rows:,} rows are not valid accounts"
            yield Problem(Severity.WARNING, Side.DATABASE, what, "`sipbridge check --connect` shows them, and why.")


def _redis(snapshot: Snapshot) -> Iterator[Problem]:
    if snapshot.redis not in ("OK", "not used"):
        advice = "Changed accounts are not noticed until Redis is back; then all accounts are loaded again."
        yield Problem(Severity.WARNING, Side.REDIS, snapshot.redis, advice)


def _edge(snapshot: Snapshot) -> Iterator[Problem]:
    edge = snapshot.edge
    if edge is None:
        return
    if edge.problem:
        severity = Severity.DOWN if edge.accounts else Severity.WARNING
        plural = "" if edge.accounts == 1 else "s"
        what = f"{edge.accounts:,} account{plural} through it cannot register or call: {edge.problem}"
        advice = "Check that its Kamailio is running, or run `sipbridge doctor`. Other accounts are not affected."
        yield Problem(severity, Side.EDGE, what, advice)
    elif edge.known < edge.accounts:
        what = f"receiving its accounts: it knows {edge.known:,} of {edge.accounts:,}"
        yield Problem(Severity.WARNING, Side.EDGE, what, "Tens of thousands take about a second.")


_RULES: tuple[Callable[[Snapshot], Iterator[Problem]], ...] = (
    _switch,
    _network,
    _sip,
    _edge,
    _storm,
    registrations,
    _sources,
    lines_taken,
    failed_calls,
    declined_calls,
    _unverified_dtls,
    _drained,
    _redis,
    _switch_load,
    _switch_memory,
    _known_holes,
)

_BUSY_BELOW_PERCENT = 10.0

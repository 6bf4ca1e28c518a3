"""Formats the most important facts of a snapshot as the three lines at the top. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.text import Text

from sipbridge.core.observe.problem import Problem, Severity
from sipbridge.core.observe.snapshot import BridgeState, Snapshot, SwitchState, TrafficState
from sipbridge.viewer.section import BAD, GOOD, WARN, Section
from sipbridge.viewer.words import duration, plural, printable


def header(snapshot: Snapshot, problems: Sequence[Problem], width: int | None) -> Section:
    """Return three lines: the bridge with Redis and the edge, FreeSWITCH, and calls."""
    return Section(
        [
            _facts([*_bridge(snapshot.bridge, problems), *_redis_and_edge(snapshot)], width, "bold"),
            _facts(_switch(snapshot.switch), width),
            _facts(_traffic(snapshot.traffic), width),
        ],
        head=3,
    )


def _bridge(bridge: BridgeState, problems: Sequence[Problem]) -> list[str | Text]:
    return [f"sipbridge {bridge.version}", _verdict(problems), f"up {duration(bridge.uptime_s)}"]


def _switch(switch: SwitchState) -> list[str | Text]:
    since, connected = duration(switch.since_s), switch.is_connected
    facts: list[str | Text] = [
        f"FreeSWITCH {switch.version}".rstrip(),
        Text(f"connected for {since}", GOOD) if connected else Text(f"not connected for {since}", BAD),
        "lease held" if switch.has_lease else Text("no lease: callers get 503", BAD),
    ]
    if switch.uptime_s is not None:
        facts.append(f"up {duration(switch.uptime_s)}")
    if switch.sessions is not None and switch.max_sessions is not None:
        facts.append(f"{switch.sessions:,} of {switch.max_sessions:,} sessions")
    if switch.idle_cpu_percent is not None:
        facts.append(f"CPU {100 - switch.idle_cpu_percent:.0f} %")
    if switch.lost_mb >= 1:
        facts.append(f"{switch.lost_mb:,.0f} MB leaked")
    return facts


def _traffic(traffic: TrafficState) -> list[str | Text]:
    recent = traffic.recent
    declined = sum(recent.declined.values())
    return [
        f"{plural(traffic.in_progress, 'call')} now, {traffic.per_second:.1f} a second",
        f"in 5 min: {recent.bridged:,} bridged",
        Text(f"{declined:,} declined", WARN if declined else ""),
        f"{sum(recent.failed.values()):,} failed",
        f"{recent.answered:,} answered and ended",
    ]


def _redis_and_edge(snapshot: Snapshot) -> list[str | Text]:
    """Describe Redis and the edge, if they are used."""
    facts: list[str | Text] = []
    if snapshot.redis != "not used":
        works = snapshot.redis == "OK"
        facts.append("Redis OK" if works else Text(printable(f"Redis: {snapshot.redis}"), BAD))
    if (edge := snapshot.edge) is not None:
        knows = f"edge knows {edge.known:,} of {edge.accounts:,} accounts"
        facts.append(Text("edge cannot be updated", BAD) if edge.problem else knows)
    return facts


def _verdict(problems: Sequence[Problem]) -> Text:
    if not problems:
        return Text("no problems", GOOD)
    is_down = any(problem.severity is Severity.DOWN for problem in problems)
    return Text(plural(len(problems), "problem"), BAD if is_down else WARN)


def _facts(facts: Iterable[str | Text], width: int | None, style: str = "") -> Text:
    """Join facts to a line, as many as fit."""
    line = Text(no_wrap=True, style=style)
    for fact in facts:
        text = fact if isinstance(fact, Text) else Text(printable(fact))
        separator = " · " if line else ""
        if line and width is not None and line.cell_len + len(separator) + text.cell_len > width:
            break
        line.append(separator).append_text(text)
    return line

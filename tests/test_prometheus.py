"""The alert rules and the dashboard use existing metrics, and every alert says what to do."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from sipbridge.core.calls.call_record import CallOutcome
from sipbridge.core.calls.routing import DeclineReason
from sipbridge.core.observe.metric import MetricKind
from sipbridge.core.observe.metrics import DEFINITIONS
from support.promtool import ALERTS, PROGRAM, promtool

DOCS = Path(__file__).parents[1] / "docs"
DASHBOARD = DOCS / "grafana/sipbridge.json"
OF_OTHERS = {"up", "process_cpu_seconds_total", "process_resident_memory_bytes"}


def known_names() -> set[str]:
    names = set(OF_OTHERS)
    for definition in DEFINITIONS:
        endings = ("_bucket", "_sum", "_count") if definition.kind is MetricKind.HISTOGRAM else ("",)
        names |= {definition.name + ending for ending in endings}
    return names


def dashboard_queries() -> list[str]:
    dashboard = json.loads(DASHBOARD.read_text())
    targets = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", ())]
    return targets + [each["expr"] for each in dashboard["annotations"]["list"]]


def rules() -> Iterator[tuple[str, str]]:
    """Name and expression of each alert."""
    for part in ALERTS.read_text().split("- alert: ")[1:]:
        name, _, rest = part.partition("\n")
        yield name, rest.partition("expr: ")[2].partition("\n        labels:")[0]


def metrics_in(query: str) -> set[str]:
    return set(re.findall(r"\b(?:sipbridge|process)_[a-z_]+\b|\bup\b", query))


def labels_in(query: str) -> set[str]:
    matchers = re.findall(r"\b([a-z]+)\s*(?:=~|!~|!=|=)\s*\"", query)
    return set(matchers) | {name for group in re.findall(r"by \(([^)]*)\)", query) for name in group.split(", ")}


QUERIES = [*dashboard_queries(), *(expression for _, expression in rules())]


@pytest.mark.parametrize("query", QUERIES)
def test_a_query_asks_for_what_there_is(query: str) -> None:
    assert metrics_in(query)
    assert metrics_in(query) <= known_names()
    known_labels = {label for definition in DEFINITIONS for label in definition.labels}
    assert labels_in(query) <= known_labels | {"instance", "job", "le"}


def test_every_metric_of_ours_is_on_the_dashboard() -> None:
    shown = {name for query in dashboard_queries() for name in metrics_in(query)}
    of_interest_elsewhere = {
        "sipbridge_build_info",
        "sipbridge_calls_waiting",
        "sipbridge_ready_condition",
        "sipbridge_source_loaded",
        "sipbridge_profile_lost_gateways",
        "sipbridge_cdr_written_total",
        "sipbridge_sip_up",
        "sipbridge_sip_answer_seconds",
    }
    named = {re.sub("_bucket$", "", name) for name in shown}
    assert {definition.name for definition in DEFINITIONS} - named == of_interest_elsewhere


def test_the_panels_of_the_dashboard_have_places_of_their_own() -> None:
    taken = set()
    panels = json.loads(DASHBOARD.read_text())["panels"]
    for panel in panels:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24
        taken |= cells
    assert len({panel["id"] for panel in panels}) == len(panels)


def test_every_alert_tells_what_to_do() -> None:
    text = ALERTS.read_text()
    runbook = (DOCS / "observability.md").read_text()
    names = [name for name, _ in rules()]
    assert len(names) == len(set(names)) >= 15
    for name in names:
        assert f"runbook_url: docs/observability.md#{name.lower()}\n" in text
        assert f"\n### {name}\n" in runbook
    sections = re.findall(r"^### (Sipbridge\w+)$", runbook, re.MULTILINE)
    assert sorted(sections) == sorted(names)


def test_every_outcome_and_reason_of_a_call_is_explained() -> None:
    text = (DOCS / "observability.md").read_text()
    assert [each.value for each in (*CallOutcome, *DeclineReason) if f"`{each.value}`" not in text] == []


@pytest.mark.skipif(PROGRAM is None, reason="no promtool on the PATH")
def test_prometheus_takes_the_rules() -> None:
    promtool("check", "rules", ALERTS)


@pytest.mark.skipif(PROGRAM is None, reason="no promtool on the PATH")
def test_prometheus_takes_the_queries_of_the_dashboard(tmp_path: Path) -> None:
    rules_ = [
        {"record": f"panel:{number}", "expr": re.sub(r"\$__rate_interval", "5m", query)}
        for number, query in enumerate(dashboard_queries())
    ]
    file = tmp_path / "queries.json"
    file.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules_}]}))
    promtool("check", "rules", file)

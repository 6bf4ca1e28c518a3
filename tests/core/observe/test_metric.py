"""Observations are counted in the right bucket, and every definition is valid for Prometheus."""

from __future__ import annotations

import re

import pytest

from sipbridge.core.calls.hangup_causes import known_cause
from sipbridge.core.observe.metric import Histogram, MetricDefinition, MetricKind
from sipbridge.core.observe.metrics import DEFINITIONS


def test_an_observation_counts_in_the_first_bucket_that_holds_it() -> None:
    histogram = Histogram((0.1, 1.0))
    for value in (0.05, 0.1, 0.5, 5.0):
        histogram.observe(value)
    assert histogram.counts == [2, 1, 1]
    assert histogram.cumulated() == [("0.1", 2), ("1", 3), ("+Inf", 4)]
    assert histogram.total == pytest.approx(5.65)


def test_names_are_told_apart() -> None:
    names = [definition.name for definition in DEFINITIONS]
    assert len(names) == len(set(names)) > 20


@pytest.mark.parametrize("definition", DEFINITIONS, ids=lambda one: one.name)
def test_a_definition_follows_the_rules_of_prometheus(definition: MetricDefinition) -> None:
    assert re.fullmatch(r"sipbridge_[a-z0-9_]+", definition.name)
    assert definition.name.endswith("_total") == (definition.kind is MetricKind.COUNTER)
    assert all(re.fullmatch(r"[a-z]+", label) and label != "le" for label in definition.labels)
    assert definition.text.endswith(".")
    assert definition.kind is not MetricKind.HISTOGRAM or definition.name.endswith("_seconds")


@pytest.mark.parametrize(
    ("cause", "label"), [("USER_BUSY", "USER_BUSY"), ("", ""), ("EVIL\n", "OTHER"), ("user_busy", "OTHER")]
)
def test_only_causes_that_freeswitch_has_become_labels(cause: str, label: str) -> None:
    assert known_cause(cause) == label

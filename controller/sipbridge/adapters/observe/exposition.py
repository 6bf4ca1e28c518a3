"""Formats metrics for Prometheus, with prometheus-client. Yields between metrics.

Source: the Prometheus text exposition format, version 0.0.4.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import assert_never

from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import Metric as Family

from sipbridge.adapters.greenlets import breathe
from sipbridge.core.observe.metric import Histogram, Metric, MetricKind, MetricSource

CONTENT_TYPE = CONTENT_TYPE_LATEST


class Exposition:
    """The metrics of all sources, and those of the process.

    Args:
        sources: queried on each scrape, in this order.
    """

    def __init__(self, sources: Iterable[MetricSource]) -> None:
        self._sources = tuple(sources)
        process = CollectorRegistry()
        ProcessCollector(registry=process)
        PlatformCollector(registry=process)
        self._process = process

    def text(self) -> bytes:
        """Return all metrics as they are now. Yields between metrics: there may be many providers and pools."""
        parts = []
        for family in self._families():
            parts.append(generate_latest(_Single(family)))
            breathe()
        return b"".join(parts)

    def _families(self) -> Iterator[Family]:
        for source in self._sources:
            yield from map(_family, source())
        yield from self._process.collect()


class _Single(CollectorRegistry):
    """A registry with one family, as `generate_latest` needs."""

    def __init__(self, family: Family) -> None:
        super().__init__(auto_describe=False)
        self._family = family

    def collect(self) -> Iterator[Family]:
        yield self._family


def _family(metric: Metric) -> Family:
    definition = metric.definition
    arguments = definition.name, definition.text.replace("`", "")
    match definition.kind:
        case MetricKind.GAUGE:
            gauge = GaugeMetricFamily(*arguments, labels=definition.labels)
            for labels, value in metric.samples.items():
                gauge.add_metric(labels, _number(value))
            return gauge
        case MetricKind.COUNTER:
            counter = CounterMetricFamily(*arguments, labels=definition.labels)
            for labels, value in metric.samples.items():
                counter.add_metric(labels, _number(value))
            return counter
        case MetricKind.HISTOGRAM:
            histogram = HistogramMetricFamily(*arguments, labels=definition.labels)
            for labels, value in metric.samples.items():
                histogram.add_metric(labels, _histogram(value).cumulated(), _histogram(value).total)
            return histogram
        case unknown:
            assert_never(unknown)


def _histogram(value: float | Histogram) -> Histogram:
    if not isinstance(value, Histogram):
        raise TypeError("a number as a histogram")
    return value


def _number(value: float | Histogram) -> float:
    if isinstance(value, Histogram):
        raise TypeError("a histogram as a number")
    return float(value)

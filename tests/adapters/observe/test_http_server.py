"""Metrics and health are served to valid requests; invalid requests cost nothing."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator, Sequence

import pytest
from gevent.threadpool import ThreadPool
from prometheus_client.parser import text_string_to_metric_families

from sipbridge.adapters.observe import http_server
from sipbridge.adapters.observe.exposition import Exposition
from sipbridge.adapters.observe.http_server import HttpServer, HttpServerError
from sipbridge.core.observe import metrics
from sipbridge.core.observe.metric import Histogram, Metric, MetricSource
from sipbridge.core.observe.readiness import Condition, Readiness


def some_metrics() -> Iterator[Metric]:
    histogram = Histogram((0.1, 1.0))
    histogram.observe(0.5)
    yield metrics.READY.one(value=True)
    yield metrics.CALLS.of({('a "quoted"\nname', "declined", "lines-taken"): 3})
    yield metrics.HUB_LATENCY.one(histogram)


class Served:
    """A server, and what it answers."""

    def __init__(self, sources: Sequence[MetricSource] = (some_metrics,)) -> None:
        self.readiness = Readiness((Condition("lease", True, "held"),))
        self.server = HttpServer("127.0.0.1", 0, Exposition(sources), lambda: self.readiness)
        self.server.start()

    def request(self, text: str) -> tuple[int, str, str]:
        """Status, headers and body of the answer to a request."""
        return ThreadPool(1).apply(self._request, (text.encode(),))

    def get(self, path: str) -> tuple[int, str, str]:
        return self.request(f"GET {path} HTTP/1.0\r\n\r\n")

    def _request(self, request: bytes) -> tuple[int, str, str]:
        with socket.create_connection(("127.0.0.1", self.server.port), timeout=30) as client:
            client.sendall(request)
            answer = b"".join(iter(lambda: client.recv(65536), b"")).decode()
        head, _, body = answer.partition("\r\n\r\n")
        return int(head.split()[1]), head, body


@pytest.fixture
def served() -> Iterator[Served]:
    made = Served()
    yield made
    made.server.stop()


def test_metrics_are_what_prometheus_reads(served: Served) -> None:
    status, head, body = served.get("/metrics")
    assert status == 200
    assert "text/plain; version=" in head
    families = {family.name: family for family in text_string_to_metric_families(body)}
    assert [sample.value for sample in families["sipbridge_ready"].samples] == [1]
    (calls,) = families["sipbridge_calls"].samples
    assert calls.value == 3
    assert calls.labels == {"provider": 'a "quoted"\nname', "outcome": "declined", "reason": "lines-taken"}
    latency = {(s.name, s.labels.get("le")): s.value for s in families["sipbridge_hub_latency_seconds"].samples}
    assert latency["sipbridge_hub_latency_seconds_bucket", "0.1"] == 0
    assert latency["sipbridge_hub_latency_seconds_bucket", "1"] == 1
    assert latency["sipbridge_hub_latency_seconds_sum", None] == 0.5
    assert "process_resident_memory_bytes" in families


def test_alive_is_answered_as_long_as_it_lives(served: Served) -> None:
    served.readiness = Readiness((Condition("lease", False, "not held"),))
    assert served.get("/healthz")[::2] == (200, "OK\n")


@pytest.mark.parametrize(("holds", "expected"), [(True, 200), (False, 503)])
def test_ready_tells_every_condition(served: Served, holds: bool, expected: int) -> None:
    served.readiness = Readiness((Condition("lease", True, "held"), Condition("event_socket", holds, "connected?")))
    status, _, body = served.get("/readyz")
    assert status == expected
    assert json.loads(body) == {
        "ready": holds,
        "conditions": {
            "lease": {"holds": True, "detail": "held"},
            "event_socket": {"holds": holds, "detail": "connected?"},
        },
    }


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        ("GET / HTTP/1.0\r\n\r\n", 404),
        ("POST /metrics HTTP/1.0\r\nContent-Length: 2\r\n\r\nab", 405),
        ("nonsense\r\n\r\n", 400),
        (f"GET /{'x' * 10_000} HTTP/1.0\r\n\r\n", 414),
    ],
)
def test_anything_else_is_refused(served: Served, request_: str, status: int, caplog: pytest.LogCaptureFixture) -> None:
    assert served.request(request_)[0] == status
    assert [record.getMessage() for record in caplog.records if record.levelname != "DEBUG"] == []


def test_a_defect_of_one_page_is_logged_and_costs_no_other(caplog: pytest.LogCaptureFixture) -> None:
    served = Served(sources=[lambda: [metrics.READY.one(Histogram((1.0,)))]])
    assert served.get("/metrics")[0] == 500
    assert "a histogram as a number" in caplog.text
    assert served.get("/healthz")[0] == 200
    served.server.stop()


def test_head_has_no_body(served: Served) -> None:
    status, head, body = served.request("HEAD /healthz HTTP/1.0\r\n\r\n")
    assert (status, body) == (200, "")
    assert "Content-Length: 3" in head


def test_a_client_that_says_nothing_is_given_up(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_server, "_CLIENT_TIMEOUT_S", 0.1)
    assert ThreadPool(1).apply(_says_nothing, (served.server.port,)) == b""
    assert served.get("/healthz")[0] == 200


def _says_nothing(port: int) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=30) as client:
        client.sendall(b"GET /hea")
        return client.recv(100)


def test_a_port_that_somebody_has_is_told(served: Served) -> None:
    with pytest.raises(HttpServerError, match=rf"127.0.0.1:{served.server.port}: Address already in use.*port = 0"):
        HttpServer("127.0.0.1", served.server.port, Exposition([]), lambda: served.readiness).start()

"""The doctor finds problems of the edge."""

from __future__ import annotations

import dataclasses

import pytest
from doctor_examples import file, host, told

from sipbridge.doctor.check_edge import check_edge
from sipbridge.doctor.facts import EdgeFacts, HostFacts
from sipbridge.doctor.finding import Verdict

WARN, FAIL = Verdict.WARN, Verdict.FAIL
EDGE = EdgeFacts("127.0.0.1", 5090, file("rpc.sock", 0o140660), accounts=3)
LISTENS = host(udp_drops={("127.0.0.1", 5090): 0})


@pytest.mark.parametrize(
    ("edge", "on", "expected"),
    [
        pytest.param(EDGE, LISTENS, [], id="good"),
        pytest.param(
            dataclasses.replace(EDGE, problem="no Kamailio listens", rpc_socket=file("rpc.sock", None)),
            host(),
            [("edge-rpc", FAIL), ("edge-address", FAIL)],
            id="not there",
        ),
        pytest.param(dataclasses.replace(EDGE, has_owner=False), LISTENS, [("edge-rpc", WARN)], id="told nothing"),
        pytest.param(
            dataclasses.replace(EDGE, has_owner=False),
            dataclasses.replace(LISTENS, daemon=None),
            [],
            id="no controller",
        ),
        pytest.param(
            dataclasses.replace(EDGE, rpc_socket=file("rpc.sock", 0o140666)),
            LISTENS,
            [("edge-rpc-mode", FAIL)],
            id="open to everybody",
        ),
        pytest.param(EDGE, host(udp_drops={("127.0.0.1", 5090): 4}), [("edge-address", WARN)], id="lost messages"),
    ],
)
def test_edge(edge: EdgeFacts, on: HostFacts, expected: list[tuple[str, Verdict]]) -> None:
    assert told(check_edge(edge, on)) == expected

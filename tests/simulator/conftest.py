"""A fast simulator, and clients that are closed after each test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from simulator_client import Client

from sipbridge.simulator import Simulator


@pytest.fixture
def spool_file(tmp_path: Path) -> Path:
    return tmp_path / "gateways.xml"


@pytest.fixture
def simulator(spool_file: Path) -> Iterator[Simulator]:
    """Ticks every 10 ms, a second of everything else takes 50 ms, and a controller seems to be alive."""
    with Simulator(
        spool_file=spool_file, tick_s=0.01, time_scale=0.05, variables={"sipbridge_lease": "true"}
    ) as simulator:
        yield simulator


@pytest.fixture
def connect(simulator: Simulator) -> Iterator[Callable[[], Client]]:
    """Makes clients that are logged in."""
    clients: list[Client] = []

    def make() -> Client:
        clients.append(Client(simulator.port))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


@pytest.fixture
def client(connect: Callable[[], Client]) -> Client:
    return connect()

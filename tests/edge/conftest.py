"""What the tests of the edge share. They need Kamailio, and no FreeSWITCH: a peer stands for its provider profile."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from support.edge import PROGRAM, Edge, some_ip
from support.edge_gateway import EdgeGateway, GatewayMaker
from support.sip_peer import SipPeer
from support.sip_rule import answers

_serial = itertools.count(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    skip = pytest.mark.skip(reason="no kamailio on the PATH")
    for item in items:
        if "edge" in item.path.parts and PROGRAM is None:
            item.add_marker(skip)


@pytest.fixture(scope="session")
def freeswitch() -> Iterator[SipPeer]:
    """The provider profile of FreeSWITCH; it answers every call."""
    with SipPeer(ip=some_ip(), port=5080) as peer:
        yield peer


@pytest.fixture(autouse=True)
def _answers_again(freeswitch: SipPeer) -> Iterator[None]:
    """Whatever rule a test has given it."""
    yield
    freeswitch.rule = answers()


@pytest.fixture(scope="session")
def edge(freeswitch: SipPeer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    with Edge(tmp_path_factory.mktemp("edge"), freeswitch.hostport) as edge:
        edge.rpc("htable.sets", "account", "sipbridge.epoch", "of a test")
        yield edge
        # One test sends where nobody is.
        errors = [line for line in edge.log().splitlines() if " ERROR: " in line or " CRITICAL: " in line]
        assert [line for line in errors if "core/tcp_" not in line and " tm [" not in line] == []


@pytest.fixture
def provider() -> Iterator[SipPeer]:
    """A provider's proxy and registrar, which answers everything."""
    with SipPeer() as peer:
        yield peer


@pytest.fixture
def gateway(freeswitch: SipPeer, edge: Edge, provider: SipPeer) -> GatewayMaker:
    """Make a gateway whose account the edge knows: ``gateway("md5", ha1)``, ``gateway("clear", password, "tcp")``."""

    def make(algorithm: str, secret: str = "", transport: str = "udp") -> EdgeGateway:
        name = f"sipbridge.alice.{next(_serial):020x}"
        edge.set_account(name, algorithm, f"sip:{provider.hostport};transport={transport}", secret)
        return EdgeGateway(freeswitch, edge, name)

    return make

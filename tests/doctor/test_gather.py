"""The doctor gathers correct facts from the kernel, the file system, name servers and databases."""

from __future__ import annotations

import json
import os
import resource
import socket
import sqlite3
import threading
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path

import dns.message
import dns.resolver
import dns.rrset
import pytest

from sipbridge.config.load import parse_providers
from sipbridge.core.bridge_config import BridgeConfig
from sipbridge.core.network import Route
from sipbridge.core.providers import edge as core_edge
from sipbridge.core.providers.edge import EdgeReason
from sipbridge.core.sip.uri import parse_sip_uri
from sipbridge.doctor.check_edge import check_edge
from sipbridge.doctor.facts import Exit, HopFacts
from sipbridge.doctor.finding import Verdict
from sipbridge.doctor.gather_accounts import gather_accounts
from sipbridge.doctor.gather_edge import gather_edge
from sipbridge.doctor.gather_host import controller_user, gather_host, user_of
from sipbridge.doctor.gather_network import look_at, next_hops
from sipbridge.settings import EdgeSettings, Settings, load_settings
from sipbridge.settings.redis import RedisSettings
from support.edge import PROGRAM as KAMAILIO
from support.edge import Edge
from support.redis_server import PROGRAM as REDIS
from support.redis_server import RedisServer

POOL = {"outboundProxy": "sip:127.0.0.1:5070", "registrationRequired": True, "maxCallsPerLine": 1}
INVITE = {"to": "{incoming.to}", "outboundProxy": "sip:proxy.example.org;transport=tcp"}


def provider(pool: str, **differing: object) -> dict[str, object]:
    usual = {
        "name": f"through {pool}",
        "triggerCondition": {"strategy": "Always"},
        "accountToUse": {"strategy": "Random"},
        "onAccountNotFound": "decline",
        "outgoingInvite": {"to": "{incoming.to}"},
        "accountPool": pool,
    }
    return usual | differing


def config(
    pools: dict[str, dict[str, object]], *providers: dict[str, object], edge: core_edge.Edge | None = None
) -> BridgeConfig:
    text = json.dumps({"schemaVersion": 2, "providers": list(providers), "accountPools": pools})
    result = parse_providers(text, "providers.json", edge=edge)
    assert result.config is not None, result.diagnostics
    return result.config


def settings(folder: Path, more: str = "") -> tuple[Settings, Path]:
    file = folder / "sipbridge.toml"
    file.write_text(
        f"""
        [event_socket]
        password = "s3cret"
        [gateways]
        spool_file = "{folder}/spool/gateways.xml"
        [control]
        socket = "{folder}/control.sock"
        {more}
        """
    )
    file.chmod(0o640)
    return load_settings(file, {}), file


# The host


def test_the_host_is_described(tmp_path: Path) -> None:
    (tmp_path / "spool").mkdir(mode=0o750)
    given, file = settings(tmp_path)
    host = gather_host(given, file, None, os.getpid())
    assert host.network is not None
    assert "127.0.0.1" in host.network.addresses
    assert host.udp_buffer > 1_000
    assert [one.path for one in host.spool_path][:1] == [Path("/")]
    assert (host.spool_path[-1].path, host.spool_path[-1].is_folder) == (tmp_path / "spool", True)
    assert [(one.what, one.mode, one.holds_secret) for one in host.files if one.mode is not None] == [
        ("settings file", 0o100640, True)
    ]
    assert host.freeswitch is not None
    assert host.freeswitch.user.uid == os.geteuid()
    assert host.freeswitch.max_open_files == resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def test_who_listens_on_the_control_socket_is_the_controller(tmp_path: Path) -> None:
    given, file = settings(tmp_path)
    assert gather_host(given, file, None, None).daemon is None
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(given.control.socket))
        listener.listen()
        host = gather_host(given, file, None, None)
    assert host.daemon is not None
    assert host.daemon.pid == os.getpid()
    assert controller_user(host).uid == os.geteuid()


def test_a_user_that_nobody_knows_has_a_number() -> None:
    assert user_of(4_000_001).name == "user 4000001"


def test_lost_datagrams_are_counted_by_socket(tmp_path: Path) -> None:
    given, file = settings(tmp_path)
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as deaf,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as speaker,
    ):
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2_048)
        deaf.bind(("127.0.0.1", 0))
        speaker.bind(("127.0.0.2", 0))
        for _ in range(100):
            speaker.sendto(b"x" * 1_000, deaf.getsockname())
        drops = gather_host(given, file, None, None).udp_drops
        assert drops[deaf.getsockname()] > 0
        assert drops[speaker.getsockname()] == 0


# The network


def test_what_leads_to_the_same_place_is_one_hop() -> None:
    account = {"uri": "sip:alice@a.example", "secretType": "clrtxt", "secret": "x", "outboundProxy": "sip:own.example"}
    given = config(
        {
            "One": {**POOL, "loader": [account]},
            "Two": {**POOL, "loader": [], "registrar": "sip:registrar.example"},
        },
        provider("One"),
        provider("Two", outgoingInvite=INVITE),
    )
    gathered = gather_accounts(given, RedisSettings(), connect=False)
    hops, left_out = next_hops(given, gathered)
    assert [(hop.uri.hostport, hop.used_by, hop.exit) for hop in hops] == [
        ("127.0.0.1:5070", ("pool One", "pool Two"), Exit.GATEWAYS),
        ("registrar.example", ("pool Two",), Exit.GATEWAYS),
        ("own.example", ("accounts of pool One",), Exit.GATEWAYS),
        ("proxy.example.org", ("provider through Two",), Exit.EITHER_PROFILE),
    ]
    assert left_out == 0


@pytest.mark.parametrize(
    ("takes_all", "exits"),
    [(None, [Exit.GATEWAYS, Exit.EDGE]), (EdgeReason.ALL, [Exit.EDGE])],
    ids=["what needs it", "all"],
)
def test_what_goes_through_the_edge_is_told_apart(takes_all: EdgeReason | None, exits: list[Exit]) -> None:
    accounts = [
        {"uri": "sip:alice@a.example", "secretType": "clrtxt", "secret": "x"},
        {"uri": "sip:bob@a.example", "secretType": "ha1", "secret": "0" * 32},
    ]
    edge = core_edge.Edge(parse_sip_uri("sip:127.0.0.1:5090"), takes_all)
    given = config({"One": {**POOL, "loader": accounts}}, provider("One"), edge=edge)
    hops, _ = next_hops(given, gather_accounts(given, RedisSettings(), connect=False))
    assert sorted((hop.exit for hop in hops), key=exits.index) == exits


def test_hundreds_of_hops_are_not_looked_at() -> None:
    accounts = [
        {"uri": f"sip:a{n}@a.example", "secretType": "clrtxt", "secret": "x", "outboundProxy": f"sip:p{n}.example"}
        for n in range(200)
    ]
    given = config({"One": {**POOL, "loader": accounts}}, provider("One"))
    hops, left_out = next_hops(given, gather_accounts(given, RedisSettings(), connect=False))
    assert (len(hops), left_out) == (50, 151)


def looked_at(proxy: str) -> HopFacts:
    given = config({"One": {**POOL, "outboundProxy": proxy, "loader": []}}, provider("One"))
    hops, _ = next_hops(given, gather_accounts(given, RedisSettings(), connect=False))
    (hop,) = look_at(hops)
    return hop


def test_an_address_is_one_and_has_a_route() -> None:
    hop = looked_at("sip:127.0.0.1;transport=tcp")
    assert hop.addresses == ("127.0.0.1",)
    assert hop.routes == {"127.0.0.1": Route("127.0.0.1", "lo")}
    assert looked_at("sip:[::1]:5070").addresses == ("::1",)


def test_a_name_without_an_address_says_so() -> None:
    hop = looked_at("sip:nowhere.invalid:5060")
    assert hop.addresses == ()
    assert "nowhere.invalid has no address" in hop.problem


@pytest.fixture
def name_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """A name server that has SRV records for ``sip.example`` alone; the questions it was asked."""
    asked: list[str] = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))

        def answer() -> None:
            while True:
                try:
                    raw, client = server.recvfrom(4_096)
                except OSError:
                    return
                query = dns.message.from_wire(raw)
                reply = dns.message.make_response(query)
                (question,) = query.question
                asked.append(question.name.to_text())
                if asked[-1] == "_sip._udp.sip.example.":
                    records = ("20 0 5060 second.invalid.", "10 5 5062 localhost.")
                    reply.answer.append(dns.rrset.from_text(question.name, 60, "IN", "SRV", *records))
                server.sendto(reply.to_wire(), client)

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        resolver = dns.resolver.Resolver(configure=False)
        resolver.nameservers = ["127.0.0.1"]
        resolver.port = server.getsockname()[1]
        monkeypatch.setattr(dns.resolver, "default_resolver", resolver)
        yield asked


def test_a_name_without_a_port_is_looked_up_by_its_service(name_server: list[str]) -> None:
    hop = looked_at("sip:sip.example")
    assert "127.0.0.1" in hop.addresses
    assert hop.problem == ""
    assert name_server == ["_sip._udp.sip.example."]


def test_a_name_with_a_port_is_looked_up_as_it_is(name_server: list[str]) -> None:
    assert "127.0.0.1" in looked_at("sip:localhost:5070").addresses
    assert name_server == []


# Databases and Redis


def test_databases_are_read_when_asked_to(tmp_path: Path) -> None:
    database = sqlite3.connect(tmp_path / "accounts.db")
    with database:
        database.execute("CREATE TABLE accounts (username, proxy)")
        database.executemany(
            "INSERT INTO accounts VALUES (?, ?)", [("alice", "sip:own.example"), ("", ""), ("bob", "")]
        )
    database.close()
    query = (
        "SELECT username, 'a.example' AS hostport, '' AS user_id, 'clrtxt' AS secret_type, 'x' AS secret, "
        "'' AS alias_username, '' AS alias_hostport, proxy AS outbound_proxy FROM accounts"
    )
    loader = {
        "dbBackend": "sqlite3",
        "initQuery": query,
        "updateQuery": f"{query} WHERE username = :identifier",
        "connection": str(tmp_path / "accounts.db"),
    }
    given = config({"One": {**POOL, "loader": loader}}, provider("One"))

    unread = gather_accounts(given, RedisSettings(), connect=False)
    assert (unread.sources, unread.unread) == ((), ("pool One",))

    read = gather_accounts(given, RedisSettings(), connect=True)
    (source,) = read.sources
    assert (source.told, source.problems) == ("2 accounts in its database", ("1 rows are not valid accounts",))
    assert [(pool, account.uri.user) for pool, account in read.own_hops] == [("One", "alice")]

    refusing = replace(given.pools["One"].policy, refused_next_hops=(ip_network("192.0.2.10"),))
    database = sqlite3.connect(tmp_path / "accounts.db")
    with database:
        database.execute("INSERT INTO accounts VALUES ('mallory', 'sip:192.0.2.10:5060')")
    database.close()
    refused = replace(given, pools={"One": replace(given.pools["One"], policy=refusing)})
    read = gather_accounts(refused, RedisSettings(), connect=True)
    (source,) = read.sources
    assert source.told == "3 accounts in its database"
    assert source.problems[1] == (
        "1 accounts are not used; the first is sip:mallory@a.example: its outbound proxy 192.0.2.10 is in "
        "192.0.2.10/32 of refused_next_hops ([gateways] in the settings)"
    )
    assert [account.uri.user for _, account in read.own_hops] == ["alice"]

    (tmp_path / "accounts.db").unlink()
    (source,) = gather_accounts(given, RedisSettings(), connect=True).sources
    assert source.problems


@pytest.mark.skipif(REDIS is None, reason="no redis-server on the PATH")
def test_redis_is_subscribed_to(tmp_path: Path) -> None:
    nobody = config({"One": {**POOL, "loader": []}}, provider("One"))
    server = RedisServer(tmp_path)
    try:
        asked = RedisSettings(url=f"redis://127.0.0.1:{server.port}")
        (source,) = gather_accounts(nobody, asked, connect=False).sources
        assert (source.name, source.problems) == ("Redis", ())
    finally:
        server.kill()
    (source,) = gather_accounts(nobody, asked, connect=False).sources
    assert len(source.problems) == 1


# The edge


@pytest.mark.skipif(KAMAILIO is None, reason="no kamailio on the PATH")
def test_the_edge_is_asked(tmp_path: Path) -> None:
    assert gather_edge(EdgeSettings()) is None
    given, file = settings(tmp_path)
    with Edge(tmp_path / "edge", "127.0.0.1:5080") as running:
        enabled = EdgeSettings(enabled=True, address=running.inside, rpc_socket=running.rpc_socket)
        running.set_account("sipbridge.alice.1", "md5", "sip:proxy.example.org", "0" * 32)
        edge = gather_edge(enabled)
        host = gather_host(given, file, None, None)
        assert edge is not None
        assert (edge.problem, edge.has_owner) == ("", False)
        assert [one.verdict for one in check_edge(edge, host)] == [Verdict.PASS, Verdict.PASS]
    edge = gather_edge(enabled)
    host = gather_host(given, file, None, None)
    assert edge is not None
    assert [(one.id, one.verdict) for one in check_edge(edge, host)] == [
        ("edge-rpc", Verdict.FAIL),
        ("edge-address", Verdict.FAIL),
    ]

"""`sipbridge run` with the edge on a real FreeSWITCH: accounts with nothing but a hash register, call and hang up."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import jabiru
import pytest
from edge_installation import (
    CHALLENGED,
    PATIENCE_S,
    REALM,
    Installation,
    edge_settings,
    edge_state,
    providers_file,
    uri_of,
)

from support.bridge import Bridge
from support.digest import DigestProvider, md5
from support.edge import PROGRAM, Edge
from support.freeswitch import FreeSwitch
from support.mariadb import PROGRAM as MARIADB
from support.mariadb import MariaDb
from support.processes import wait_until
from support.sip_message import SipMessage, sdp, without_tag
from support.sip_peer import SipPeer

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="no kamailio on the PATH")

PASSWORDS = {"alice": "s3cret", "mallory": "another"}
TABLE = "CREATE TABLE users (pk INTEGER PRIMARY KEY, username VARCHAR(64), domain VARCHAR(64), ha1 CHAR(32))"
ROWS = [
    (1, "alice", jabiru.DOMAIN, md5("alice", REALM, PASSWORDS["alice"])),
    (2, "mallory", jabiru.DOMAIN, md5("mallory", REALM, "guess")),
]


def _sqlite(directory: Path) -> str:
    with sqlite3.connect(directory / "accounts.sqlite") as database:
        database.execute(TABLE)
        database.executemany("INSERT INTO users VALUES (?, ?, ?, ?)", ROWS)
    database.close()
    return str(directory / "accounts.sqlite")


@pytest.fixture(
    scope="module",
    params=[
        "sqlite3",
        pytest.param("mysql", marks=pytest.mark.skipif(MARIADB is None, reason="no mariadbd on the PATH")),
    ],
)
def loader(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A database that has HA1 hashes and no password: its kind, and how to connect."""
    directory = tmp_path_factory.mktemp("db")
    if request.param == "sqlite3":
        yield {"dbBackend": "sqlite3", "connection": _sqlite(directory)}
        return
    database = MariaDb(directory)
    try:
        database.execute(TABLE)
        database.execute("INSERT INTO users VALUES (%s, %s, %s, %s)", ROWS)
        database.execute("CREATE USER 'flexisip-b2bua'@'%' IDENTIFIED BY 'Mellon'")
        database.execute("GRANT SELECT ON accounts.users TO 'flexisip-b2bua'@'%'")
        by = f"db=accounts user='flexisip-b2bua' password='Mellon' host=127.0.0.1 port={database.port}"
        yield {"dbBackend": "mysql", "connection": by}
    finally:
        database.kill()


@pytest.fixture(scope="module")
def hashes_alone(
    bridged_freeswitch: FreeSwitch, edge: Edge, loader: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installation]:
    """The example on that database, with its own queries but for the column of the secret."""
    provider = DigestProvider(REALM, PASSWORDS, challenges=CHALLENGED)
    with SipPeer(provider.rule) as far, SipPeer() as proxy:
        providers = providers_file(proxy)
        pool = providers["accountPools"]["JabiruAccountPool"]
        pool["outboundProxy"] = f"<sip:{far.hostport};transport=tcp>"
        for query in ("initQuery", "updateQuery"):
            with_hash = pool["loader"][query].replace(
                '"clrtxt" AS secret_type, password AS secret', '"" AS secret_type, ha1 AS secret'
            )
            assert with_hash != pool["loader"][query]
            # The double quotes are MySQL's, and SQLite takes them as well.
            pool["loader"][query] = with_hash
        pool["loader"] |= loader
        bridge = Bridge(
            tmp_path_factory.mktemp("bridge"), bridged_freeswitch, providers, more_settings=edge_settings(edge)
        )
        try:
            yield Installation(bridged_freeswitch, edge, bridge, far, provider, proxy)
        finally:
            status = bridge.terminate()
        assert status == 0
        assert provider.bindings == {}, "not unregistered"
        table = edge.rpc("htable.stats")
        assert [one["all"] for one in table if one["name"] == "account"] == [1], "accounts are left in the edge"


@pytest.fixture(autouse=True)
def _calls_end(bridged_freeswitch: FreeSwitch) -> Iterator[None]:
    yield
    # What a test that failed has left.
    bridged_freeswitch.event_socket.api("hupall")


def test_hashes_register(hashes_alone: Installation) -> None:
    hashes_alone.bridge.wait_for_status(uri_of("alice"), "OK", PATIENCE_S)
    contact = hashes_alone.provider.bindings[uri_of("alice")]
    assert f"@{hashes_alone.edge.outside};transport=tcp;gw=sipbridge.alice." in contact
    registers = [
        one for one in hashes_alone.jabiru.received if one.method == "REGISTER" and uri_of("alice") in one["To"]
    ]
    assert hashes_alone.provider.accepts(registers[1])
    assert {one.transport for one in registers} == {"tcp"}


def test_wrong_hash_fails_with_its_reason_and_backs_off(hashes_alone: Installation) -> None:
    hashes_alone.bridge.wait_for_status(uri_of("mallory"), "Registration failed: 403 Forbidden", PATIENCE_S)
    assert "mallory@jabiru.example.org was rejected; retrying in 1 min" in hashes_alone.bridge.log()
    _, final = hashes_alone.call_out("mallory")
    assert final.status == 488


def test_a_call_out_and_its_end_have_the_right_digest(hashes_alone: Installation) -> None:
    hashes_alone.bridge.wait_for_status(uri_of("alice"), "OK", PATIENCE_S)
    far, heard = hashes_alone.jabiru, len(hashes_alone.jabiru.received)
    invite, final = hashes_alone.call_out("alice")
    assert final.status == 200
    first, second = (far.request("INVITE", count=count, since=heard) for count in (1, 2))
    for sent in (first, second):
        assert sent.transport == "tcp"
        assert sent.request_uri == uri_of("carol")
        assert sent["To"] == f"<{uri_of('carol')}>"
        assert without_tag(sent["From"]) == f"<{uri_of('alice')}>"
        assert "sipbridge-" not in sent.encode().decode().lower()
    assert hashes_alone.provider.accepts(second)
    assert "sipbridge-" not in final.encode().decode().lower()

    hashes_alone.hang_up(invite, final)
    bye = far.request("BYE", since=heard, timeout_s=PATIENCE_S)
    assert hashes_alone.provider.accepts(bye)
    hashes_alone.bridge.wait_for_free_slots(uri_of("alice"), 20)


def test_a_call_to_the_registered_contact_comes_in(hashes_alone: Installation) -> None:
    hashes_alone.bridge.wait_for_status(uri_of("alice"), "OK", PATIENCE_S)
    far, proxy = hashes_alone.jabiru, hashes_alone.proxy
    heard = len(proxy.received)
    invite = far.new_request(
        "INVITE",
        hashes_alone.provider.bindings[uri_of("alice")],
        from_=f"<{uri_of('carol')}>",
        to=f"<{uri_of('alice')}>",
        transport="tcp",
        headers=[("X-Sipbridge-Media", "avpf")],
        body=sdp(),
    )
    far.send(invite, hashes_alone.edge.outside, "tcp")
    final = far.final_response(invite, timeout_s=PATIENCE_S)
    assert final.status == 200
    arrived = proxy.request("INVITE", since=heard)
    assert arrived.request_uri == f"sip:alice@{jabiru.PROXY_DOMAIN}"
    assert "X-Sipbridge" not in arrived.encode().decode()
    ack = far.within_dialog("ACK", invite, final, transport="tcp", headers=_routes(final))
    far.send(ack, hashes_alone.edge.outside, "tcp")
    bye = far.within_dialog("BYE", invite, final, cseq=2, transport="tcp", headers=_routes(final))
    far.send(bye, hashes_alone.edge.outside, "tcp")
    assert far.final_response(bye, timeout_s=PATIENCE_S).status == 200
    proxy.request("BYE", since=heard, timeout_s=PATIENCE_S)


def test_the_edge_restarts_and_calls_go_on(hashes_alone: Installation) -> None:
    hashes_alone.bridge.wait_for_status(uri_of("alice"), "OK", PATIENCE_S)
    hashes_alone.edge.kill()
    wait_until("the loss is told", lambda: edge_state(hashes_alone.bridge)["problem"], timeout_s=PATIENCE_S)
    assert "no Kamailio listens on" in edge_state(hashes_alone.bridge)["problem"]
    assert hashes_alone.call_out("alice")[1].status == 503

    hashes_alone.edge.start()
    wait_until("all is back", lambda: edge_state(hashes_alone.bridge)["known"] == 2, timeout_s=PATIENCE_S)
    assert edge_state(hashes_alone.bridge) == {"problem": "", "accounts": 2, "known": 2}
    invite, final = hashes_alone.call_out("alice")
    assert final.status == 200
    hashes_alone.hang_up(invite, final)


def test_no_hash_is_told_anywhere(hashes_alone: Installation) -> None:
    hash_ = md5("alice", REALM, PASSWORDS["alice"])
    wait_until("the spool is empty", lambda: "gateway" not in hashes_alone.freeswitch.spool.read_text())
    for text in (hashes_alone.bridge.log(), hashes_alone.freeswitch.log(), hashes_alone.edge.log()):
        assert hash_ not in text
    assert hash_ not in hashes_alone.freeswitch.event_socket.api("sofia xmlstatus gateway")


def _routes(final: SipMessage) -> list[tuple[str, str]]:
    return [("Route", route) for route in final.values("Record-Route")[::-1]]

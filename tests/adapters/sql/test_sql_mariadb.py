"""Behaviour specific to a database server: users, passwords, sockets, and connections lost in the middle."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import gevent
import pytest

from sipbridge.adapters.sql.sql_accounts import SqlAccounts
from sipbridge.adapters.sql.sql_engine import SqlLimits
from sipbridge.core.providers.provider import SqlLoader
from sipbridge.ports import SourceError, SourceUnavailable
from support.mariadb import PROGRAM, MariaDb
from support.processes import free_tcp_port

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="no mariadbd on the PATH")

PASSWORD = "pässwörd €"
QUERY = (
    'SELECT username, "a.example" AS hostport, "" AS user_id, "clrtxt" AS secret_type, "Mellon" AS secret, '
    '"" AS alias_username, "" AS alias_hostport, "" AS outbound_proxy FROM users'
)
USERS = 3_000


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MariaDb]:
    server = MariaDb(tmp_path_factory.mktemp("mariadb"))
    server.execute("CREATE TABLE users (pk INT PRIMARY KEY, username VARCHAR(64))")
    server.execute("INSERT INTO users VALUES (%s, %s)", [(n, f"user{n}") for n in range(USERS)])
    server.execute(f"CREATE USER reader IDENTIFIED BY '{PASSWORD}'")
    server.execute("GRANT SELECT ON accounts.* TO reader")
    yield server
    server.kill()


def source(connection: str, query: str = QUERY, *, threads: int = 1, answer_s: float = 30) -> SqlAccounts:
    loader = SqlLoader("mysql", query, f"{query} WHERE pk = :identifier", connection, threads)
    return SqlAccounts("people", loader, SqlLimits(connect_s=5, answer_s=answer_s))


def connection_to(server: MariaDb) -> str:
    return f"db=accounts user=reader password='{PASSWORD}' host=127.0.0.1 port={server.port}"


def count(source: SqlAccounts) -> int:
    return sum(len(batch.accounts) for batch in source.load_all())


def test_a_user_who_may_only_read(server: MariaDb) -> None:
    reading = source(connection_to(server))

    assert count(reading) == USERS
    assert str(reading.load_one("7").uri) == "sip:user7@a.example"  # type: ignore[union-attr]  # or the test fails
    reading.close()
    with pytest.raises(SourceError, match="DELETE command denied"):
        count(source(connection_to(server), "DELETE FROM users"))


def test_by_its_unix_socket(server: MariaDb) -> None:
    assert count(source(f"db=accounts user=reader password='{PASSWORD}' unix_socket='{server.socket}'")) == USERS


def test_by_a_url(server: MariaDb) -> None:
    escaped = PASSWORD.replace(" ", "%20")
    assert count(source(f"mysql://reader:{escaped}@127.0.0.1:{server.port}/accounts")) == USERS


@pytest.mark.parametrize(
    ("connection", "message"),
    [
        ("user=reader password=Mellon", "Access denied for user 'reader'"),
        ("user=reader password='{PASSWORD}' db=other", "Access denied for user 'reader'@'%' to database 'other'"),
        ("user=root db=other", "Unknown database 'other'"),
        ("user=root sslca=/nonexistent", "No such file or directory"),
    ],
)
def test_a_server_that_does_not_let_us_in(server: MariaDb, connection: str, message: str) -> None:
    connection = connection.replace("{PASSWORD}", PASSWORD)
    with pytest.raises(SourceUnavailable) as caught:
        count(source(f"{connection} host=127.0.0.1 port={server.port}"))
    assert message in str(caught.value)
    assert PASSWORD not in str(caught.value)
    assert "Mellon" not in str(caught.value)


def test_no_server() -> None:
    with pytest.raises(SourceUnavailable, match=r"^cannot connect to 127\.0\.0\.1: .*Connection refused"):
        count(source(f"db=a user=b password=Mellon host=127.0.0.1 port={free_tcp_port()}"))


def test_a_server_that_says_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with pytest.raises(SourceUnavailable, match="timed out"):
            count(source(f"db=a user=b password=Mellon host=127.0.0.1 port={port}", answer_s=1))


@pytest.fixture
def mortal_server(tmp_path: Path) -> Iterator[MariaDb]:
    server = MariaDb(tmp_path / "mariadb")
    yield server
    server.kill()


def test_a_server_that_goes_away_in_the_middle(mortal_server: MariaDb) -> None:
    mortal_server.execute("CREATE TABLE users (pk INT PRIMARY KEY, username VARCHAR(64))")
    mortal_server.execute("INSERT INTO users VALUES (%s, %s)", [(n, f"user{n}") for n in range(1_000)])
    # A thousand times a thousand rows: far more than what is on the way at any time.
    many = QUERY.replace("FROM users", "FROM (SELECT one.* FROM users AS one, users AS other) AS users")
    loading = source(f"db=accounts user=root host=127.0.0.1 port={mortal_server.port}", many).load_all()
    assert next(loading).accounts

    mortal_server.kill()

    with pytest.raises(SourceUnavailable, match=r"^initQuery: Lost connection"):
        for _ in loading:
            pass


def test_no_more_connections_than_threads(server: MariaDb) -> None:
    # Each account has the number of its connection for a name.
    query = QUERY.replace("SELECT username", "SELECT CONNECTION_ID() AS username")
    asking = source(connection_to(server), query, threads=3)

    asked = [gevent.spawn(asking.load_one, str(n)) for n in range(100)]
    gevent.joinall(asked)

    connections = {one.value.uri.user for one in asked}
    assert len(connections) == 3
    asking.close()

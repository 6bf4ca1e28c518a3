"""Databases with many accounts in them, SQLite and a real MariaDB. Writes files, starts a process."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Protocol

from support.mariadb import MariaDb

_TABLE = (
    "CREATE TABLE users (pk INTEGER PRIMARY KEY, username VARCHAR(64), domain VARCHAR(64), password VARCHAR(64), "
    "alias VARCHAR(64), proxy VARCHAR(64))"
)
DOMAIN = "jabiru.example.org"
_INSIDE = "inside.example.org"
# As in the specification's first example.
_QUERY = (
    "SELECT username, domain AS hostport, '' AS user_id, 'clrtxt' AS secret_type, password AS secret, "
    f"alias AS alias_username, '{_INSIDE}' AS alias_hostport, proxy AS outbound_proxy FROM users"
)


class Database(Protocol):
    """A database with accounts in it: ``user0`` to ``user99999``, their primary keys from 1 on."""

    backend: str
    connection: str

    def execute(self, statement: str, rows: Sequence[Sequence[object]]) -> None:
        """Run a statement once for each row; ``%s`` stands for a value."""

    def loader(self) -> dict[str, str]:
        """The SQL loader of a providers file."""


class _Accounts:
    backend: str
    connection: str

    def loader(self) -> dict[str, str]:
        return {
            "dbBackend": self.backend,
            "initQuery": _QUERY,
            "updateQuery": f"{_QUERY} WHERE pk = :identifier",
            "connection": self.connection,
        }


class _Sqlite(_Accounts):
    backend = "sqlite3"

    def __init__(self, path: Path) -> None:
        self._path = path
        self.connection = f"db='{path}'"

    def execute(self, statement: str, rows: Sequence[Sequence[object]]) -> None:
        with closing(sqlite3.connect(self._path)) as connection, connection:
            connection.executemany(statement.replace("%s", "?"), rows)


class _MariaDb(_Accounts):
    backend = "mysql"

    def __init__(self, server: MariaDb) -> None:
        self._server = server
        self.connection = f"db=accounts user='root' host=127.0.0.1 port={server.port}"

    def execute(self, statement: str, rows: Sequence[Sequence[object]]) -> None:
        self._server.execute(statement, rows)


@contextmanager
def sqlite(directory: Path, count: int) -> Iterator[Database]:
    """An SQLite file with `count` accounts."""
    database = _Sqlite(directory / "accounts.sqlite3")
    _fill(database, count)
    yield database


@contextmanager
def mariadb(directory: Path, count: int) -> Iterator[Database]:
    """A MariaDB with `count` accounts; gone at the end of the ``with`` block."""
    server = MariaDb(directory / "mariadb")
    try:
        database = _MariaDb(server)
        _fill(database, count)
        yield database
    finally:
        server.kill()


def insert(database: Database, *numbers: int) -> None:
    """Add accounts: ``user7`` with the primary key 8."""
    rows = [(number + 1, f"user{number}", DOMAIN, f"password {number}", f"user{number}", "") for number in numbers]
    database.execute("INSERT INTO users VALUES (%s, %s, %s, %s, %s, %s)", rows)


def change(database: Database, keys: Sequence[int], password: str) -> None:
    """Give accounts another password."""
    database.execute("UPDATE users SET password = %s WHERE pk = %s", [(password, key) for key in keys])


def providers_file(loader: object, outbound_proxy: str, *, registers: bool) -> dict[str, Any]:
    """The specification's first example, outbound and inbound, for the accounts of `loader`."""
    return {
        "schemaVersion": 2,
        "providers": [
            _provider(
                "outbound",
                {"strategy": "FindInPool", "source": "{from}", "by": "alias"},
                "sip:{incoming.to.user}@{account.uri.hostport}{incoming.to.uriParameters}",
                "{account.uri}",
            ),
            _provider(
                "inbound",
                {"strategy": "FindInPool", "source": "{to}", "by": "uri"},
                "{account.alias}",
                "sip:{incoming.from.user}@{account.alias.hostport}{incoming.from.uriParameters}",
            ),
        ],
        "accountPools": {
            "accounts": {
                "outboundProxy": outbound_proxy,
                "registrationRequired": registers,
                "unregisterOnServerShutdown": False,
                "maxCallsPerLine": 10,
                "loader": loader,
            }
        },
    }


def _provider(name: str, account_to_use: dict[str, str], to: str, from_: str) -> dict[str, Any]:
    return {
        "name": name,
        "triggerCondition": {"strategy": "Always"},
        "accountToUse": account_to_use,
        "onAccountNotFound": "nextProvider",
        "outgoingInvite": {"to": to, "from": from_},
        "accountPool": "accounts",
    }


def _fill(database: Database, count: int) -> None:
    database.execute(_TABLE, [()])
    insert(database, *range(count))

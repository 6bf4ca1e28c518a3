"""The SQL loader on SQLite and, where available, a real MariaDB."""

from __future__ import annotations

import contextlib
import dataclasses
import ipaddress
import json
import logging
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

import gevent
import pytest
from contract_world import eventually

from sipbridge.adapters.sql.sql_accounts import SqlAccounts
from sipbridge.adapters.sql.sql_engine import SqlLimits
from sipbridge.config.load import load_providers
from sipbridge.core.accounts.account import Account, SecretType
from sipbridge.core.accounts.account_row import RowError
from sipbridge.core.providers.provider import PoolPolicy, SqlLoader
from sipbridge.core.sip.uri import parse_sip_uri
from sipbridge.ports import SourceError, SourceUnavailable
from support.mariadb import PROGRAM, MariaDb

PASSWORD = "correct 'horse'"
POLICY = PoolPolicy("pool", parse_sip_uri("sip:proxy.example.org"), False, 5)
JABIRU = Path(__file__).parents[1] / "config" / "examples" / "jabiru.json"
ALL = "SELECT * FROM accounts"
ONE = "SELECT * FROM accounts WHERE username = :identifier"
COLUMNS = "username, hostport, user_id, secret_type, secret, alias_username, alias_hostport, outbound_proxy"


# As Flexisip's Account Manager makes it: each protocol and each algorithm that it can hold, and what may be NULL.
ACCOUNT_MANAGER = """CREATE TABLE external_accounts (id INTEGER PRIMARY KEY, username VARCHAR(64) NOT NULL,
  domain VARCHAR(64) NOT NULL, password VARCHAR(255) NOT NULL, algorithm VARCHAR(10) NOT NULL DEFAULT 'MD5',
  realm VARCHAR(64), registrar VARCHAR(64), outbound_proxy VARCHAR(64), protocol VARCHAR(4) NOT NULL DEFAULT 'UDP',
  account_id INT NOT NULL)"""
ALGORITHMS = {"MD5": SecretType.HA1, "SHA-256": SecretType.SHA256, "CLRTXT": SecretType.CLEAR_TEXT}
OF_ACCOUNT_MANAGER = (
    "SELECT e.username, e.domain AS hostport, '' AS user_id, e.algorithm AS secret_type, e.password AS secret, "
    "e.realm, e.registrar, e.outbound_proxy, e.protocol, a.username AS alias_username, a.domain AS alias_hostport "
    "FROM external_accounts e JOIN accounts_of_people a ON a.id = e.account_id"
)


class Database(Protocol):
    """A database that is empty at first."""

    backend: str
    connection: str
    endless: str
    """A condition that takes for ever, and is false."""

    def execute(self, statement: str, rows: Sequence[Sequence[object]] = ...) -> None: ...
    def count(self, table: str) -> int: ...
    def stop(self) -> None: ...
    def start(self) -> None: ...


class Sqlite:
    backend = "sqlite3"
    endless = "(WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT MAX(x) FROM n) < 0"

    def __init__(self, directory: Path) -> None:
        self._path = directory / "accounts of all.sqlite3"
        self.connection = f"db='{self._path}'"

    def execute(self, statement: str, rows: Sequence[Sequence[object]] = ((),)) -> None:
        connection = sqlite3.connect(self._path)
        connection.executemany(statement.replace("%s", "?"), rows) if rows != ((),) else connection.execute(statement)
        connection.commit()
        connection.close()

    def count(self, table: str) -> int:
        connection = sqlite3.connect(self._path)
        (number,) = connection.execute(f"SELECT COUNT(*) FROM {table}").fetchone()
        connection.close()
        return int(number)

    def stop(self) -> None:
        self._path.rename(self._path.with_suffix(".away"))

    def start(self) -> None:
        self._path.with_suffix(".away").rename(self._path)


class Maria:
    backend = "mysql"
    endless = "SLEEP(60) = 1"

    def __init__(self, server: MariaDb) -> None:
        self._server = server
        quoted = PASSWORD.replace("'", "\\'")
        self.connection = f"db=accounts user='b2bua' password='{quoted}' host=127.0.0.1 port={server.port}"
        server.execute("DROP DATABASE accounts")
        server.execute("CREATE DATABASE accounts", database=None)

    def execute(self, statement: str, rows: Sequence[Sequence[object]] = ((),)) -> None:
        self._server.execute(statement, None if rows == ((),) else rows)

    def count(self, table: str) -> int:
        return int(str(self._server.query(f"SELECT COUNT(*) FROM {table}")[0][0]))

    def stop(self) -> None:
        self._server.kill()

    def start(self) -> None:
        self._server.start()


@pytest.fixture(scope="module")
def maria_db(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MariaDb]:
    server = MariaDb(tmp_path_factory.mktemp("mariadb"))
    quoted = PASSWORD.replace("'", "''")
    # It may write: only the bridge sees to it that nothing is written.
    server.execute(f"CREATE USER b2bua IDENTIFIED BY '{quoted}'")
    server.execute("GRANT ALL ON accounts.* TO b2bua")
    yield server
    server.kill()


@pytest.fixture(
    params=[
        "sqlite",
        pytest.param("mariadb", marks=pytest.mark.skipif(PROGRAM is None, reason="no mariadbd on the PATH")),
    ]
)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Database:
    if request.param == "sqlite":
        return Sqlite(tmp_path)
    return Maria(request.getfixturevalue("maria_db"))


class Source:
    """Makes sources for a database, and closes them."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._made: list[SqlAccounts] = []

    def __call__(
        self, init: str = ALL, update: str = ONE, *, threads: int | None = None, limits: SqlLimits | None = None
    ) -> SqlAccounts:
        loader = SqlLoader(self._database.backend, init, update, self._database.connection, threads)
        made = SqlAccounts("people", loader, limits or SqlLimits())
        self._made.append(made)
        return made

    def close(self) -> None:
        for made in self._made:
            made.close()


@pytest.fixture
def source(database: Database) -> Iterator[Source]:
    before = native_threads()
    made = Source(database)
    yield made
    made.close()
    # A connection that is left open keeps MariaDB from dropping tables.
    eventually("all threads have ended", lambda: native_threads() <= before)


def native_threads() -> int:
    return len(os.listdir("/proc/self/task"))


@pytest.fixture
def accounts(database: Database) -> Database:
    """A database with a table of accounts in the columns of the specification, and nobody in it."""
    columns = ", ".join(f"{name} VARCHAR(100)" for name in COLUMNS.split(", "))
    database.execute(f"CREATE TABLE accounts ({columns})")
    return database


def insert(database: Database, *rows: Sequence[object]) -> None:
    marks = ", ".join(["%s"] * 8)
    database.execute(f"INSERT INTO accounts ({COLUMNS}) VALUES ({marks})", rows)


def row(username: str, **columns: object) -> list[object]:
    """A row of the table, whose secret is nowhere else in it."""
    values: dict[str, object] = dict.fromkeys(COLUMNS.split(", "), "")
    values |= {"username": username, "hostport": "jabiru.example.org", "secret_type": "clrtxt", "secret": "Mellon"}
    values |= columns
    return list(values.values())


def account(username: str, secret: str | None = "Mellon") -> Account:
    return Account(
        parse_sip_uri(f"sip:{username}@jabiru.example.org"), secret=secret, secret_type=SecretType.CLEAR_TEXT
    )


def all_of(source: SqlAccounts) -> list[Account]:
    return [account for batch in source.load_all() for account in batch.accounts]


# What comes.


def test_first_example_of_the_specification_as_it_is_typed(database: Database, source: Source) -> None:
    config = load_providers(JABIRU).config
    assert config is not None
    loader = config.pools["JabiruAccountPool"].loader
    assert isinstance(loader, SqlLoader)
    database.execute(
        "CREATE TABLE users (pk INTEGER PRIMARY KEY, username VARCHAR(64), domain VARCHAR(64), password VARCHAR(64))"
    )
    users = [(1, "alice", "jabiru.example.org", "Mellon1"), (2, "bob", "jabiru.example.org:5070", "Mellon2")]
    database.execute("INSERT INTO users VALUES (%s, %s, %s, %s)", users)
    jabiru = source(loader.init_query, loader.update_query)

    expected = [
        Account(
            parse_sip_uri(f"sip:{name}@{domain}"),
            alias=parse_sip_uri(f"sip:{name}@flexisip.example.org"),
            secret=secret,
            secret_type=SecretType.CLEAR_TEXT,
        )
        for _, name, domain, secret in users
    ]
    assert all_of(jabiru) == expected
    assert [account.secret for account in all_of(jabiru)] == ["Mellon1", "Mellon2"]
    assert jabiru.load_one("2") == expected[1]
    assert jabiru.load_one("3") is None


def test_many_come_in_batches(accounts: Database, source: Source) -> None:
    names = [f"user{number}" for number in range(1_234)]
    insert(accounts, *(row(name) for name in names))

    batches = list(source().load_all())

    assert len(batches) > 2
    assert sorted(account.uri.user for batch in batches for account in batch.accounts) == sorted(names)


def test_nobody_comes_of_an_empty_table(accounts: Database, source: Source) -> None:
    assert all_of(source()) == []
    assert source().load_one("alice") is None


def test_null_and_empty_are_absent(accounts: Database, source: Source) -> None:
    absent = dict.fromkeys(("user_id", "secret", "alias_username", "alias_hostport", "outbound_proxy"))
    insert(accounts, row("alice", **absent), row("bob", **dict.fromkeys(absent, "")))

    assert all_of(source()) == [account("alice", None), account("bob", None)]


def test_any_character_comes_as_it_is(accounts: Database, source: Source) -> None:
    insert(accounts, row("alice", secret="Mëllon€😀 \\ % :x ' \""))

    (alice,) = all_of(source())

    assert alice.secret == "Mëllon€😀 \\ % :x ' \""


def test_colons_and_percent_signs_of_a_query_are_not_touched(accounts: Database, source: Source) -> None:
    insert(accounts, row("alice"))
    noted = COLUMNS.replace("secret,", "'%s 12:30 :identifier ::x \"' AS secret,")
    comment = "/* not :identifier */"
    update = f"SELECT {noted} FROM accounts {comment} WHERE username = :identifier AND '100%' LIKE '%\\%%' ESCAPE '\\'"
    if isinstance(accounts, Maria):
        update = update.replace("ESCAPE '\\'", "")
    asking = source(f"SELECT {noted} FROM accounts", update)

    (alice,) = all_of(asking)

    assert alice.secret == '%s 12:30 :identifier ::x "'
    assert asking.load_one("alice") == alice
    assert asking.load_one("bob") is None


def test_an_identifier_is_only_ever_a_value(accounts: Database, source: Source) -> None:
    insert(accounts, row("alice"))
    asking = source()

    for identifier in ("' OR '1' = '1", "x'; DROP TABLE accounts; --", "%", "\\", "alice\0"):
        assert asking.load_one(identifier) is None

    assert asking.load_one("alice") == account("alice")


def test_what_has_changed_is_seen(accounts: Database, source: Source) -> None:
    insert(accounts, row("alice"))
    asking = source()
    assert asking.load_one("alice") == account("alice")

    accounts.execute("UPDATE accounts SET secret = 'Mellon2'")

    found = asking.load_one("alice")
    assert found is not None
    assert found.secret == "Mellon2"


# What is wrong.


def test_bad_rows_are_skipped_counted_and_told_of_once(
    accounts: Database, source: Source, caplog: pytest.LogCaptureFixture
) -> None:
    insert(accounts, row("alice"), row("", hostport="x"), row("b b"), row("carol", secret_type="Mellon"), row("dan"))
    asking = source()

    with caplog.at_level(logging.WARNING):
        batches = [*asking.load_all(), *asking.load_all()]

    assert sum(batch.skipped for batch in batches) == 6
    assert [one.uri.user for batch in batches for one in batch.accounts] == ["alice", "dan"] * 2
    assert [record.message for record in caplog.records] == [
        "pool people: skipped a row: an account of 'x' has no username",
        "pool people: skipped a row: account 'b b' of 'jabiru.example.org': "
        "username and hostport together are not a SIP URI: it must not contain spaces",
        "pool people: skipped a row: account 'carol' of 'jabiru.example.org': "
        "secret_type must be one of ha1, md5, sha256, sha-256, clrtxt",
    ]


def test_a_probe_tells_of_rows_whose_next_hop_is_refused(accounts: Database, source: Source) -> None:
    insert(
        accounts,
        row("alice"),
        row("bob", outbound_proxy="127.0.0.2:5080"),
        row("mallory", outbound_proxy="192.0.2.10"),
        row("mallet", outbound_proxy="sip:192.0.2.10:5080;transport=tcp"),
        row("eve", outbound_proxy="sip:proxy.example.org;maddr=10.0.0.7"),
    )
    refused = (ipaddress.ip_network("192.0.2.10"), ipaddress.ip_network("10.0.0.0/24"))

    assert source().probe(POLICY).accounts == 5
    probe = source().probe(dataclasses.replace(POLICY, refused_next_hops=refused))
    assert probe.accounts == 2
    said = "refused_next_hops ([gateways] in the settings)"
    assert probe.problems == (
        "account sip:mallory@jabiru.example.org (and 1 more): "
        f"its outbound proxy 192.0.2.10 is in 192.0.2.10/32 of {said}",
        f"account sip:eve@jabiru.example.org: its outbound proxy 10.0.0.7 is in 10.0.0.0/24 of {said}",
    )


def test_one_bad_row(accounts: Database, source: Source) -> None:
    insert(accounts, row("b b"), row("alice"))
    asking = source()

    with pytest.raises(RowError, match="'b b'"):
        asking.load_one("b b")
    with pytest.raises(RowError, match="half of a surrogate pair"):
        asking.load_one("\ud800")
    assert asking.load_one("alice") == account("alice")


@pytest.mark.parametrize("wrong", ["initQuery", "updateQuery"])
def test_missing_columns_are_named_at_start(accounts: Database, source: Source, wrong: str) -> None:
    partly = "SELECT username, hostport AS domain, user_id, secret_type, alias_username, outbound_proxy FROM accounts"
    insert(accounts, row("alice"))
    asking = source(partly) if wrong == "initQuery" else source(ALL, f"{partly} WHERE username = :identifier")

    with pytest.raises(SourceError) as caught:
        all_of(asking)

    assert str(caught.value) == (
        f"{wrong}: missing column secret, alias_hostport or alias_domain; "
        "the query returns username, domain, user_id, secret_type, alias_username, outbound_proxy"
    )


def test_a_column_that_has_gone_missing(accounts: Database, source: Source) -> None:
    asking = source()
    assert asking.load_one("alice") is None

    accounts.execute("ALTER TABLE accounts DROP COLUMN alias_username")

    with pytest.raises(SourceError, match="updateQuery: missing column alias_username"):
        asking.load_one("alice")


@pytest.mark.parametrize(
    "query",
    ["SELEC * FROM accounts", "SELECT * FROM nothing", "SELECT nothing FROM accounts", f"{ALL} WHERE x = :identifier"],
)
def test_queries_that_no_database_answers(accounts: Database, source: Source, query: str) -> None:
    with pytest.raises(SourceError, match=r"^initQuery: "):
        all_of(source(query))
    with pytest.raises(SourceError, match=r"^updateQuery: "):
        source(ALL, query.replace("x = :identifier", "y = :identifier")).load_one("alice")


def test_nothing_is_written(accounts: Database, source: Source) -> None:
    insert(accounts, row("alice"))
    values = ", ".join(["'x'"] * 8)
    for query in (
        "DELETE FROM accounts",
        f"DELETE FROM accounts RETURNING {COLUMNS}",
        f"INSERT INTO accounts VALUES ({values})",
        f"INSERT INTO accounts VALUES ({values}) RETURNING {COLUMNS}",
        "UPDATE accounts SET secret = 'x'",
        "DROP TABLE accounts",
        "CREATE TABLE more (x INTEGER)",
    ):
        with pytest.raises(SourceError, match="the query tries to write, but sipbridge only reads"):
            all_of(source(query))
        with pytest.raises(SourceError, match="the query tries to write, but sipbridge only reads"):
            source(ALL, f"{query} -- :identifier").load_one("alice")

    assert all_of(source()) == [account("alice")]


def test_what_returns_no_table_cannot_open_the_way_to_writing(accounts: Database, source: Source) -> None:
    opening = "SET SESSION TRANSACTION READ WRITE" if isinstance(accounts, Maria) else "PRAGMA query_only = OFF"
    asking = source(opening, f"{opening} -- :identifier")

    with pytest.raises(SourceError, match=r"^updateQuery: does not return a table$"):
        asking.load_one("alice")
    with pytest.raises(SourceError, match=r"^initQuery: does not return a table$"):
        all_of(source(opening))


def test_a_probe_tells_what_is_there_and_what_is_wrong(accounts: Database, source: Source) -> None:
    insert(accounts, row("alice"), row("b b"), row("carol"))

    found = source().probe(POLICY)
    assert found.accounts == 2
    assert [problem[:13] for problem in found.problems] == ["account 'b b'"]

    found = source("SELECT username FROM accounts").probe(POLICY)
    assert found.accounts == 0
    assert [problem[:16] for problem in found.problems] == ["initQuery: missi"]


# What is not there, or slow.


def test_a_database_that_is_down_and_comes_back(accounts: Database, source: Source) -> None:
    insert(accounts, row("alice"))
    asking = source()
    assert all_of(asking) == [account("alice")]

    accounts.stop()
    try:
        for ask in (lambda: all_of(asking), lambda: asking.load_one("bob"), lambda: asking.load_one("bob")):
            with pytest.raises(SourceUnavailable) as caught:
                ask()
            assert "horse" not in str(caught.value)
        assert asking.probe(POLICY).problems == (str(caught.value),)
    finally:
        accounts.start()

    assert all_of(asking) == [account("alice")]
    assert asking.load_one("alice") == account("alice")


def test_a_query_that_takes_for_ever_is_given_up(accounts: Database, source: Source) -> None:
    insert(accounts, row("alice"))
    asking = source(f"{ALL} WHERE {accounts.endless}", limits=SqlLimits(connect_s=5, answer_s=1))

    with pytest.raises(SourceUnavailable, match=r"^initQuery: no answer in time$"):
        all_of(asking)


def test_other_greenlets_run_while_the_database_thinks(accounts: Database, source: Source) -> None:
    insert(accounts, row("alice"))
    asking = source(ALL, f"{ONE} AND {accounts.endless}", limits=SqlLimits(connect_s=5, answer_s=1))
    turns = 0

    def take_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            gevent.sleep(0.005)

    other = gevent.spawn(take_turns)
    with pytest.raises(SourceUnavailable):
        asking.load_one("alice")
    other.kill()

    assert turns > 20


def test_a_load_that_nobody_wants_any_more(accounts: Database, source: Source) -> None:
    insert(accounts, *(row(f"user{number}") for number in range(2_500)))
    asking = source()

    loading = asking.load_all()
    assert next(loading).accounts
    loading.close()  # type: ignore[attr-defined]  # it is a generator

    reader = gevent.spawn(lambda: [gevent.sleep(0) for _ in asking.load_all()])
    gevent.sleep(0)
    reader.kill()

    assert len(all_of(asking)) == 2_500


def test_many_ask_at_the_same_time(accounts: Database, source: Source) -> None:
    names = [f"user{number}" for number in range(50)]
    insert(accounts, *map(row, names))
    asking = source(threads=3)
    before = native_threads()

    asked = [gevent.spawn(asking.load_one, name) for name in names]
    gevent.joinall(asked)

    assert [one.value for one in asked] == [account(name) for name in names]
    assert native_threads() <= before + 3


def test_several_are_asked_for_at_a_time_and_come_in_order(accounts: Database, source: Source) -> None:
    names = [f"user{number}" for number in range(50)]
    insert(accounts, *map(row, names))
    asking = source(threads=3)
    before = native_threads()

    found = list(asking.load_each([*names, "nobody"]))

    assert found == [*map(account, names), None]
    assert before < native_threads() <= before + 3


def test_a_row_that_is_no_account_does_not_keep_the_others_out(accounts: Database, source: Source) -> None:
    insert(accounts, row("alice"), row("b b"))
    alice, bad = source().load_each(["alice", "b b"])
    assert alice == account("alice")
    assert isinstance(bad, RowError)


def test_who_stops_asking_leaves_nothing_behind(accounts: Database, source: Source) -> None:
    insert(accounts, row("alice"))
    asking = source(threads=1)
    for _ in asking.load_each(["alice"] * 50):
        break
    assert asking.load_one("alice") == account("alice")


def test_a_query_that_fails_for_one_fails_for_all(accounts: Database, source: Source) -> None:
    query = f"{ALL} WHERE no_such_column = :identifier"
    with pytest.raises(SourceError, match="no_such_column"):
        list(source(ALL, query).load_each(["alice", "bob"]))


def test_idle_connections_are_given_up(accounts: Database, source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sipbridge.adapters.sql.sql_accounts._IDLE_S", 0.1)
    before = native_threads()
    asking = source()

    assert asking.load_one("alice") is None

    assert native_threads() > before
    eventually("its thread has ended", lambda: native_threads() <= before)
    assert asking.load_one("alice") is None


SCRIPT = """
from gevent import monkey
monkey.patch_all()
import json, sys
import gevent
from sipbridge.adapters.sql.sql_accounts import SqlAccounts
from sipbridge.core.providers.provider import PoolPolicy, SqlLoader

source = SqlAccounts("people", SqlLoader(*sys.argv[1:5], thread_pool_size=2))
all_at_once = [gevent.spawn(lambda: [a.uri.user for b in source.load_all() for a in b.accounts]) for _ in range(3)]
one_by_one = [gevent.spawn(lambda name: source.load_one(name).uri.user, f"user{n}") for n in range(20)]
gevent.joinall(all_at_once + one_by_one, timeout=60, raise_error=True)
print(json.dumps([[len(one.value) for one in all_at_once], [one.value for one in one_by_one]]))
source.close()
"""


def test_as_the_daemon_does_it_with_everything_patched(accounts: Database) -> None:
    insert(accounts, *(row(f"user{number}") for number in range(1_500)))

    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", SCRIPT, accounts.backend, ALL, ONE, accounts.connection],
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == [[1_500] * 3, [f"user{n}" for n in range(20)]]


@pytest.mark.parametrize("end", ["", ";", " ;\n-- all of them\n"], ids=["", "semicolon", "semicolon and comment"])
def test_every_protocol_and_algorithm_of_the_account_manager(database: Database, end: str) -> None:
    database.execute(ACCOUNT_MANAGER)
    database.execute("CREATE TABLE accounts_of_people (id INT, username VARCHAR(64), domain VARCHAR(64))")
    database.execute("INSERT INTO accounts_of_people VALUES (1, 'alice', 'ours.example')")
    proxies = (None, "", "proxy.example", "proxy.example:5070")
    kinds = [(a, p, o) for a in ALGORITHMS for p in ("UDP", "TCP", "TLS") for o in proxies]
    rows = [
        (n, f"line{n}", "provider.example", "s", algorithm, None, None, proxy, protocol, 1)
        for n, (algorithm, protocol, proxy) in enumerate(kinds)
    ]
    database.execute(f"INSERT INTO external_accounts VALUES ({', '.join(['%s'] * 10)})", rows)
    init = f"{OF_ACCOUNT_MANAGER} ORDER BY e.id{end}"
    update = f"{OF_ACCOUNT_MANAGER} WHERE e.id = :identifier{end}"
    loader = SqlLoader(database.backend, init, update, database.connection)
    with contextlib.closing(SqlAccounts("pool", loader)) as source:
        accounts = [account for batch in source.load_all() for account in batch.accounts]
        assert source.load_one("7") == accounts[7]
    assert [(account.secret_type, account.protocol) for account in accounts] == [
        (ALGORITHMS[algorithm], protocol.lower()) for algorithm, protocol, _ in kinds
    ]
    policy = PoolPolicy("pool", None, True, 1)
    assert [policy.registrar_of(account).text for account in accounts] == [
        f"sip:{proxy or 'provider.example'};transport={protocol.lower()}" for _, protocol, proxy in kinds
    ]

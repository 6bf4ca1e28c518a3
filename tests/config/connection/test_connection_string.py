"""Connection strings, as the specification, libpq and SQLAlchemy write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.engine import URL

from sipbridge.config.connection.connection_string import BackendError, driver_name, parse_connection
from sipbridge.config.connection.keyword_values import ConnectionStringError, parse_pairs

JABIRU = "db=sip_accounts user='flexisip-b2bua' password='Mellon' host=db.jabiru.example.org"
MARK = "▲"
"""Stands before the character that an error is to point at."""


def mysql(**parts: object) -> URL:
    return URL.create("mysql+pymysql", **parts)  # type: ignore[arg-type]  # as the tests give them


READ = {
    "first example of the specification, as it is meant": (
        JABIRU,
        mysql(
            database="sip_accounts",
            username="flexisip-b2bua",
            password="Mellon",
            host="db.jabiru.example.org",
            port=None,
        ),
    ),
    "example of the schema": (
        "db=accounts user='b2bua' password='correct horse' host=database.example.org",
        mysql(database="accounts", username="b2bua", password="correct horse", host="database.example.org"),
    ),
    "everything": (
        "dbname=a user=b pass=c host=d port=3307 charset=latin1 sslca=/ca sslcert=/cert sslkey=/key",
        mysql(
            database="a",
            username="b",
            password="c",
            host="d",
            port=3307,
            query={"charset": "latin1", "ssl_ca": "/ca", "ssl_cert": "/cert", "ssl_key": "/key"},
        ),
    ),
    "socket": (
        "unix_socket=/run/mysqld/mysqld.sock db=a",
        mysql(database="a", query={"unix_socket": "/run/mysqld/mysqld.sock"}),
    ),
    "spaces around the equals sign, and a line of its own": ("db = a\n\tuser =b", mysql(database="a", username="b")),
    "quotation mark and backslash": (r"password='it\'s \\ ' user=a\ b", mysql(password="it's \\ ", username="a b")),
    "equals sign and hash in a password": ("password=a=b#c user=d", mysql(password="a=b#c", username="d")),
    "no-break space is an ordinary character": ("password=a\u00a0b", mysql(password="a\u00a0b")),
    "empty": ("password='' user=a", mysql(password="", username="a")),
    "nothing": ("  ", mysql()),
    "URL": (
        "mysql://b2bua:p%40ss@db.example.org:3307/accounts?charset=utf8mb4",
        mysql(
            username="b2bua",
            password="p@ss",
            host="db.example.org",
            port=3307,
            database="accounts",
            query={"charset": "utf8mb4"},
        ),
    ),
    "URL with another driver": ("mariadb+mysqldb://a@b/c", URL.create("mariadb+mysqldb", "a", host="b", database="c")),
}


@pytest.mark.parametrize("case", READ)
def test_read(case: str) -> None:
    text, expected = READ[case]
    assert parse_connection("mysql", text).url == expected


@pytest.mark.parametrize(
    "text",
    [
        r"db=/var/lib/a\ b.sqlite3",
        "/var/lib/a b.sqlite3",
        "db='/var/lib/a b.sqlite3'",
        "sqlite:////var/lib/a b.sqlite3",
    ],
)
@pytest.mark.parametrize("backend", ["sqlite3", "sqlite"])
def test_path_of_an_sqlite_file(backend: str, text: str) -> None:
    assert parse_connection(backend, text).url == URL.create("sqlite", database="/var/lib/a b.sqlite3")


def test_what_means_nothing_to_a_database_is_said() -> None:
    assert parse_connection("sqlite3", JABIRU).ignored == ()
    assert parse_connection("sqlite3", "db=a user=b synchronous=OFF").ignored == ("synchronous",)
    assert parse_connection("mysql", "db=a reconnect=1 user=b").ignored == ("reconnect",)


WRONG = {
    "password without quotation marks": ("mysql", "password=correct ▲horse host=db", "expected keyword=value here"),
    "keyword at the end": ("mysql", "db=a ▲host", "expected keyword=value here"),
    "no keyword": ("mysql", "db=a ▲=b", "missing keyword, such as host"),
    "open quotation mark": ("mysql", "password=▲'Mellon host=db", "is not closed"),
    "quotation mark inside": ("mysql", "password='it'▲s' host=db", r"write \' for a quotation mark inside a value"),
    "backslash at the end": ("mysql", "password=Mellon▲\\", "write two for one"),
    "twice": ("mysql", "db=a user=b ▲dbname=c", "set twice"),
    "unknown keyword that resembles one": ("mysql", "db=a ▲pasword=b", 'did you mean "password"?'),
    "unknown keyword": ("mysql", "db=a ▲x=y", "known are db, user, password, host, port, unix_socket"),
    "unknown keyword of SQLite": ("sqlite3", "db=a ▲vfs=unix", "known are db"),
    "port that is none": ("mysql", "port=▲Mellon", "the port must be a number from 1 to 65535"),
    "port that is too large": ("mysql", "port=▲65536", "the port must be a number from 1 to 65535"),
    "URL with a bad port": ("mysql", "▲mysql://a:b@c:Mellon/d", "escape @ : / and % in a password, as in p%40ss"),
    "URL of another database": ("mysql", "▲postgresql://a:Mellon@b/c", 'different database than "dbBackend"'),
    "no file": ("sqlite3", "▲user=Mellon", "no file name"),
    "no file in a URL": ("sqlite3", "▲sqlite://", "no file name"),
    "memory": ("sqlite3", "▲:memory:", "write the path of a file"),
    "file URI": ("sqlite3", "▲file:/var/lib/a.sqlite3?mode=rw", 'without "file:"'),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong(case: str) -> None:
    backend, text, message = WRONG[case]
    with pytest.raises(ConnectionStringError) as caught:
        parse_connection(backend, text.replace(MARK, ""))
    assert caught.value.offset == text.index(MARK)
    assert message in str(caught.value)
    assert "Mellon" not in str(caught.value)


@pytest.mark.parametrize(
    ("backend", "name"),
    [("mysql", "mysql+pymysql"), ("mariadb", "mariadb+pymysql"), ("sqlite3", "sqlite"), ("sqlite", "sqlite")],
)
def test_drivers_that_are_always_there(backend: str, name: str) -> None:
    assert driver_name(backend) == name


@pytest.mark.parametrize(
    ("backend", "message"),
    [
        ("mysqll", 'unknown database "mysqll": did you mean "mysql"?'),
        ("db2", 'unknown database "db2": known are mysql, sqlite3, mariadb, postgresql, oracle, mssql'),
        ("..os", 'unknown database "..os": known are'),
        ("oracle", "the driver of \"oracle\" is not installed: No module named 'oracledb'"),
    ],
)
def test_databases_that_cannot_be_had(backend: str, message: str) -> None:
    with pytest.raises(BackendError) as caught:
        driver_name(backend)
    assert message in str(caught.value)


# Round trips.

KEYWORDS = st.from_regex(r"[a-z_]+", fullmatch=True)
VALUES = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


def quoted(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def bare(value: str) -> str:
    return "".join(f"\\{one}" if one in " \t\n\r\f\v\\'" else one for one in value) or "''"


@given(
    pairs=st.lists(st.tuples(KEYWORDS, VALUES, st.sampled_from([quoted, bare]))),
    space=st.sampled_from([" ", "\n", " \t"]),
    around=st.sampled_from(["=", " = ", "\n="]),
)
def test_what_is_written_is_read(pairs: list[tuple[str, str, object]], space: str, around: str) -> None:
    text = space.join(f"{keyword}{around}{write(value)}" for keyword, value, write in pairs)  # type: ignore[operator]
    read = list(parse_pairs(text))
    assert [(pair.keyword, pair.value) for pair in read] == [(keyword, value) for keyword, value, _ in pairs]
    assert all(text.startswith(pair.keyword, pair.at) for pair in read)


@given(st.text())
def test_any_text_is_read_or_refused_at_a_place_of_it(text: str) -> None:
    offset = 0
    try:
        list(parse_pairs(text))
    except ConnectionStringError as error:
        offset = error.offset
    assert 0 <= offset < max(1, len(text))


@given(user=VALUES, password=VALUES, database=VALUES)
def test_no_password_is_shown(user: str, password: str, database: str) -> None:
    text = f"db={quoted(database)} user={quoted(user)} password={quoted('Mellon' + password)}"
    connection = parse_connection("mysql", text)
    assert (connection.url.username, connection.url.password) == (user, "Mellon" + password)
    assert "Mellon" not in repr(connection)

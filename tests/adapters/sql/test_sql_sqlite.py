"""Behaviour specific to SQLite: files, invalid text, and journals."""

from __future__ import annotations

import sqlite3
from pathlib import Path, PurePath

import pytest

from sipbridge.adapters.sql.sql_accounts import SqlAccounts
from sipbridge.core.accounts.account_row import RowError
from sipbridge.core.providers.provider import SqlLoader
from sipbridge.ports import SourceError, SourceUnavailable

QUERY = (
    "SELECT username, 'a.example' AS hostport, '' AS user_id, 'clrtxt' AS secret_type, secret, "
    "'' AS alias_username, '' AS alias_hostport, '' AS outbound_proxy FROM accounts"
)


def accounts_in(path: str, folder: Path = Path()) -> SqlAccounts:
    update = f"{QUERY} WHERE username = :identifier"
    return SqlAccounts("people", SqlLoader("sqlite3", QUERY, update, path, folder=PurePath(folder)))


def users_of(source: SqlAccounts) -> list[str]:
    return [account.uri.user for batch in source.load_all() for account in batch.accounts]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "100% of all? #1.sqlite3"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE accounts (username, secret)")
    connection.execute("INSERT INTO accounts VALUES ('alice', 'Mellon1'), (33612345678, 'Mellon2')")
    connection.commit()
    connection.close()
    return path


def test_any_path(file: Path) -> None:
    for path in (str(file), f"db='{file}'", f"sqlite:///{str(file).replace('%', '%25').replace('?', '%3F')}"):
        assert users_of(accounts_in(path)) == ["alice", "33612345678"]


def test_a_path_begins_at_the_folder_of_the_providers_file(file: Path) -> None:
    assert users_of(accounts_in(f"db='{file.name}'", file.parent)) == ["alice", "33612345678"]


def test_a_file_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    path = tmp_path / "none.sqlite3"

    with pytest.raises(SourceUnavailable) as caught:
        users_of(accounts_in(str(path)))

    assert str(caught.value) == f"cannot connect to {path}: unable to open database file"
    assert not path.exists()


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    path = tmp_path / "providers.json"
    path.write_text("{}" * 1_000)

    with pytest.raises(SourceUnavailable, match="file is not a database"):
        users_of(accounts_in(str(path)))


@pytest.mark.parametrize("name", ["alice", "ALICE", "Alice"])
def test_of_those_that_a_collation_finds_alike_the_exact_one_counts(file: Path, name: str) -> None:
    connection = sqlite3.connect(file)
    connection.execute("INSERT INTO accounts VALUES ('ALICE', 'Mellon3'), ('Alice', 'Mellon4')")
    connection.commit()
    connection.close()
    update = f"{QUERY} WHERE username = :identifier COLLATE NOCASE"
    source = SqlAccounts("people", SqlLoader("sqlite3", QUERY, update, str(file)))

    account = source.load_one(name)

    assert account is not None
    assert account.uri.user == name
    source.close()


def test_a_text_that_is_not_utf8_is_the_fault_of_its_row(file: Path) -> None:
    connection = sqlite3.connect(file)
    connection.execute("INSERT INTO accounts VALUES ('bob', CAST(X'4d656c6c6f6eff' AS TEXT)), ('carol', 'Mellon3')")
    connection.commit()
    connection.close()
    source = accounts_in(str(file))

    assert users_of(source) == ["alice", "33612345678", "carol"]
    with pytest.raises(RowError, match=r"account 'bob' of .*: secret is not UTF-8"):
        source.load_one("bob")
    source.close()


def test_a_database_that_is_being_written(file: Path) -> None:
    writer = sqlite3.connect(file, isolation_level=None)
    writer.execute("PRAGMA journal_mode = WAL")
    writer.execute("BEGIN")
    writer.execute("INSERT INTO accounts VALUES ('bob', 'Mellon3')")
    source = accounts_in(str(file))
    assert users_of(source) == ["alice", "33612345678"]

    writer.execute("COMMIT")

    assert users_of(source) == ["alice", "33612345678", "bob"]
    writer.close()


def test_not_even_another_file_is_written(file: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.sqlite3"
    source = SqlAccounts("people", SqlLoader("sqlite3", f"ATTACH '{other}' AS other", QUERY, str(file)))

    with pytest.raises(SourceError, match="the query tries to write"):
        users_of(source)

    assert not other.exists()


def test_what_python_itself_finds_wrong_with_a_query(file: Path) -> None:
    source = SqlAccounts("people", SqlLoader("sqlite3", f"{QUERY}; {QUERY}", QUERY, str(file)))

    with pytest.raises(SourceError, match="initQuery: You can only execute one statement at a time"):
        users_of(source)

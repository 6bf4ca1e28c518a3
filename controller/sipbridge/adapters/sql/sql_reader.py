"""Reads rows of a database as accounts over one read-only connection. Blocks, so it needs its own native thread."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, CursorResult
from sqlalchemy.engine import URL
from sqlalchemy.exc import SQLAlchemyError

from sipbridge.adapters.sql.sql_engine import Deadline, SqlLimits, drop_stream, read_only_engine
from sipbridge.adapters.sql.sql_errors import reason_of, source_error
from sipbridge.adapters.sql.sql_query import prepare_query
from sipbridge.core.accounts.account import Account
from sipbridge.core.accounts.account_row import RowError, account_from_row, missing_columns
from sipbridge.core.providers.provider import SqlLoader
from sipbridge.ports import SourceError, SourceUnavailable

_BATCH = 500
_MOST_ALIKE = 100
"""Rows of one identifier that are looked at."""
_NOBODY = None
"""An identifier that matches no row, whatever the column's type; used to see which columns a query returns."""


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch of rows: valid accounts, and messages about invalid rows."""

    accounts: Sequence[Account]
    faults: Sequence[str]


class AccountReader:
    """Runs the queries of one loader.

    Connects on first use. After an error other than `RowError` it must not be used again. All calls must come from the
    same thread.
    """

    def __init__(self, loader: SqlLoader, url: URL, limits: SqlLimits) -> None:
        self._url = url
        self._deadline = Deadline(limits.answer_s)
        self._engine = read_only_engine(url, limits, self._deadline)
        self._connection: Connection | None = None
        dialect = url.get_backend_name()
        self._init_query = prepare_query(loader.init_query, dialect, takes_identifier=False)
        self._update_query = prepare_query(loader.update_query, dialect, takes_identifier=True)

    def read_all(self) -> Generator[Batch, None, None]:
        """Run ``initQuery`` and yield batches of rows; first check the columns of ``updateQuery``.

        Raises:
            SourceUnavailable: the database cannot be queried now.
            SourceError: a query fails, or a column is missing from its result.
        """
        connection = self._connect()
        with self._naming("updateQuery"):
            self._run_update_query(connection, _NOBODY).close()
        with self._naming("initQuery"), contextlib.closing(self._run_init_query(connection)) as result:
            columns = _columns(result)
            try:
                while rows := self._fetch(result):
                    yield _to_batch(columns, rows)
            finally:
                drop_stream(result.cursor)

    def read_one(self, identifier: str) -> Account | None:
        """Run ``updateQuery``; of several rows the one that has the identifier itself, else the first one.

        A collation may find more than that: names in other cases, with accents or without.

        Raises:
            RowError: the row is not a valid account, or the identifier is not valid Unicode.
            SourceUnavailable: the database cannot be queried now.
            SourceError: the query fails, or a column is missing from its result.
        """
        if any("\ud800" <= character <= "\udfff" for character in identifier):
            raise RowError("the identifier contains half of a surrogate pair")
        connection = self._connect()
        with self._naming("updateQuery"):
            result = self._run_update_query(connection, identifier)
            columns = _columns(result)
            rows = result.fetchmany(_MOST_ALIKE)
            result.close()
            # End the transaction, so that the next query sees new data.
            connection.rollback()
        found = [dict(zip(columns, row, strict=True)) for row in rows]
        exact = (row for row in found if identifier in _texts(row))
        return account_from_row(next(exact, found[0])) if found else None

    def close(self) -> None:
        """Disconnect, if connected."""
        if self._connection is not None:
            # Nothing was written, so do not roll back over a connection that may be broken.
            self._connection.invalidate()
            self._connection.close()
            self._connection = None

    def _connect(self) -> Connection:
        if self._connection is None:
            try:
                self._connection = self._engine.connect()
            # Drivers also raise errors of their own for a missing certificate or an unknown option.
            except (SQLAlchemyError, OSError, RuntimeError, TypeError, ValueError) as error:
                where = self._url.database if self._url.get_backend_name() == "sqlite" else self._url.host
                reason = reason_of(error, self._url.password)
                raise SourceUnavailable(f"cannot connect to {where or 'the database'}: {reason}") from None
        return self._connection

    def _run_init_query(self, connection: Connection) -> CursorResult[Any]:
        self._deadline.restart()
        result = connection.execute(self._init_query, execution_options={"yield_per": _BATCH})
        return _with_all_columns("initQuery", result)

    def _run_update_query(self, connection: Connection, identifier: str | None) -> CursorResult[Any]:
        self._deadline.restart()
        result = connection.execute(self._update_query, {"identifier": identifier})
        return _with_all_columns("updateQuery", result)

    def _fetch(self, result: CursorResult[Any]) -> Sequence[Sequence[object]]:
        self._deadline.restart()
        return result.fetchmany(_BATCH)

    @contextlib.contextmanager
    def _naming(self, query: str) -> Iterator[None]:
        """Put the name of the query into the errors it raises."""
        try:
            yield
        except (SQLAlchemyError, UnicodeError) as error:
            if self._deadline.is_over():
                raise SourceUnavailable(f"{query}: no answer in time") from None
            raise source_error(query, error, self._url.password) from None


def _with_all_columns(query: str, result: CursorResult[Any]) -> CursorResult[Any]:
    if not result.returns_rows:
        raise SourceError(f"{query}: does not return a table")
    if missing := missing_columns(_columns(result)):
        found = ", ".join(result.keys())
        result.close()
        raise SourceError(f"{query}: missing column {', '.join(missing)}; the query returns {found}")
    return result


def _texts(row: Mapping[str, object]) -> set[str]:
    """What an identifier may equal; never a secret."""
    values = (value for column, value in row.items() if column != "secret" and value is not None)
    return {value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value) for value in values}


def _columns(result: CursorResult[Any]) -> list[str]:
    return [name.lower() for name in result.keys()]  # noqa: SIM118 - iterating the result would read its rows


def _to_batch(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> Batch:
    accounts: list[Account] = []
    faults: list[str] = []
    for row in rows:
        try:
            accounts.append(account_from_row(dict(zip(columns, row, strict=True))))
        except RowError as error:
            faults.append(str(error))
    return Batch(accounts, faults)

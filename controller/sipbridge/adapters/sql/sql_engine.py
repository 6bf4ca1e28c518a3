"""A database URL becomes an engine whose connections can only read, and do not wait for ever. Connects when used."""

from __future__ import annotations

import math
import sqlite3
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import URL, ExceptionContext
from sqlalchemy.pool import NullPool

# What makes a connection read only for all that follows.
_READ_ONLY = {
    "sqlite": "PRAGMA query_only = ON",
    "mysql": "SET SESSION TRANSACTION READ ONLY",
    "mariadb": "SET SESSION TRANSACTION READ ONLY",
    "postgresql": "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
}
_SQLITE_STEPS = 200_000
"""How often SQLite is asked to stop, in steps of its virtual machine: some 10 ms."""


@dataclass(frozen=True, slots=True)
class SqlLimits:
    """How patient to be with a database.

    Attributes:
        connect_s: longest time for a connection to be made.
        answer_s: longest time without a row or another answer.
    """

    connect_s: float = 5.0
    answer_s: float = 30.0


class Deadline:
    """The moment until which the database has to answer."""

    def __init__(self, answer_s: float) -> None:
        self._answer_s = answer_s
        self.restart()

    def restart(self) -> None:
        """Count from now."""
        self._at = time.monotonic() + self._answer_s

    def is_over(self) -> bool:
        """Whether it has passed."""
        return time.monotonic() > self._at


def read_only_engine(url: URL, limits: SqlLimits, deadline: Deadline) -> Engine:
    """Make an engine; nothing is connected yet.

    Args:
        url: with an absolute path for SQLite.
        deadline: when a query of SQLite, which has no time limit of its own, is stopped.
    """
    # No pool: a connection belongs to one native thread, which keeps it.
    engine = create_engine(_readable_only(url), poolclass=NullPool, connect_args=_connect_args(url, limits))
    backend = url.get_backend_name()

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: object) -> None:
        if statement := _READ_ONLY.get(backend):
            cursor = connection.cursor()
            cursor.execute(statement)
            cursor.close()
            connection.commit()
        if backend == "sqlite":
            _prepare_sqlite(connection, deadline.is_over)

    @event.listens_for(engine, "handle_error")
    def give_up(context: ExceptionContext) -> None:
        if context.execution_context is not None:
            drop_stream(context.execution_context.cursor)

    return engine


def drop_stream(cursor: object) -> None:
    """Have the rows that have not been read forgotten; the connection is then good for being closed and no more.

    PyMySQL would read them all before it lets go of a cursor, even over a connection that is lost.
    """
    stream: Any = getattr(cursor, "_result", None)
    if hasattr(stream, "unbuffered_active"):
        stream.unbuffered_active = False


def _readable_only(url: URL) -> URL:
    if url.get_backend_name() != "sqlite":
        return url
    # The file is opened for reading, so that not even a journal is written or rolled back.
    return url.set(database=Path(url.database or "").as_uri(), query={"mode": "ro", "uri": "true"})


def _connect_args(url: URL, limits: SqlLimits) -> Mapping[str, Any]:
    match url.get_backend_name(), url.get_driver_name():
        case "sqlite", _:
            return {"timeout": limits.connect_s}
        case _, "pymysql" | "mysqldb" as driver:
            answer_s = math.ceil(limits.answer_s)
            timeouts = {
                "connect_timeout": math.ceil(limits.connect_s),
                "read_timeout": answer_s,
                "write_timeout": answer_s,
            }
            # PyMySQL would encode a text as Latin-1.
            password = {"password": url.password.encode()} if url.password and driver == "pymysql" else {}
            return {**timeouts, **password}
    return {}


def _prepare_sqlite(connection: Any, is_over: Callable[[], bool]) -> None:
    # A text that is not UTF-8 is then a fault of its row; otherwise it is the end of the query, with an error that
    # shows the text, which may be the secret.
    connection.text_factory = bytes
    connection.set_progress_handler(is_over, _SQLITE_STEPS)
    # What is attached is not opened read only, but made where there is none.
    connection.set_authorizer(_forbid_attach)


def _forbid_attach(action: int, *_: object) -> int:
    return sqlite3.SQLITE_DENY if action == sqlite3.SQLITE_ATTACH else sqlite3.SQLITE_OK

"""Creates engines whose connections can only read and have time limits. Connects on first use."""

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

# The statement that makes a connection read-only.
_READ_ONLY = {
    "sqlite": "PRAGMA query_only = ON",
    "mysql": "SET SESSION TRANSACTION READ ONLY",
    "mariadb": "SET SESSION TRANSACTION READ ONLY",
    "postgresql": "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
}
_SQLITE_STEPS = 200_000
"""How often SQLite checks whether to stop, in steps of its virtual machine: about 10 ms."""


@dataclass(frozen=True, slots=True)
class SqlLimits:
    """The time limits for a database.

    Attributes:
        connect_s: longest time to connect.
        answer_s: longest time without a row or another answer.
    """

    connect_s: float = 5.0
    answer_s: float = 30.0


class Deadline:
    """The time by which the database must answer."""

    def __init__(self, answer_s: float) -> None:
        self._answer_s = answer_s
        self.restart()

    def restart(self) -> None:
        """Start the time again from now."""
        self._at = time.monotonic() + self._answer_s

    def is_over(self) -> bool:
        """Return whether the time has passed."""
        return time.monotonic() > self._at


def read_only_engine(url: URL, limits: SqlLimits, deadline: Deadline) -> Engine:
    """Create an engine; nothing is connected yet.

    Args:
        url: with an absolute path for SQLite.
        deadline: stops queries of SQLite, which has no time limit of its own.
    """
    # No pool: each connection belongs to one native thread.
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
    """Drop the unread rows of a result; after that the connection can only be closed.

    PyMySQL would read all of them before it closes a cursor, even over a lost connection.
    """
    stream: Any = getattr(cursor, "_result", None)
    if hasattr(stream, "unbuffered_active"):
        stream.unbuffered_active = False


def _readable_only(url: URL) -> URL:
    if url.get_backend_name() != "sqlite":
        return url
    # Open the file read-only, so that not even a journal is written or rolled back.
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
            # PyMySQL would encode a string as Latin-1.
            password = {"password": url.password.encode()} if url.password and driver == "pymysql" else {}
            return {**timeouts, **password}
    return {}


def _prepare_sqlite(connection: Any, is_over: Callable[[], bool]) -> None:
    # With bytes, text that is not UTF-8 is an error of its row only; otherwise the whole query would fail, with an
    # error that shows the text, which may be the secret.
    connection.text_factory = bytes
    connection.set_progress_handler(is_over, _SQLITE_STEPS)
    # An attached database would not be opened read-only, and would be created if missing.
    connection.set_authorizer(_forbid_attach)


def _forbid_attach(action: int, *_: object) -> int:
    return sqlite3.SQLITE_DENY if action == sqlite3.SQLITE_ATTACH else sqlite3.SQLITE_OK

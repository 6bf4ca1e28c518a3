"""What a database driver raises becomes `SourceUnavailable` or `SourceError`, which never show the password. Pure."""

from __future__ import annotations

import sqlite3

from sqlalchemy.exc import DataError, DBAPIError, NotSupportedError, ProgrammingError

from sipbridge.ports import SourceError, SourceUnavailable

# Errors that do not go away by themselves. Drivers put some of them in the same class as a lost connection; a database
# that is not listed here is asked again rather than given up.
_SQLITE_LASTING = {sqlite3.SQLITE_ERROR}
_SQLITE_WRITES = {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_AUTH}
# Source: MariaDB, "MariaDB Error Codes": no database selected, ambiguous or unknown column, syntax, unknown table,
# access to a table, column, database, routine or statement denied, no such function, wrong arguments.
_MYSQL_LASTING = {1046, 1052, 1054, 1064, 1109, 1142, 1143, 1146, 1149, 1227, 1305, 1318, 1370, 1582, 1630}
# A read-only transaction, server or option.
_MYSQL_WRITES = {1290, 1792, 1836}
_LASTING_CLASSES = (ProgrammingError, NotSupportedError, DataError)


def source_error(query: str, error: Exception, password: str | None) -> SourceError | SourceUnavailable:
    """What to raise for an error of a query.

    Args:
        query: its name: ``initQuery``.
        password: never to be shown.
    """
    reason = f"{query}: {reason_of(error, password)}"
    code = _code(error)
    if _is_write(error, code):
        return SourceError(f"{reason} (the query tries to write, and the database is only ever read)")
    if _is_lasting(error, code):
        return SourceError(reason)
    return SourceUnavailable(reason)


def reason_of(error: Exception, password: str | None) -> str:
    """The driver's own words."""
    match _cause(error).args:
        case (int(), str(text), *_):  # PyMySQL: code and text
            reason = text
        case _:
            reason = str(_cause(error)) or type(_cause(error)).__name__
    return reason.replace(password, "***") if password else reason


def _cause(error: Exception) -> BaseException:
    """What the driver itself has raised: SQLAlchemy adds the query and its parameters to that."""
    return error.orig if isinstance(error, DBAPIError) and error.orig is not None else error


def _code(error: Exception) -> int | None:
    """SQLite's primary result code, or the error number of MySQL."""
    cause = _cause(error)
    if isinstance(cause, sqlite3.Error):
        code: int | None = getattr(cause, "sqlite_errorcode", None)  # not set by what Python itself finds wrong
        return None if code is None else code & 0xFF
    match cause.args:
        case (int(number), *_):
            return number
    return None


def _is_write(error: Exception, code: int | None) -> bool:
    return code in (_SQLITE_WRITES if isinstance(_cause(error), sqlite3.Error) else _MYSQL_WRITES)


def _is_lasting(error: Exception, code: int | None) -> bool:
    if not isinstance(error, DBAPIError):
        return True
    if error.connection_invalidated:
        return False
    lasting = _SQLITE_LASTING if isinstance(error.orig, sqlite3.Error) else _MYSQL_LASTING
    return code in lasting or isinstance(error, _LASTING_CLASSES)

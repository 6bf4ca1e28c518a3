"""Converts errors of database drivers to `SourceUnavailable` or `SourceError`, without the password. Pure."""

from __future__ import annotations

import sqlite3

from sqlalchemy.exc import DataError, DBAPIError, NotSupportedError, ProgrammingError

from sipbridge.ports import SourceError, SourceUnavailable

# Permanent errors. Drivers raise some of them in the same class as a lost connection; errors of databases not listed
# here are retried.
_SQLITE_LASTING = {sqlite3.SQLITE_ERROR}
_SQLITE_WRITES = {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_AUTH}
# Source: MariaDB, "MariaDB Error Codes": no database selected, ambiguous or unknown column, syntax, unknown table,
# access to a table, column, database, routine or statement denied, no such function, wrong arguments.
_MYSQL_LASTING = {1046, 1052, 1054, 1064, 1109, 1142, 1143, 1146, 1149, 1227, 1305, 1318, 1370, 1582, 1630}
# A read-only transaction, server or option.
_MYSQL_WRITES = {1290, 1792, 1836}
_LASTING_CLASSES = (ProgrammingError, NotSupportedError, DataError)


def source_error(query: str, error: Exception, password: str | None) -> SourceError | SourceUnavailable:
    """Return the exception to raise for a failed query.

    Args:
        query: the name of the query, such as ``initQuery``.
        password: removed from the message.
    """
    reason = f"{query}: {reason_of(error, password)}"
    code = _code(error)
    if _is_write(error, code):
        return SourceError(f"{reason} (the query tries to write, but sipbridge only reads the database)")
    if _is_lasting(error, code):
        return SourceError(reason)
    return SourceUnavailable(reason)


def reason_of(error: Exception, password: str | None) -> str:
    """Return the driver's own message, without the password."""
    match _cause(error).args:
        case (int(), str(text), *_):  # PyMySQL: code and text
            reason = text
        case _:
            reason = str(_cause(error)) or type(_cause(error)).__name__
    return reason.replace(password, "***") if password else reason


def _cause(error: Exception) -> BaseException:
    """Return the driver's own exception: SQLAlchemy's adds the query and its parameters."""
    return error.orig if isinstance(error, DBAPIError) and error.orig is not None else error


def _code(error: Exception) -> int | None:
    """Return SQLite's primary result code, or MySQL's error number."""
    cause = _cause(error)
    if isinstance(cause, sqlite3.Error):
        code: int | None = getattr(cause, "sqlite_errorcode", None)  # not set for errors that Python itself finds
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

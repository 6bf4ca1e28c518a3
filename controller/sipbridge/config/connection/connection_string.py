"""Parses a connection string of the providers file to an SQLAlchemy URL, or explains what is wrong where. Pure.

Importing SQLAlchemy takes a quarter of a second, so this module is imported only if there is an SQL loader.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from sipbridge.config.connection.keyword_values import ConnectionStringError, Pair, parse_pairs
from sipbridge.core.errors import SipBridgeError

# The databases with an installed driver: the specification's name → SQLAlchemy's name.
_DRIVER_NAMES = {
    "mysql": "mysql+pymysql",
    "mariadb": "mariadb+pymysql",
    "sqlite3": "sqlite",
    "sqlite": "sqlite",
}
_WELL_KNOWN = ("mysql", "sqlite3", "mariadb", "postgresql", "oracle", "mssql")
_BACKEND = re.compile(r"\w+(?:\+\w+)?", re.ASCII)

_STARTS_URL = re.compile(r"\w[\w+.\-]*://")
_STARTS_PAIR = re.compile(r"\s*\w+\s*=")

_URL_PARTS = {
    "db": "database",
    "dbname": "database",
    "user": "username",
    "password": "password",
    "pass": "password",
    "host": "host",
    "port": "port",
}
_SUGGESTED = ("db", "user", "password", "host", "port")
# Further keywords → the driver's names for them; other drivers receive all keywords unchanged.
_OPTIONS: Mapping[str, Mapping[str, str]] = {
    "mysql": {
        "unix_socket": "unix_socket",
        "charset": "charset",
        "sslca": "ssl_ca",
        "sslcert": "ssl_cert",
        "sslkey": "ssl_key",
    },
    "sqlite": {},
}
# Keywords in Flexisip's connection strings that have no effect here: limits and modes are not set in the file.
_IGNORED: Mapping[str, frozenset[str]] = {
    "mysql": frozenset({"connect_timeout", "read_timeout", "write_timeout", "reconnect", "local_infile"}),
    "sqlite": frozenset(_URL_PARTS.keys() - {"db", "dbname"})
    | {"timeout", "readonly", "synchronous", "shared_cache", "foreign_keys"},
}


class BackendError(SipBridgeError, ValueError):
    """The database is unknown, or its driver is not installed."""


@dataclass(frozen=True, slots=True)
class Connection:
    """How to reach a database.

    Attributes:
        url: the URL; for SQLite only the path of the file.
        ignored: keywords that this database does not support; excluding those of network databases in general, which
            the specification's own example for a file contains too.
    """

    url: URL
    ignored: tuple[str, ...] = ()


def driver_name(backend: str) -> str:
    """Return SQLAlchemy's name for a `backend`: ``mysql`` → ``mysql+pymysql``, ``sqlite3`` → ``sqlite``.

    Raises:
        BackendError: the backend is unknown, or its driver is not installed.
    """
    name = _DRIVER_NAMES.get(backend, backend)
    try:
        # SQLAlchemy imports a module by this name.
        dialect = URL.create(name if _BACKEND.fullmatch(name) else "unknown").get_dialect()
        dialect.import_dbapi()
    except NoSuchModuleError:
        raise BackendError(f'unknown database "{backend}": {_hint(backend, _WELL_KNOWN)}') from None
    except ImportError as error:
        raise BackendError(f'the driver of "{backend}" is not installed: {error}') from None
    if dialect.is_async:
        raise BackendError(f'"{backend}" is an asynchronous driver, which is not supported')
    return name


def parse_connection(backend: str, text: str) -> Connection:
    """Parse a connection string.

    Args:
        backend: as for `driver_name`.
        text: ``db=accounts user='b2bua' password='correct horse' host=database.example.org``; or an SQLAlchemy URL; or
            for SQLite the path of the file.

    Raises:
        BackendError: as for `driver_name`.
        ConnectionStringError: the text is malformed, or has a keyword that this database does not know.
    """
    name = driver_name(backend)
    family = _family(name)
    if _STARTS_URL.match(text):
        connection = Connection(_parse_url(name, text))
    elif family == "sqlite" and not _STARTS_PAIR.match(text):
        connection = Connection(URL.create(name, database=text))
    else:
        connection = _from_pairs(name, parse_pairs(text))
    if family == "sqlite":
        _check_path(connection.url.database)
    return connection


def _family(name: str) -> str:
    family = name.partition("+")[0]
    return "mysql" if family == "mariadb" else family


def _parse_url(name: str, text: str) -> URL:
    family = _family(name)
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        message = f"not a URL such as {family}://user:password@host/database; escape @ : / and % in a password"
        raise ConnectionStringError(f"{message}, as in p%40ss", 0) from None
    if _family(_DRIVER_NAMES.get(url.drivername, url.drivername)) != family:
        raise ConnectionStringError(f'the URL is for a different database than "dbBackend", which is {family}', 0)
    return url if "+" in url.drivername else url.set(drivername=name)


def _check_path(path: str | None) -> None:
    if not path:
        raise ConnectionStringError("no file name: write db=/path/to/file, or just the path", 0)
    if path.startswith((":memory:", "file:")):
        raise ConnectionStringError('write the path of a file, without "file:"', 0)


def _from_pairs(name: str, pairs: Iterable[Pair]) -> Connection:
    family = _family(name)
    parts: dict[str, str] = {}
    options: dict[str, str] = {}
    ignored = []
    port = None
    said = set()
    for pair in pairs:
        part = _URL_PARTS.get(pair.keyword)
        meaning = part or pair.keyword
        if meaning in said:
            raise ConnectionStringError("set twice: keep one of the two", pair.at)
        said.add(meaning)
        if pair.keyword in _IGNORED.get(family, ()):
            if part is None:
                ignored.append(pair.keyword)
        elif part == "port":
            port = _port(pair)
        elif part:
            parts[part] = pair.value
        else:
            options[_option(family, pair)] = pair.value
    return Connection(_url(name, parts, port, options), tuple(ignored))


def _url(name: str, parts: Mapping[str, str], port: int | None, options: Mapping[str, str]) -> URL:
    return URL.create(
        name,
        username=parts.get("username"),
        password=parts.get("password"),
        host=parts.get("host"),
        port=port,
        database=parts.get("database"),
        query=options,
    )


def _port(pair: Pair) -> int:
    if not re.fullmatch(r"[0-9]{1,5}", pair.value) or not 0 < int(pair.value) < 65536:
        raise ConnectionStringError("the port must be a number from 1 to 65535", pair.value_at)
    return int(pair.value)


def _option(family: str, pair: Pair) -> str:
    options = _OPTIONS.get(family)
    if options is None:
        return pair.keyword
    if pair.keyword not in options:
        # The keyword is not shown: it may be part of a password without quotation marks.
        known = ("db",) if family == "sqlite" else (*_SUGGESTED, *options)
        raise ConnectionStringError(f"unknown keyword: {_hint(pair.keyword, known)}", pair.at)
    return options[pair.keyword]


def _hint(name: str, known: tuple[str, ...]) -> str:
    nearest = difflib.get_close_matches(name.lower(), known, n=1)
    return f'did you mean "{nearest[0]}"?' if nearest else f"known are {', '.join(known)}"

"""Reads the accounts of a pool from an SQL database. Native threads read while greenlets wait; never writes.

A full load uses a connection of its own. Single accounts are read over a few kept connections, because notifications
come in bursts. Idle connections are closed after some seconds, before the database or a firewall drops them. An error
closes its connection; the caller decides when to retry.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import TypeVar

import gevent
import gevent.pool
from gevent.lock import BoundedSemaphore
from sqlalchemy.engine import URL

from sipbridge.adapters.native_thread import NativeThread, Pending
from sipbridge.adapters.sql.sql_engine import SqlLimits
from sipbridge.adapters.sql.sql_reader import AccountReader, Batch
from sipbridge.config.connection.connection_string import parse_connection
from sipbridge.config.uris import NO_MESSAGE_WAITING
from sipbridge.core.accounts.account import Account
from sipbridge.core.accounts.account_row import RowError
from sipbridge.core.providers.edge import edge_reason
from sipbridge.core.providers.provider import PoolPolicy, SqlLoader
from sipbridge.ports import LoadedAccounts, SourceError, SourceUnavailable

_log = logging.getLogger(__name__)

_T = TypeVar("_T")

_DEFAULT_THREADS = 4
"""Single accounts read in parallel: most of the time is spent on the way to the database, not here."""
_IDLE_S = 30.0
_CLOSE_S = 2.0
_PAUSE_S = 0.0001
"""Not 0: for 0, the hub does not poll sockets."""
_MOST_WARNINGS = 1_000
"""Bad rows logged individually; nobody reads more than that."""
_DEFAULT_LIMITS = SqlLimits()
_NO_MESSAGE_WAITING = f"mwi_server_uri {NO_MESSAGE_WAITING}"


@dataclass(frozen=True, slots=True)
class Probe:
    """The result of checking a database.

    Attributes:
        accounts: the number of usable accounts.
        through_edge: how many of them go through the edge.
        problems: what keeps others, or all, from being read or used.
        warnings: what of them has no effect.
    """

    accounts: int
    through_edge: int
    problems: tuple[str, ...]
    warnings: tuple[str, ...] = ()


class SqlAccounts:
    """The accounts of one SQL loader.

    Args:
        pool_name: for the log.

    Raises:
        BackendError: unknown database; the check of the providers file reports it too.
        ConnectionStringError: invalid connection string; the check of the providers file reports it too.
    """

    def __init__(self, pool_name: str, loader: SqlLoader, limits: SqlLimits = _DEFAULT_LIMITS) -> None:
        self._pool_name = pool_name
        self._loader = loader
        self._url = _with_absolute_path(parse_connection(loader.backend, loader.connection).url, loader.folder)
        self._limits = limits
        self._slots = BoundedSemaphore(loader.thread_pool_size or _DEFAULT_THREADS)
        self._idle: list[_Session] = []
        self._ending = gevent.pool.Group()
        self._watch: gevent.Greenlet[[], None] | None = None
        self._is_closed = False
        self._warned: set[str] = set()
        self._has_mwi = False

    def load_all(self) -> Iterator[LoadedAccounts]:
        """Read all accounts in batches; the next batch is read while the caller uses one.

        Raises:
            SourceUnavailable: the database cannot be read now; possibly after some batches.
            SourceError: a query fails, or a column is missing from its result.
        """
        for batch in self._batches():
            self._warn(batch.faults)
            if not self._has_mwi and _have_mwi(batch.accounts):
                self._has_mwi = True
                _log.warning("pool %s: %s", self._pool_name, _NO_MESSAGE_WAITING)
            yield LoadedAccounts(batch.accounts, len(batch.faults))

    def load_one(self, identifier: str) -> Account | None:
        """Read the account with this identifier; None if there is no row.

        Raises:
            RowError: the row is not a valid account.
            SourceUnavailable: the database cannot be read now.
            SourceError: the query fails, or a column is missing from its result.
        """
        with self._session() as session:
            return session.wait(session.start(lambda: session.reader.read_one(identifier)))

    def load_each(self, identifiers: Sequence[str]) -> Iterator[Account | RowError | None]:
        """Read the accounts with these identifiers, in this order, over as many connections as the loader allows.

        Raises:
            SourceUnavailable: the database cannot be read now.
            SourceError: the query fails, or a column is missing from its result.
        """
        asking = [gevent.spawn(self._outcome, identifier) for identifier in identifiers]
        try:
            for greenlet in asking:
                outcome = greenlet.get()
                if isinstance(outcome, SourceUnavailable | SourceError):
                    raise outcome
                yield outcome
        finally:
            gevent.killall(asking, block=False)

    def _outcome(self, identifier: str) -> Account | RowError | SourceUnavailable | SourceError | None:
        # gevent prints every exception that leaves a greenlet.
        try:
            return self.load_one(identifier)
        except (RowError, SourceUnavailable, SourceError) as error:
            return error

    def probe(self, policy: PoolPolicy) -> Probe:
        """Read everything once, and return problems instead of raising them.

        Args:
            policy: the pool's requirements for its accounts.
        """
        accounts = through_edge = 0
        problems: list[str] = []
        useless: dict[str, list[Account]] = {}
        has_mwi = False
        try:
            for batch in self._batches():
                problems += batch.faults
                has_mwi = has_mwi or _have_mwi(batch.accounts)
                for account in batch.accounts:
                    fault = policy.fault_of(account)
                    if fault is not None:
                        useless.setdefault(fault.message, []).append(account)
                    else:
                        accounts += 1
                        through_edge += edge_reason(account, policy.edge) is not None
        except (SourceUnavailable, SourceError) as error:
            problems.append(str(error))
        problems += [_of_accounts(found, message) for message, found in useless.items()]
        return Probe(accounts, through_edge, tuple(problems), (_NO_MESSAGE_WAITING,) if has_mwi else ())

    def close(self) -> None:
        """Close idle connections now and busy ones after their query; waits for that, but only briefly."""
        self._is_closed = True
        while self._idle:
            self._end(self._idle.pop())
        self._ending.join(_CLOSE_S)

    def _end(self, session: _Session, first: Callable[[], None] | None = None) -> None:
        self._ending.add(session.end(first))

    def _batches(self) -> Iterator[Batch]:
        session = _Session(self._loader, self._url, self._limits)
        batches = session.reader.read_all()

        def read_next() -> Batch | None:
            return next(batches, None)

        try:
            pending = session.start(read_next)
            while (batch := session.wait(pending)) is not None:
                pending = session.start(read_next)
                yield batch
                # A batch that is ready is returned without switching; without a pause, no other greenlet would run.
                gevent.sleep(_PAUSE_S)
        finally:
            self._end(session, batches.close)

    @contextlib.contextmanager
    def _session(self) -> Iterator[_Session]:
        """Provide a connection for one query."""
        with self._slots:
            session = self._idle.pop() if self._idle else _Session(self._loader, self._url, self._limits)
            try:
                yield session
            except RowError:
                self._keep(session)
                raise
            except BaseException:
                self._end(session)
                raise
            self._keep(session)

    def _keep(self, session: _Session) -> None:
        if self._is_closed:
            self._end(session)
            return
        session.idle_since = time.monotonic()
        self._idle.append(session)
        if self._watch is None or self._watch.ready():
            self._watch = gevent.spawn(self._end_idle)

    def _end_idle(self) -> None:
        # The first connection has been idle longest.
        while self._idle:
            gevent.sleep(_IDLE_S / 2)
            while self._idle and self._idle[0].idle_since < time.monotonic() - _IDLE_S:
                self._end(self._idle.pop(0))

    def _warn(self, faults: Sequence[str]) -> None:
        """Log each bad row once, however often it is read."""
        for fault in faults:
            if fault not in self._warned and len(self._warned) < _MOST_WARNINGS:
                self._warned.add(fault)
                _log.warning("pool %s: skipped a row: %s", self._pool_name, fault)


class _Session:
    """A connection and its thread.

    Attributes:
        idle_since: when it was last used.
    """

    def __init__(self, loader: SqlLoader, url: URL, limits: SqlLimits) -> None:
        self.reader = AccountReader(loader, url, limits)
        self.idle_since = 0.0
        self._thread = NativeThread()
        # For drivers without time limits of their own: enough to connect and run two queries, plus a margin.
        self._patience_s = limits.connect_s + 3 * limits.answer_s

    def start(self, work: Callable[[], _T]) -> Pending[_T]:
        """Start a job on the reader's thread."""
        return self._thread.start(work)

    def wait(self, pending: Pending[_T]) -> _T:
        """Wait for the result of a job.

        Raises:
            SourceUnavailable: the job takes too long.
        """
        try:
            return pending.wait(self._patience_s)
        except TimeoutError:
            raise SourceUnavailable(f"no answer from the database within {self._patience_s:g} s") from None

    def end(self, first: Callable[[], None] | None = None) -> gevent.Greenlet[..., object]:
        """Disconnect after the current job; the returned greenlet ends then."""

        def last() -> None:
            if first is not None:
                first()
            self.reader.close()

        return self._thread.end(last)


def _have_mwi(accounts: Sequence[Account]) -> bool:
    return any(account.mwi_server_uri is not None for account in accounts)


def _of_accounts(accounts: Sequence[Account], message: str) -> str:
    """Combine a message about many accounts into one: a database may have thousands."""
    more = f" (and {len(accounts) - 1} more)" if len(accounts) > 1 else ""
    return f"account {accounts[0].uri}{more}: {message}"


def _with_absolute_path(url: URL, folder: PurePath) -> URL:
    if url.get_backend_name() != "sqlite":
        return url
    return url.set(database=str(Path(folder, url.database or "").absolute()))

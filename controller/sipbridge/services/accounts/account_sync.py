"""Keeps the accounts of a pool as its database has them: all of them at first, then each one that a notification names.

A step waits for the database, never for anything else.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum
from itertools import islice
from typing import Protocol

from sipbridge.core.accounts.account import Account, AccountId, account_id
from sipbridge.core.accounts.account_notification import AccountNotification
from sipbridge.core.accounts.account_row import RowError
from sipbridge.core.backoff import Backoff
from sipbridge.core.errors import UriError
from sipbridge.core.pools.account_pool import AccountPool
from sipbridge.core.sip.uri import SipUri, parse_sip_uri
from sipbridge.ports import AccountSource, Clock, SourceError, SourceUnavailable
from sipbridge.services.accounts.pool_members import PoolMembers
from sipbridge.services.accounts.unread_pools import UnreadPools

_log = logging.getLogger(__name__)

_RETRY_MIN_S = 1.0
_RETRY_MAX_S = 60.0
_MANY_NOTIFICATIONS = 1_000
"""From so many on, loading everything is quicker than asking one by one."""
_READ_AGAIN_S = (1.0, 5.0)
"""After so long a notification that changed nothing is read again: the Account Manager publishes before it commits."""
_AT_ONCE = 100
"""Accounts that are read together. The result of one is applied before that account is read again."""


class SourceStatus(Enum):
    """The state of a pool's accounts."""

    LOADING = "not loaded yet"
    CURRENT = "up to date"
    STALE = "may be out of date"


@dataclass(frozen=True, slots=True)
class SyncState:
    """The state of a pool's synchronization.

    Attributes:
        skipped: rows of the last full load that are not valid accounts.
        problem: why the last query failed; ``""`` if it succeeded.
    """

    status: SourceStatus = SourceStatus.LOADING
    skipped: int = 0
    problem: str = ""


@dataclass(frozen=True, slots=True)
class _Named:
    """An account to be read because of a notification.

    Attributes:
        times_read: how often it was read already, and nothing had changed.
    """

    notification: AccountNotification
    times_read: int = 0


class AccountSources(Protocol):
    """How it is with the databases of all pools, and with what reports changes of theirs."""

    @property
    def redis_status(self) -> str:
        """``OK``, ``not used``, or why no notifications come."""

    @property
    def is_redis_up(self) -> bool | None:
        """Whether notifications come; None where Redis is not used."""

    def states(self) -> Mapping[str, SyncState]:
        """How each pool gets on with its database."""

    def pending_notifications(self) -> Mapping[str, int]:
        """How many accounts of each pool are still to be asked for."""


class AccountSync:
    """Keeps one pool in sync with its database.

    Args:
        members: adds, replaces and removes the accounts.
        unread: told when all accounts were read for the first time.
    """

    def __init__(
        self, pool: AccountPool, source: AccountSource, clock: Clock, members: PoolMembers, unread: UnreadPools
    ) -> None:
        self.pool = pool
        self.state = SyncState()
        self._source = source
        self._clock = clock
        self._members = members
        self._unread = unread
        self._full_load_due = True
        # The newest notification per account, in one of the two: to be read now, or again at a time. An older one would
        # be of an account that was deleted, and take away the one that was made in its place under the same URI.
        self._pending: dict[tuple[str, str], _Named] = {}
        self._later: dict[tuple[str, str], tuple[float, _Named]] = {}
        self._retry = Backoff(_RETRY_MIN_S, _RETRY_MAX_S)
        self._loaded_at = clock.monotonic()

    def load_again(self) -> None:
        """Load everything at the next step and apply the differences, because earlier changes are unknown."""
        self._full_load_due = True
        # The database often comes back together with Redis, so do not wait.
        self._retry.succeeded()

    def notify(self, notification: AccountNotification) -> None:
        """Ask for one account at the next step; two notifications of it before that are one."""
        key = notification.username, notification.domain
        self._pending.pop(key, None)
        self._later.pop(key, None)
        self._pending[key] = _Named(notification)
        if len(self._pending) > _MANY_NOTIFICATIONS:
            self._pending.clear()
            self._full_load_due = True

    @property
    def has_work(self) -> bool:
        """Whether a step would ask the database."""
        now = self._clock.monotonic()
        is_due = self._full_load_due or bool(self._pending) or self._is_stale(now) or bool(self._due_again(now))
        return is_due and self._retry.is_due(now)

    def _is_stale(self, now: float) -> bool:
        """Whether everything is to be read, in a pool that has no other way to learn of changes."""
        refresh_s = self.pool.policy.refresh_s
        return refresh_s is not None and now >= self._loaded_at + refresh_s

    def _due_again(self, now: float) -> list[tuple[str, str]]:
        """The accounts that are to be read again."""
        return [key for key, (due, _) in self._later.items() if due <= now]

    @property
    def pending_notifications(self) -> int:
        """Changed accounts still to be read from the database."""
        return len(self._pending)

    def step(self) -> None:
        """Do what is due. A failure is retried in a later step, with growing pauses; the accounts stay as they are."""
        if not self.has_work:
            return
        self._take_due(self._clock.monotonic())
        try:
            if self._full_load_due:
                self._load_all()
            while self._pending and not self._full_load_due:
                self._load_named()
        except (SourceUnavailable, SourceError) as error:
            self._note_failure(str(error))
        else:
            self._note_success()

    def _take_due(self, now: float) -> None:
        self._full_load_due = self._full_load_due or self._is_stale(now)
        for key in self._due_again(now):
            self._pending[key] = self._later.pop(key)[1]

    def _read_later(self, key: tuple[str, str], named: _Named) -> None:
        if named.times_read >= len(_READ_AGAIN_S):
            return
        if len(self._later) >= _MANY_NOTIFICATIONS:
            self._full_load_due = True
            return
        due = self._clock.monotonic() + _READ_AGAIN_S[named.times_read] - sum(_READ_AGAIN_S[: named.times_read])
        self._later[key] = due, replace(named, times_read=named.times_read + 1)

    def _load_all(self) -> None:
        """Load all accounts; only after the last one, remove accounts that were not among them."""
        self._full_load_due = False
        # What they were about is read now.
        self._later.clear()
        try:
            seen, skipped = self._stream()
        except BaseException:
            self._full_load_due = True
            raise
        gone = [line for line in self.pool if line.id not in seen]
        for line in gone:
            self._members.remove(line)
        self.state = SyncState(SourceStatus.CURRENT, skipped)
        self._unread.note_read(self.pool.policy.name)
        self._loaded_at = self._clock.monotonic()
        _log.info(
            "pool %s: loaded %d accounts, skipped %d rows, removed %d accounts",
            self.pool.policy.name,
            len(seen),
            skipped,
            len(gone),
        )
        if shared := self.pool.shared_aliases:
            _log.warning(
                "pool %s: %d aliases are shared by several accounts; the first takes the calls of the others",
                self.pool.policy.name,
                shared,
            )

    def _stream(self) -> tuple[set[AccountId], int]:
        seen: set[AccountId] = set()
        skipped = 0
        for batch in self._source.load_all():
            skipped += batch.skipped
            for account in batch.accounts:
                id_ = account_id(self.pool.policy.name, account.uri)
                if id_ in seen:
                    skipped += 1
                    _log.warning("pool %s: skipped a second row for %s", self.pool.policy.name, account.uri)
                elif self._is_usable(account):
                    # The line's own text: a hundred thousand that are forgotten in the end would leave holes behind.
                    seen.add(self._members.put(self.pool, id_, account).id)
                else:
                    skipped += 1
        return seen, skipped

    def _is_usable(self, account: Account) -> bool:
        """Return whether the account meets its pool's requirements; log why not."""
        policy = self.pool.policy
        fault = policy.fault_of(account)
        if fault is not None:
            _log.warning("pool %s: skipped account %s: %s", policy.name, account.uri, fault.message)
        return fault is None

    def _load_named(self) -> None:
        together = list(islice(self._pending.items(), _AT_ONCE))
        found = self._source.load_each([named.notification.identifier for _, named in together])
        for (key, named), account in zip(together, found, strict=True):
            did_something = self._apply(named.notification, account)
            # Another one of the same account may have come meanwhile: that one is still to be asked for.
            if self._pending.get(key) is named:
                del self._pending[key]
                if not did_something:
                    self._read_later(key, named)

    def _apply(self, notification: AccountNotification, found: Account | RowError | None) -> bool:
        """Do what a notification is about; whether that was anything, or something that stays wrong."""
        try:
            uri = _uri_of(notification)
            if isinstance(found, RowError):
                raise found
        except (RowError, UriError) as error:
            _log.error(
                "pool %s: ignored the notification of %s at %s: %s",
                self.pool.policy.name,
                notification.username,
                notification.domain,
                error,
            )
            return True
        return self._apply_row(uri, found)

    def _apply_row(self, named: SipUri, account: Account | None) -> bool:
        id_ = account_id(self.pool.policy.name, named)
        line = self.pool.get(id_)
        if account is None:
            if line is not None:
                self._members.remove(line)
            return line is not None
        if line is not None and line.account == account:
            return False
        if account_id(self.pool.policy.name, account.uri) != id_:
            _log.error(
                "pool %s: ignored a notification of %s: its row is of %s",
                self.pool.policy.name,
                named,
                account.uri,
            )
        elif self._is_usable(account):
            self._members.put(self.pool, id_, account)
        return True

    def _note_failure(self, problem: str) -> None:
        loaded = self.state.status is not SourceStatus.LOADING
        status = SourceStatus.STALE if loaded else SourceStatus.LOADING
        self._retry.failed(self._clock.monotonic())
        if self._retry.failures == 1:
            _log.error("pool %s: cannot load accounts, keeping the current ones: %s", self.pool.policy.name, problem)
        self.state = SyncState(status, self.state.skipped, problem)

    def _note_success(self) -> None:
        if self.state.problem:
            _log.info("pool %s: the database answers again", self.pool.policy.name)
        self._retry.succeeded()
        self.state = SyncState(SourceStatus.CURRENT, self.state.skipped)


def _uri_of(notification: AccountNotification) -> SipUri:
    return parse_sip_uri(f"sip:{notification.username}@{notification.domain}")

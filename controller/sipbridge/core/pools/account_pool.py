"""Keeps the accounts of a pool; finds them by key or picks one at random, both in constant time. Pure.

State changes come from call control (lines taken and released) and from registrations; nothing scans all accounts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from sipbridge.core.accounts.account import Account, AccountId, account_id
from sipbridge.core.gateways.gateway import GatewayName
from sipbridge.core.gateways.registration import Registration, RegistrationStatus
from sipbridge.core.pools.account_index import AccountIndex, uri_of, uri_or_none
from sipbridge.core.pools.pool_tally import PoolTally
from sipbridge.core.providers.provider import PoolPolicy
from sipbridge.core.providers.template import Template
from sipbridge.core.sip.uri import SipUri

InSlices = Callable[[Iterable["Line"]], Iterable["Line"]]
"""Goes through lines, and may let others run after every few."""

_UNAVAILABLE = -1
_BY_ALIAS = "{alias}"
_NOT_REGISTERED = Registration()


@dataclass(slots=True, eq=False)
class Line:
    """An account in use, with its state.

    Attributes:
        calls: calls in progress on it.
        gateway: the name of its desired gateway; None while it should have none.
        registration: the last state of its gateway that FreeSWITCH reported.
        is_drained: whether an operator has drained it.
        rank: its position in the order of the pool's accounts.
    """

    id: AccountId
    account: Account
    pool: AccountPool = field(repr=False)
    calls: int = 0
    gateway: GatewayName | None = None
    registration: Registration = _NOT_REGISTERED
    is_drained: bool = False
    rank: int = 0
    _position: int = _UNAVAILABLE

    @property
    def free_slots(self) -> int:
        """Calls that it can still carry; never negative, even after the limit was lowered."""
        return max(0, self.pool.policy.max_calls_per_line - self.calls)

    @property
    def is_usable(self) -> bool:
        """Whether its gateway exists and, if required, is registered."""
        return self.registration.status is RegistrationStatus.REGISTERED

    @property
    def is_available(self) -> bool:
        """Whether a new call may use it now."""
        return self._position != _UNAVAILABLE

    def take(self) -> None:
        """Add a call."""
        self.calls += 1
        self.pool.tally.calls += 1
        self.pool.refresh(self)

    def give_back(self) -> None:
        """Remove a call."""
        if self.calls == 0:
            raise AssertionError(f"line of {self.account.uri} given back more often than taken")
        self.calls -= 1
        self.pool.tally.calls -= 1
        self.pool.refresh(self)

    def set_registration(self, registration: Registration) -> None:
        """Set the registration that FreeSWITCH reported."""
        if self.pool.get(self.id) is self:
            self.pool.tally.change(self, registration)
        self.registration = registration
        self.pool.refresh(self)

    def set_drained(self, is_drained: bool) -> None:
        """Drain the line, or undo that."""
        self.is_drained = is_drained
        if self.pool.get(self.id) is self:
            self.pool.tally.set_drained(self, is_drained)
        self.pool.refresh(self)


class AccountPool:
    """The accounts of one pool.

    Args:
        policy: what the accounts have in common.
        keys: the ``by`` of every FindInPool that uses this pool; each gets an index, except the account's URI, which
            always has one.

    Attributes:
        policy: what the accounts have in common now.
        tally: the totals of the accounts.
        skipped: accounts of the providers file that are not here, because they are invalid or duplicate.
    """

    def __init__(self, policy: PoolPolicy, keys: Iterable[Template] = ()) -> None:
        self.policy = policy
        self.tally = PoolTally[Line]()
        self.skipped = 0
        self._lines: dict[AccountId, Line] = {}
        self._indexes = {by.text: AccountIndex[Line](by) for by in keys if not by.is_account_uri}
        self._available: list[Line] = []
        # Accounts that were removed while they had calls.
        self._leaving: dict[AccountId, Line] = {}
        self._next_rank = 0

    def __len__(self) -> int:
        return len(self._lines)

    def __iter__(self) -> Iterator[Line]:
        return iter(self._lines.values())

    def get(self, id_: AccountId) -> Line | None:
        """Return the line with this id, if any."""
        return self._lines.get(id_)

    def add(self, account: Account, id_: AccountId | None = None) -> Line:
        """Add an account. An account that was removed but still has calls gets its line back, including the calls.

        Args:
            id_: its id, if known already.

        Raises:
            ValueError: the pool already has an account with an equivalent URI, or one that differs only in optional
                parameters such as ``transport``.
        """
        id_ = id_ or account_id(self.policy.name, account.uri)
        if id_ in self._lines:
            raise ValueError(f"account {account.uri} is already in pool {self.policy.name}")
        line = self._leaving.pop(id_, None) or Line(id_, account, self)
        line.account = account
        line.rank = self._next_rank
        self._next_rank += 1
        self._lines[id_] = line
        self.tally.add(line)
        self._index(line)
        self.refresh(line)
        return line

    def replace(self, line: Line, account: Account) -> None:
        """Replace the account of a line; calls in progress stay.

        Args:
            account: must have an equivalent URI; another URI means another account.
        """
        if account_id(self.policy.name, account.uri) != line.id:
            raise AssertionError(f"{account.uri} is another account than {line.account.uri}")
        self._unindex(line)
        line.account = account
        self._index(line)

    def remove(self, line: Line) -> None:
        """Remove an account: new calls no longer find it, calls in progress stay."""
        del self._lines[line.id]
        self.tally.remove(line)
        self._unindex(line)
        line.registration = _NOT_REGISTERED
        self.refresh(line)
        if line.calls:
            self._leaving[line.id] = line

    def note_skipped(self, count: int) -> None:
        """Note how many accounts of the providers file are not here."""
        self.skipped = count

    def use_policy(self, policy: PoolPolicy, in_slices: InSlices = iter) -> None:
        """Give the accounts another policy.

        Args:
            in_slices: lets other greenlets run in between; accounts may be added or removed meanwhile.
        """
        self.policy = policy
        for line in in_slices(list(self._lines.values())):
            self.refresh(line)

    def index_by(self, keys: Iterable[Template], in_slices: InSlices = iter) -> None:
        """Index the accounts by additional `keys`.

        Args:
            in_slices: lets other greenlets run in between; accounts that are added, replaced or removed meanwhile are
                indexed correctly.
        """
        missing = [by for by in keys if by.text not in self._indexes and not by.is_account_uri]
        if not missing:
            return
        self._indexes |= {by.text: AccountIndex[Line](by) for by in missing}
        for line in in_slices(list(self._lines.values())):
            if self._lines.get(line.id) is line:
                self._index(line)

    def forget_keys(self, kept: Iterable[Template]) -> None:
        """Drop all indexes except those for `kept`."""
        self._indexes = {by.text: self._indexes[by.text] for by in kept if not by.is_account_uri}

    def reorder(self, ids: Sequence[AccountId]) -> None:
        """Put the accounts into this order; `find` returns the first match.

        Args:
            ids: the ids of all accounts.
        """
        if len(ids) != len(self._lines):
            raise AssertionError(f"an order of {len(ids)} for {len(self._lines)} accounts")
        self._lines = {id_: self._lines[id_] for id_ in ids}
        for rank, line in enumerate(self._lines.values()):
            line.rank = rank
        self._next_rank = len(ids)
        for index in self._indexes.values():
            index.reorder()

    def find(self, by: Template, wanted: SipUri | str) -> Line | None:
        """Return the first account whose `by` equals `wanted`, available or not.

        Args:
            by: one of the pool's `keys`.
            wanted: a URI, compared by RFC 3261 §19.1.4, or any text, of which only escapes are resolved.
        """
        uri = wanted if isinstance(wanted, SipUri) else uri_or_none(wanted)
        if by.is_account_uri:
            line = None if uri is None else self._lines.get(account_id(self.policy.name, uri))
            candidates: Sequence[Line] = () if line is None else (line,)
        else:
            candidates = self._indexes[by.text].candidates(uri or wanted)
        if not candidates:
            return None
        if uri is None or not uri.parameters:
            return candidates[0]
        return next((line for line in candidates if _matches(by, line.account, uri)), None)

    @property
    def shared_aliases(self) -> int:
        """How many aliases belong to several accounts, where calls find accounts by their alias; else 0."""
        index = self._indexes.get(_BY_ALIAS)
        return index.shared if index else 0

    def pick(self, random_below: Callable[[int], int]) -> Line | None:
        """Return a random available account, all equally likely.

        Args:
            random_below: returns a uniform integer in ``[0, n)``.
        """
        return self._available[random_below(len(self._available))] if self._available else None

    @property
    def available_count(self) -> int:
        """The number of accounts that a new call could use now."""
        return len(self._available)

    def refresh(self, line: Line) -> None:
        """Update whether `line` is available, after its state changed."""
        wanted = (
            line.calls < self.policy.max_calls_per_line
            and line.is_usable
            and not line.is_drained
            and self._lines.get(line.id) is line
        )
        if not line.calls:
            self._leaving.pop(line.id, None)
        if wanted == line.is_available:
            return
        if wanted:
            position = len(self._available)
            # Usually equal; then share one number object for both.
            line._position = line.rank if line.rank == position else position
            self._available.append(line)
        else:
            last = self._available.pop()
            if last is not line:
                self._available[line._position] = last
                last._position = line._position
            line._position = _UNAVAILABLE

    def _index(self, line: Line) -> None:
        """Index `line` by every key, where it is not indexed already."""
        for index in self._indexes.values():
            index.add(line)

    def _unindex(self, line: Line) -> None:
        for index in self._indexes.values():
            index.discard(line)


def _matches(by: Template, account: Account, wanted: SipUri) -> bool:
    own = uri_of(by, account)
    return own is not None and own.equivalent(wanted)

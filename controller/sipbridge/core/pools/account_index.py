"""Indexes the lines of a pool by one ``by`` of FindInPool, for constant-time lookup. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from operator import attrgetter
from typing import Generic, Protocol, TypeVar

from sipbridge.core.accounts.account import Account
from sipbridge.core.errors import UriError
from sipbridge.core.providers.template import NO_CALL, Template
from sipbridge.core.sip.uri import SipUri, normalize_user_escapes, parse_sip_uri

_RANK = attrgetter("rank")


class Indexed(Protocol):
    """What an index needs of a line: its account and its rank in the pool."""

    account: Account
    rank: int


LineT = TypeVar("LineT", bound=Indexed)


class AccountIndex(Generic[LineT]):
    """Indexes the lines whose account has a value for `by`.

    Args:
        by: the template that computes the value from an account.

    Attributes:
        shared: how many values several lines have; of these the first takes the calls.
    """

    __slots__ = ("_by", "_found", "shared")

    def __init__(self, by: Template) -> None:
        self._by = by
        # Nearly every value has one line, so a list, ordered by rank, is created only for the second.
        self._found: dict[str, LineT | list[LineT]] = {}
        self.shared = 0

    def add(self, line: LineT) -> None:
        """Add `line`; does nothing if it is indexed already."""
        key = self._key(line.account)
        if not key:
            return
        present = self._found.get(key)
        if present is None:
            self._found[key] = line
        elif isinstance(present, list):
            at = bisect_left(present, line.rank, key=_RANK)
            if present[at : at + 1] != [line]:
                present.insert(at, line)
        elif present is not line:
            self._found[key] = sorted((present, line), key=_RANK)
            self.shared += 1

    def discard(self, line: LineT) -> None:
        """Remove `line`; its account and rank must be the same as when it was added."""
        key = self._key(line.account)
        present = self._found.get(key)
        if present is line:
            del self._found[key]
        elif isinstance(present, list):
            at = bisect_left(present, line.rank, key=_RANK)
            if present[at : at + 1] == [line]:
                del present[at]
            if len(present) == 1:
                self._found[key] = present[0]
                self.shared -= 1

    def reorder(self) -> None:
        """Restore the order after ranks have changed."""
        for found in self._found.values():
            if isinstance(found, list):
                found.sort(key=_RANK)

    def candidates(self, wanted: SipUri | str) -> Sequence[LineT]:
        """Return the lines with the key of `wanted`, by rank; the caller must still compare URI parameters."""
        key = normalize_user_escapes(wanted) if isinstance(wanted, str) else wanted.lookup_key
        found = self._found.get(key, ())
        return found if isinstance(found, list | tuple) else (found,)

    def _key(self, account: Account) -> str:
        """Return the key of `account`; ``""`` if it has none, for example no alias."""
        uri = uri_of(self._by, account)
        return uri.lookup_key if uri else normalize_user_escapes(self._by.render(NO_CALL, account))


def uri_of(by: Template, account: Account) -> SipUri | None:
    """Return the value of `by` for the account if it is a URI; usually one that is parsed already."""
    uri = by.uri(NO_CALL, account) if by.uri else None
    return uri or uri_or_none(by.render(NO_CALL, account))


def uri_or_none(text: str) -> SipUri | None:
    """Parse `text` as a URI; None if it is not one."""
    try:
        return parse_sip_uri(text)
    except UriError:
        return None

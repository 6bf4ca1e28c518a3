"""The lines of a pool by one ``by`` of FindInPool, found in constant time. Pure."""

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
    """What of a line an index goes by: its account, and its place in the order of the pool's accounts."""

    account: Account
    rank: int


LineT = TypeVar("LineT", bound=Indexed)


class AccountIndex(Generic[LineT]):
    """The lines whose account has a value for `by`.

    Args:
        by: the template of an account that makes its value.
    """

    __slots__ = ("_by", "_found")

    def __init__(self, by: Template) -> None:
        self._by = by
        # Nearly every value has one line, so a list, ordered by rank, is made only for the second.
        self._found: dict[str, LineT | list[LineT]] = {}

    def add(self, line: LineT) -> None:
        """Find `line` from now on; where it is found already, it stays."""
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

    def discard(self, line: LineT) -> None:
        """Find `line`, whose account and rank are what they were when it was added, no longer."""
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

    def reorder(self) -> None:
        """Follow ranks that have changed."""
        for found in self._found.values():
            if isinstance(found, list):
                found.sort(key=_RANK)

    def candidates(self, wanted: SipUri | str) -> Sequence[LineT]:
        """Those whose key is that of `wanted`, by rank; parameters of URIs are still to be compared."""
        key = normalize_user_escapes(wanted) if isinstance(wanted, str) else wanted.lookup_key
        found = self._found.get(key, ())
        return found if isinstance(found, list | tuple) else (found,)

    def _key(self, account: Account) -> str:
        """The key of `account`; ``""`` when it has none, as without an alias."""
        uri = uri_of(self._by, account)
        return uri.lookup_key if uri else normalize_user_escapes(self._by.render(NO_CALL, account))


def uri_of(by: Template, account: Account) -> SipUri | None:
    """What `by` makes of the account, where that is a URI; as a rule it is one of the account's, parsed already."""
    uri = by.uri(NO_CALL, account) if by.uri else None
    return uri or uri_or_none(by.render(NO_CALL, account))


def uri_or_none(text: str) -> SipUri | None:
    """The URI that `text` is, or None."""
    try:
        return parse_sip_uri(text)
    except UriError:
        return None

"""Answers queries with snapshots, as JSON-able values."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sipbridge.core.observe.snapshot import AccountQuery
from sipbridge.core.observe.snapshot_json import from_json, to_json
from sipbridge.services.observe.call_feed import CallFeed
from sipbridge.services.observe.call_pages import CallPages
from sipbridge.services.observe.status import Status

_MAX_ROWS = 1_000
"""Maximum number of accounts in one answer."""
_MAX_OFFSET = 1_000_000_000
"""Upper bound of an offset: more accounts than there will ever be."""


@dataclass(frozen=True, slots=True)
class CallQuery:
    """A query for calls.

    Attributes:
        limit: the maximum number; for followers, the number of past items to show first.
        match: part of an address, an account or a Call-ID.
        provider: its name; ``""`` for all.
    """

    limit: int = _MAX_ROWS
    match: str = ""
    provider: str = ""


class QueryCommands:
    """The commands that change nothing."""

    def __init__(self, status: Status, pages: CallPages, feed: CallFeed) -> None:
        self._status = status
        self._pages = pages
        self._feed = feed

    def status(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Return the state of the bridge.

        Args:
            arguments: ``{"accounts": {"limit": 20, "match": "alice"}}``, an `AccountQuery`, or nothing.

        Returns:
            A `Snapshot`.

        Raises:
            JsonError: the arguments are not a valid query.
        """
        query = from_json(AccountQuery, arguments.get("accounts", {}))
        query = dataclasses.replace(query, limit=_bounded(query.limit), offset=min(max(query.offset, 0), _MAX_OFFSET))
        told: dict[str, Any] = to_json(self._status.snapshot(query))
        return told

    def calls(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Return the calls in progress.

        Args:
            arguments: a `CallQuery`, or nothing.

        Returns:
            A `CallsInProgress`.

        Raises:
            JsonError: the arguments are not a valid query.
        """
        query = from_json(CallQuery, arguments)
        told: dict[str, Any] = to_json(self._pages.page(_bounded(query.limit), query.match, query.provider))
        return told

    def follow(self, arguments: Mapping[str, Any]) -> Iterator[dict[str, Any] | None]:
        """Yield decisions and ends of calls from now on, after the latest past ones.

        Args:
            arguments: a `CallQuery`, of which only the limit is used.

        Returns:
            A `CallNews` per item, or None if there is none.

        Raises:
            JsonError: the arguments are not a valid query.
        """
        news = self._feed.follow(_bounded(from_json(CallQuery, arguments).limit))
        return (None if each is None else to_json(each) for each in news)


def _bounded(limit: int) -> int:
    return min(max(limit, 0), _MAX_ROWS)

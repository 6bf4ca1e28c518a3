"""What somebody who looks on asks for becomes a snapshot, as values for JSON."""

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
"""Accounts in one answer."""
_MAX_OFFSET = 1_000_000_000
"""More accounts than there will ever be, and no more than can be counted to."""


@dataclass(frozen=True, slots=True)
class CallQuery:
    """Which calls somebody wants to see.

    Attributes:
        limit: how many at most; of those who follow, how many of before come first.
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
        """How the bridge is doing.

        Args:
            arguments: ``{"accounts": {"limit": 20, "match": "alice"}}``, an `AccountQuery`, or nothing.

        Returns:
            A `Snapshot`.

        Raises:
            JsonError: that is no query.
        """
        query = from_json(AccountQuery, arguments.get("accounts", {}))
        query = dataclasses.replace(query, limit=_bounded(query.limit), offset=min(max(query.offset, 0), _MAX_OFFSET))
        told: dict[str, Any] = to_json(self._status.snapshot(query))
        return told

    def calls(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """The calls in progress.

        Args:
            arguments: a `CallQuery`, or nothing.

        Returns:
            A `CallsInProgress`.

        Raises:
            JsonError: that is no query.
        """
        query = from_json(CallQuery, arguments)
        told: dict[str, Any] = to_json(self._pages.page(_bounded(query.limit), query.match, query.provider))
        return told

    def follow(self, arguments: Mapping[str, Any]) -> Iterator[dict[str, Any] | None]:
        """What is decided and ends from now on, and the latest of before.

        Args:
            arguments: a `CallQuery`, of which the limit counts.

        Returns:
            A `CallNews` each, or None for none.

        Raises:
            JsonError: that is no query.
        """
        news = self._feed.follow(_bounded(from_json(CallQuery, arguments).limit))
        return (None if each is None else to_json(each) for each in news)


def _bounded(limit: int) -> int:
    return min(max(limit, 0), _MAX_ROWS)

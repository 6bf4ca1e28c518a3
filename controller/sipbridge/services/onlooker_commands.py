"""What somebody who looks on asks for becomes a snapshot, as values for JSON."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from sipbridge.core.snapshot import AccountQuery
from sipbridge.core.snapshot_json import from_json, to_json
from sipbridge.services.status import Status

_MAX_ROWS = 1_000
"""Accounts in one answer."""


class OnlookerCommands:
    """The commands that change nothing."""

    def __init__(self, status: Status) -> None:
        self._status = status

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
        query = dataclasses.replace(query, limit=min(max(query.limit, 0), _MAX_ROWS), offset=max(query.offset, 0))
        told: dict[str, Any] = to_json(self._status.snapshot(query))
        return told

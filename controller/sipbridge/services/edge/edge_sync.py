"""Keeps the edge's table of accounts up to date, across restarts of either side. Sends commands to the edge.

The edge keeps its table in memory. The table carries an epoch, a random id per daemon. If it is missing or different,
one of the two restarted: resend everything.
"""

from __future__ import annotations

import logging
from typing import Protocol

from sipbridge.core.backoff import Backoff
from sipbridge.core.gateways.gateway import GatewayName
from sipbridge.core.providers.edge import EdgeState
from sipbridge.ports import Clock, EdgeControl, EdgeLost, EdgeRefused
from sipbridge.services.edge.edge_table import EdgeTable

_log = logging.getLogger(__name__)

_POLL_S = 1.0
"""Pause between polls. A restart of the edge must be noticed within two seconds: until then, everything on it fails."""
_AUDIT_S = 60.0
_RETRY_MIN_S = 0.25
_RETRY_MAX_S = 1.0
_BATCH = 200
"""Entries formatted without yielding: about 5 ms."""


class EdgeGateways(Protocol):
    """What keeping the table asks about gateways."""

    @property
    def edge_table(self) -> EdgeTable:
        """What should be in the table."""

    @property
    def is_settled(self) -> bool:
        """Whether it is known which gateways FreeSWITCH has, and none is there that should not be."""

    def edge_entry_of(self, name: GatewayName) -> str | None:
        """What the edge has to know of a gateway; None for one that is about to change."""

    def may_have_gateway(self, name: GatewayName) -> bool:
        """Whether FreeSWITCH has a gateway, or may have it."""


class EdgeSync:
    """Keeps the table of one edge.

    Args:
        epoch: this daemon's name.
    """

    def __init__(self, edge: EdgeControl, gateways: EdgeGateways, clock: Clock, epoch: str) -> None:
        self._edge = edge
        self._gateways = gateways
        self._table = gateways.edge_table
        self._clock = clock
        self._epoch = epoch
        self._problem = "not connected yet"
        self._retry = Backoff(_RETRY_MIN_S, _RETRY_MAX_S)
        self._poll_at = 0.0
        self._audit_at = 0.0
        self._loading_since: float | None = None

    @property
    def state(self) -> EdgeState:
        """The state of the edge."""
        # While it does not answer, it may have restarted.
        known = 0 if self._problem else self._table.held
        return EdgeState(self._problem, len(self._table), known)

    def step(self) -> None:
        """Do what is due; waits for the edge. A failure is logged once and retried with growing pauses."""
        if not self._retry.is_due(self._clock.monotonic()):
            return
        try:
            self._poll_if_due()
            while self._put_due() or self._delete_gone():
                self._poll_if_due()
            self._note_loaded()
            self._audit_if_due()
        except (EdgeLost, EdgeRefused) as error:
            self._note_failure(str(error))
        else:
            self._note_success()

    def _poll_if_due(self) -> None:
        """Check whether the edge still has this daemon's table."""
        now = self._clock.monotonic()
        if now < self._poll_at:
            return
        if self._edge.epoch() != self._epoch:
            self._reset(now)
        self._poll_at = now + _POLL_S

    def _reset(self, now: float) -> None:
        # Set the epoch first: if the edge restarts in the meantime, it is missing, and everything is resent.
        self._edge.set_epoch(self._epoch)
        self._table.reset()
        self._loading_since = now
        self._audit_at = now + _AUDIT_S

    def _put_due(self) -> bool:
        """Send the next entries; return whether there were any."""
        names = self._table.due(_BATCH)
        entries = [(name, entry) for name in names if (entry := self._gateways.edge_entry_of(name)) is not None]
        self._edge.put(entries)
        self._table.note_put(name for name, _ in entries)
        return bool(entries)

    def _delete_gone(self) -> bool:
        """Delete the next obsolete entries; return whether there were any."""
        names = self._table.gone(self._gateways.may_have_gateway, _BATCH)
        self._edge.delete(names)
        self._table.note_deleted(names)
        return bool(names)

    def _note_loaded(self) -> None:
        if self._loading_since is not None:
            took_s = self._clock.monotonic() - self._loading_since
            self._loading_since = None
            _log.info("edge received %d accounts in %.1f s", self._table.held, took_s)

    def _audit_if_due(self) -> None:
        """Compare the counts from time to time: a crashed daemon or FreeSWITCH may have left unknown entries."""
        now = self._clock.monotonic()
        if now < self._audit_at or not self._table.is_settled or not self._gateways.is_settled:
            return
        self._audit_at = now + _AUDIT_S
        count, expected = self._edge.count(), self._table.held
        if count == expected or not self._table.is_settled:
            return
        _log.warning("edge has %d accounts instead of %d: sending all again", count, expected)
        self._edge.clear()
        self._reset(now)

    def _note_failure(self, problem: str) -> None:
        now = self._clock.monotonic()
        self._poll_at = now
        self._retry.failed(now)
        if problem != self._problem:
            _log.error("cannot update the edge: %s", problem)
        self._problem = problem

    def _note_success(self) -> None:
        if self._problem:
            _log.info("edge connected")
        self._problem = ""
        self._retry.succeeded()

"""Runs what keeps the table of the edge's Kamailio as it should be."""

from __future__ import annotations

from sipbridge.adapters.kamailio import Kamailio
from sipbridge.daemon.supervisor import Supervisor, Task
from sipbridge.services.edge.edge_sync import EdgeSync

_STEP_S = 0.1
"""Pause between steps; a changed account reaches the edge before its gateway is added."""


class EdgeLink:
    """Runs an `EdgeSync`, if there is an edge."""

    def __init__(self, kamailio: Kamailio, sync: EdgeSync | None, supervisor: Supervisor) -> None:
        self._kamailio = kamailio
        self._sync = sync
        self._supervisor = supervisor
        self._greenlet: Task | None = None

    def start(self) -> None:
        """Keep in step from now on."""
        if self._sync is not None:
            # In its own greenlet: it waits for Kamailio, and FreeSWITCH's lease must not.
            self._greenlet = self._supervisor.spawn_steps(self._sync.step, _STEP_S)

    def stop(self, *, gives_way: bool = False) -> None:
        """Have the edge forget the accounts whose gateways are gone, and leave it.

        Args:
            gives_way: whether the edge's table belongs to another controller now.
        """
        if self._greenlet is not None and self._sync is not None:
            self._supervisor.stop(self._greenlet)
            # It may have been waiting for answers, which must not be mistaken for others.
            self._kamailio.close()
            if not gives_way:
                self._sync.step()
        self._kamailio.close()

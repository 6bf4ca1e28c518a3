"""The edge's Kamailio, and what keeps its table of accounts as it should be: what runs."""

from __future__ import annotations

import secrets
from collections.abc import Callable

import gevent

from sipbridge.adapters.kamailio import Kamailio
from sipbridge.core.providers.edge import EdgeState
from sipbridge.ports import Clock
from sipbridge.services.edge.edge_sync import EdgeSync
from sipbridge.services.gateways.gateway_keeper import GatewayKeeper
from sipbridge.settings import EdgeSettings

_STEP_S = 0.1
"""A changed account is known to the edge before the next step adds its gateway."""


class EdgeLink:
    """keeps the edge in step with the gateways, if there is an edge.

    Args:
        is_ready: whether it is known what FreeSWITCH has.
    """

    def __init__(
        self, settings: EdgeSettings, gateways: GatewayKeeper, is_ready: Callable[[], bool], clock: Clock
    ) -> None:
        self._kamailio = Kamailio(settings.rpc_socket)
        self._sync: EdgeSync | None = None
        if settings.enabled:
            self._sync = EdgeSync(
                self._kamailio,
                gateways.edge_table,
                clock,
                entry_of=gateways.edge_entry_of,
                is_in_switch=gateways.may_have_gateway,
                switch_is_settled=lambda: is_ready() and not gateways.pending_removals,
                epoch=secrets.token_hex(16),
            )
        self._greenlet: gevent.Greenlet[..., None] | None = None

    @property
    def state(self) -> EdgeState | None:
        """How the edge is doing; None when there is none."""
        return self._sync.state if self._sync is not None else None

    def start(self, on_failed: Callable[[gevent.Greenlet[..., None]], None]) -> None:
        """Keep in step from now on.

        Args:
            on_failed: told of an end by an exception, which is a defect.
        """
        if self._sync is not None:
            # In a greenlet of its own: it waits for Kamailio, and the lease of FreeSWITCH must not.
            self._greenlet = gevent.spawn(_keep_in_step, self._sync)
            self._greenlet.link_exception(on_failed)

    def stop(self, *, gives_way: bool = False) -> None:
        """Have the edge forget the accounts whose gateways are gone, and leave it.

        Args:
            gives_way: whether the edge's table belongs to another controller now.
        """
        if self._greenlet is not None and self._sync is not None:
            self._greenlet.kill()
            # It may have been waiting for answers, which are nobody's now.
            self._kamailio.close()
            if not gives_way:
                self._sync.step()
        self._kamailio.close()


def _keep_in_step(sync: EdgeSync) -> None:
    while True:
        sync.step()
        gevent.sleep(_STEP_S)

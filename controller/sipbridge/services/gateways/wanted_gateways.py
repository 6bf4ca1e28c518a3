"""Keeps which gateway each account needs, named with the key that FreeSWITCH keeps. Changes the roster and lines."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from sipbridge.core.accounts.account import AccountId
from sipbridge.core.gateways.gateway import Gateway, GatewayName, gateway_for, gateway_name
from sipbridge.core.gateways.gateway_life import GatewayState
from sipbridge.core.pools.account_pool import AccountPool, Line
from sipbridge.core.providers.edge import edge_reason
from sipbridge.services.edge.edge_table import EdgeTable
from sipbridge.services.gateways.gateway_roster import GatewayRoster
from sipbridge.services.slices import Slices


class WantedGateways:
    """One gateway per account of all pools.

    Args:
        expires_s: longest lifetime of a registration.

    Attributes:
        pools: those whose accounts have gateways, by name.
        edge_table: those gateways that go through the edge. None of them is added before the edge knows it.
    """

    def __init__(self, roster: GatewayRoster, pools: Iterable[AccountPool], expires_s: int) -> None:
        self.pools = {pool.policy.name: pool for pool in pools}
        self.edge_table = EdgeTable()
        self._roster = roster
        self._expires_s = expires_s
        self._salt = b""
        # The same, when all gateways have their names by it.
        self._named_with = b""
        self._shuts_down = False

    def name_of(self, line: Line) -> GatewayName | None:
        """The name of the gateway that an account needs; None before the first connection, and for one that leaves."""
        is_leaving = self._shuts_down and line.pool.policy.unregister_on_shutdown
        if not self._salt or is_leaving:
            return None
        return gateway_name(line.account, line.pool.policy, self._salt, self._expires_s)

    def line_of(self, account: AccountId) -> Line | None:
        """The line of an account; None for one that is gone."""
        return next((line for pool in self.pools.values() if (line := pool.get(account))), None)

    def gateway(self, name: GatewayName) -> Gateway | None:
        """The gateway of this name; None where its account has changed, which is about to be noted."""
        line = self._roster.line(name)
        if line is None:
            return None
        made = gateway_for(line.id, line.account, line.pool.policy, self._salt, self._expires_s)
        return made if made.name == name else None

    def addable(self, name: GatewayName) -> Gateway | None:
        """The same; None as long as the edge does not know it."""
        return None if self.edge_table.waits(name) else self.gateway(name)

    def want(self, line: Line, name: GatewayName, *, is_backing_off: bool = False) -> GatewayState:
        """Want a gateway for an account that has none; gives back where the gateway was before."""
        line.gateway = name
        if edge_reason(line.account, line.pool.policy.edge):
            self.edge_table.want(name)
        return self._roster.want(name, line, is_backing_off=is_backing_off)

    def withdraw(self, line: Line) -> None:
        """No longer want the gateway of an account; harmless for one that has none."""
        name, line.gateway = line.gateway, None
        if name is not None:
            self._roster.withdraw(name)
            self.edge_table.release(name)

    def begin_shutdown(self) -> None:
        """No longer want the gateways of the pools that unregister at shutdown, nor new ones."""
        self._shuts_down = True
        for pool in self.pools.values():
            if pool.policy.unregister_on_shutdown:
                for line in pool:
                    self.withdraw(line)

    def rename(self, salt: bytes, slices: Slices, is_backing_off: Callable[[AccountId], bool]) -> None:
        """Name all gateways with the key that the switch has now; all have other names after it was restarted.

        An account that comes or changes meanwhile gets its new name at once; the others when it is their turn.
        """
        if salt == self._named_with:
            return
        self._salt, self._named_with = salt, b""
        for line in slices.each([line for pool in self.pools.values() for line in pool]):
            if line.pool.get(line.id) is line and (name := self.name_of(line)) != line.gateway:
                self.withdraw(line)
                if name is not None:
                    self.want(line, name, is_backing_off=is_backing_off(line.id))
        self._named_with = salt

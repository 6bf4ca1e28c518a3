"""Accounts become gateways, named with the key that FreeSWITCH keeps. Keeps that key, and nothing of any gateway."""

from __future__ import annotations

from sipbridge.core.gateways.gateway import Gateway, GatewayName, gateway_for, gateway_name
from sipbridge.core.pools.account_pool import Line


class GatewayDefinitions:
    """What the gateway of an account is, by the key in use.

    Args:
        expires_s: longest lifetime of a registration.

    Attributes:
        salt: the key; empty before the first connection, when no gateway has a name.
    """

    def __init__(self, expires_s: int) -> None:
        self.salt = b""
        self._expires_s = expires_s

    def name_of(self, line: Line) -> GatewayName | None:
        """The name of the gateway that the account of a line needs; None before the first connection."""
        return gateway_name(line.account, line.pool.policy, self.salt, self._expires_s) if self.salt else None

    def gateway(self, name: GatewayName, line: Line) -> Gateway | None:
        """The gateway of this name; None where its account has changed, which is about to be noted."""
        made = gateway_for(line.id, line.account, line.pool.policy, self.salt, self._expires_s)
        return made if made.name == name else None

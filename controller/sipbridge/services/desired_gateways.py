"""Accounts become the gateways that the switch should have; what it says of one becomes its line's state. Logs."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator

from sipbridge.core.account import AccountId
from sipbridge.core.account_pool import AccountPool, Line
from sipbridge.core.events import GatewayStateChanged
from sipbridge.core.gateway import (
    Gateway,
    GatewayName,
    Registration,
    RegistrationStatus,
    gateway_for,
    next_registration,
)

_log = logging.getLogger(__name__)

_NONE = Registration()
_REGISTERED = Registration(RegistrationStatus.REGISTERED)
_IN_PROGRESS = Registration(RegistrationStatus.IN_PROGRESS)


class DesiredGateways:
    """One gateway per account, by name.

    Args:
        expires_s: mean lifetime of a registration.
    """

    def __init__(self, pools: Iterable[AccountPool], expires_s: int) -> None:
        self.pools = {pool.policy.name: pool for pool in pools}
        self._expires_s = expires_s
        self._salt = b""
        # The same, once all gateways have their names by it.
        self._named_with = b""
        self._gateways: dict[GatewayName, Gateway] = {}
        self._name_of: dict[AccountId, GatewayName] = {}
        self._shuts_down = False

    def __len__(self) -> int:
        return len(self._gateways)

    def __iter__(self) -> Iterator[Gateway]:
        return iter(self._gateways.values())

    def __contains__(self, name: object) -> bool:
        return name in self._gateways

    def get(self, name: GatewayName) -> Gateway | None:
        """The gateway of this name."""
        return self._gateways.get(name)

    def gateway_of(self, account: AccountId) -> Gateway | None:
        """The gateway of an account."""
        name = self._name_of.get(account)
        return self._gateways[name] if name else None

    def name_of(self, account: AccountId) -> GatewayName | None:
        """The name of an account's gateway."""
        return self._name_of.get(account)

    def line(self, name: str) -> Line | None:
        """The line that a gateway was made for."""
        gateway = self._gateways.get(GatewayName(name))
        return self.line_of(gateway) if gateway else None

    def line_of(self, gateway: Gateway) -> Line:
        """The line that `gateway` was made for."""
        line = self.pools[gateway.pool].get(gateway.account_id)
        if line is None:
            raise AssertionError(f"gateway {gateway.name} without an account")
        return line

    def use_salt(self, salt: bytes) -> Iterator[None]:
        """Name the gateways with the key that the switch has now; all have other names after it was restarted.

        A step is one account, so that who has many of them can let others run. An account that comes or changes
        between two steps gets its new name at once; the others have none until it is their turn.
        """
        if salt == self._named_with:
            return
        self._salt, self._named_with = salt, b""
        self._gateways, self._name_of = {}, {}
        for line in [line for pool in self.pools.values() for line in pool]:
            if line.pool.get(line.id) is line and line.id not in self._name_of:
                self.want(line)
            yield
        self._named_with = salt

    def want(self, line: Line) -> tuple[Gateway | None, Gateway | None]:
        """Desire the gateway of an account that is new or has changed.

        Returns:
            The gateway that it had and the one that it has now; the same when nothing changed that the switch knows
            of. Both are None before the first connection: then all are made at once.
        """
        before = self.withdraw(line)
        if not self._salt or not self._is_wanted(line.pool):
            return before, None
        now = gateway_for(line.id, line.account, line.pool.policy, self._salt, self._expires_s)
        self._gateways[now.name] = now
        self._name_of[line.id] = now.name
        return before, now

    def withdraw(self, line: Line) -> Gateway | None:
        """No longer desire the gateway of an account; gives it back."""
        name = self._name_of.pop(line.id, None)
        return self._gateways.pop(name, None) if name else None

    def withdraw_at_shutdown(self) -> list[Gateway]:
        """No longer desire the gateways of the pools that unregister at shutdown, nor new ones; gives them back."""
        self._shuts_down = True
        withdrawn = [gateway for gateway in self if not self._is_wanted(self.pools[gateway.pool])]
        for gateway in withdrawn:
            del self._gateways[gateway.name]
            del self._name_of[gateway.account_id]
        return withdrawn

    def note_added(self, gateway: Gateway) -> None:
        """The switch has the gateway; one that does not register is ready with that."""
        self.line_of(gateway).set_registration(_IN_PROGRESS if gateway.register else _REGISTERED)

    def note_deleted(self, gateway: Gateway) -> None:
        """The switch has it no longer; one that could not register stays so, with its reason."""
        line = self.line_of(gateway)
        if line.registration.status is not RegistrationStatus.FAILED:
            line.set_registration(_NONE)

    def note_listed(self, gateway: Gateway, up: bool, down: bool) -> None:
        """The switch has it among those that can be called, or cannot, or not at all; a known failure stays one."""
        line = self.line_of(gateway)
        if up:
            line.set_registration(_REGISTERED)
        elif not down:
            line.set_registration(_NONE)
        elif line.registration.status is not RegistrationStatus.FAILED:
            line.set_registration(_IN_PROGRESS)

    def note_state(self, changed: GatewayStateChanged, now: float) -> Line | None:
        """The registration of a gateway went on; the line, if it is in another state now."""
        line = self.line(changed.name)
        if line is None:
            return None
        before = line.registration
        after = next_registration(before, changed.state, changed.sip_status, changed.phrase, now)
        if after == before:
            return None
        line.set_registration(after)
        if after.status is RegistrationStatus.FAILED:
            _log.warning("account %s cannot register: %s", line.account.uri, after.reason)
        elif before.status is RegistrationStatus.FAILED:
            _log.info("account %s: %s", line.account.uri, after.status.value)
        return line

    def _is_wanted(self, pool: AccountPool) -> bool:
        return not (self._shuts_down and pool.policy.unregister_on_shutdown)

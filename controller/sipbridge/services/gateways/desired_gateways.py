"""Accounts become the gateways that the switch should have; what it says of one becomes its line's state. Logs.

Of a gateway its name alone is kept, which stands for all of it: it is made anew when the switch has to be told. There
may be a hundred thousand of them.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, KeysView

from sipbridge.core.accounts.account import AccountId
from sipbridge.core.calls.events import GatewayStateChanged
from sipbridge.core.gateways.gateway import Gateway, GatewayName, gateway_for, gateway_name
from sipbridge.core.gateways.registration import Registration, RegistrationStatus, next_registration
from sipbridge.core.pools.account_pool import AccountPool, Line
from sipbridge.core.providers.edge import edge_reason
from sipbridge.services.edge.edge_table import EdgeTable

_log = logging.getLogger(__name__)

_NONE = Registration()
_REGISTERED = Registration(RegistrationStatus.REGISTERED)
_IN_PROGRESS = Registration(RegistrationStatus.IN_PROGRESS)


class DesiredGateways:
    """One gateway per account, by name.

    Args:
        expires_s: longest lifetime of a registration.

    Attributes:
        edge_table: those of them that go through the edge.
    """

    def __init__(self, pools: Iterable[AccountPool], expires_s: int) -> None:
        self.pools = {pool.policy.name: pool for pool in pools}
        self.edge_table = EdgeTable()
        self._expires_s = expires_s
        self._salt = b""
        # The same, once all gateways have their names by it.
        self._named_with = b""
        self._lines: dict[GatewayName, Line] = {}
        self._shuts_down = False

    def __len__(self) -> int:
        return len(self._lines)

    def __contains__(self, name: object) -> bool:
        return name in self._lines

    @property
    def names(self) -> KeysView[GatewayName]:
        """The names of all of them, as they are at any time."""
        return self._lines.keys()

    def lines(self) -> list[Line]:
        """The lines that should have a gateway, as they are now."""
        return list(self._lines.values())

    def line(self, name: str) -> Line | None:
        """The line that a gateway was made for."""
        return self._lines.get(GatewayName(name))

    def line_of(self, account: AccountId) -> Line | None:
        """The line of an account, if it should have a gateway."""
        lines = (pool.get(account) for pool in self.pools.values())
        return next((line for line in lines if line is not None and line.gateway is not None), None)

    def gateway(self, name: GatewayName) -> Gateway | None:
        """The gateway of this name; None where its account has changed, which is about to be told."""
        line = self._lines[name]
        made = gateway_for(line.id, line.account, line.pool.policy, self._salt, self._expires_s)
        return made if made.name == name else None

    def edge_entry_of(self, name: GatewayName) -> str | None:
        """What the edge has to know of the gateway of this name; None where its account has changed, as above."""
        made = self.gateway(name)
        return made.edge_entry if made is not None else None

    def use_salt(self, salt: bytes) -> Iterator[None]:
        """Name the gateways with the key that the switch has now; all have other names after it was restarted.

        A step is one account, so that who has many of them can let others run. An account that comes or changes
        between two steps gets its new name at once; the others have none until it is their turn.
        """
        if salt == self._named_with:
            return
        self._salt, self._named_with = salt, b""
        for line in self._lines.values():
            line.gateway = None
        self._lines = {}
        self.edge_table.release_all()
        for line in [line for pool in self.pools.values() for line in pool]:
            if line.pool.get(line.id) is line and line.gateway is None:
                self.want(line)
            yield
        self._named_with = salt

    def want(self, line: Line) -> tuple[GatewayName | None, GatewayName | None]:
        """Desire the gateway of an account that is new or has changed.

        Returns:
            The gateway that it had and the one that it has now; the same when nothing changed that the switch knows
            of. Both are None before the first connection: then all are made at once.
        """
        before, now = line.gateway, self._name(line)
        if before != now:
            self.withdraw(line)
        if now is not None:
            self._lines[now] = line
            line.gateway = now
            if edge_reason(line.account, line.pool.policy.edge):
                self.edge_table.want(now)
        return before, now

    def _name(self, line: Line) -> GatewayName | None:
        if not self._salt or not self._is_wanted(line.pool):
            return None
        return gateway_name(line.account, line.pool.policy, self._salt, self._expires_s)

    def withdraw(self, line: Line) -> GatewayName | None:
        """No longer desire the gateway of an account; gives its name back."""
        name, line.gateway = line.gateway, None
        if name is not None:
            del self._lines[name]
            self.edge_table.release(name)
        return name

    def withdraw_at_shutdown(self) -> list[tuple[GatewayName, str]]:
        """No longer desire the gateways of the pools that unregister at shutdown, nor new ones.

        Returns:
            Their names, each with that of its pool.
        """
        self._shuts_down = True
        withdrawn = [(name, line) for name, line in self._lines.items() if not self._is_wanted(line.pool)]
        for _, line in withdrawn:
            self.withdraw(line)
        return [(name, line.pool.policy.name) for name, line in withdrawn]

    def note_added(self, line: Line) -> None:
        """The switch has its gateway; one that does not register is ready with that."""
        line.set_registration(_IN_PROGRESS if line.pool.policy.registration_required else _REGISTERED)

    def note_deleted(self, line: Line) -> None:
        """The switch has its gateway no longer; one that could not register stays so, with its reason."""
        if line.registration.status is not RegistrationStatus.FAILED:
            line.set_registration(_NONE)

    def note_listed(self, line: Line, up: bool, down: bool) -> None:
        """The switch has it among those that can be called, or cannot, or not at all; a known failure stays one."""
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

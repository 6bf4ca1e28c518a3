"""Explains how a call would be decided by a providers file and, optionally, its databases. Reads these; else pure.

Nothing is running, so every account counts as registered and free: the explanation is about the file, not about the
current state. Anything that was not looked up is unknown.
"""

from __future__ import annotations

import dataclasses
import secrets
from collections.abc import Callable, Iterable, Mapping

from sipbridge.core.accounts.account import Account
from sipbridge.core.bridge_config import BridgeConfig
from sipbridge.core.calls.dial_string import format_dial_string
from sipbridge.core.calls.routing import Bridge, Decision, DeclineReason, RoutingTable, looks_in_pool, route
from sipbridge.core.calls.routing_table import routing_table
from sipbridge.core.gateways.gateway import GatewayName, gateway_stem
from sipbridge.core.gateways.registration import Registration, RegistrationStatus
from sipbridge.core.pools.account_pool import AccountPool
from sipbridge.core.providers.media_defaults import MediaDefaults
from sipbridge.core.providers.provider import SqlLoader
from sipbridge.core.sip.call import CallRequest, Side
from sipbridge.explain.sides import explain_side
from sipbridge.explain.told import Told, tell, tell_unknown, trace_of

_BY_FILE = "the file alone, with every account registered and free"
_BY_DATABASES = "the file and its databases, with every account registered and free"
_REGISTERED = Registration(RegistrationStatus.REGISTERED)

ReadPool = Callable[[str, SqlLoader], Iterable[Account]]
"""Reads the accounts of a pool from its database; takes the pool's name."""


class ByFile:
    """Explains calls by a providers file.

    Args:
        sides: the names of the inside and the providers' sofia profiles.
        read_pool: reads a database; None if databases are not to be read.
    """

    def __init__(
        self,
        config: BridgeConfig,
        media: MediaDefaults,
        status_lines: Mapping[DeclineReason, str],
        sides: tuple[str, str],
        read_pool: ReadPool | None = None,
    ) -> None:
        self._table = routing_table(config, media)
        self._status_lines = status_lines
        self._sides = sides
        self._read_pool = read_pool
        loaders = {name: pool.loader for name, pool in config.pools.items()}
        self._unread = {name: loader for name, loader in loaders.items() if isinstance(loader, SqlLoader)}
        for pool in self._table.pools.values():
            _be_registered(pool)

    def explain(self, request_uri: str, from_: str, to: str, side: Side | None) -> Told:
        """Decide a call.

        Args:
            side: the side from which it arrives; None if unknown, then both sides must lead to the same decision.

        Raises:
            SourceUnavailable, SourceError: a database cannot be read.
        """
        return explain_side(
            side, self._table.providers, lambda one: self._explain(CallRequest(request_uri, from_, to, one))
        )

    def _explain(self, call: CallRequest) -> Told:
        basis = _BY_DATABASES if self._read_pool else _BY_FILE
        table = self._as_far_as_known(call)
        decision = route(call, table, secrets.randbelow)
        unknown = decision.provider is None and len(table.providers) < len(self._table.providers)
        if unknown:
            provider = self._table.providers[len(table.providers)]
            needs = (
                f'the database of the account pool "{provider.account_pool}", in which the provider "{provider.name}" '
                "looks: --connect reads it; without FILE the running bridge is asked"
            )
            return tell_unknown(needs, basis, trace_of(decision.trace), call.side)
        return tell(decision, self._dial_string(decision, call.side), self._status_lines, basis, call.side)

    def _as_far_as_known(self, call: CallRequest) -> RoutingTable:
        """Return the providers before the first one that needs a pool whose accounts were not read."""
        for index, provider in enumerate(self._table.providers):
            name = provider.account_pool
            if name in self._unread and looks_in_pool(provider, call):
                if self._read_pool is None:
                    return dataclasses.replace(self._table, providers=self._table.providers[:index])
                _fill(self._table.pools[name], self._read_pool(name, self._unread.pop(name)))
        return self._table

    def _dial_string(self, decision: Decision, side: Side) -> str:
        if not isinstance(decision, Bridge):
            return ""
        inside, outside = self._sides
        leaves_by = inside if decision.leaves_inside(side) else outside
        # In FreeSWITCH a keyed hash follows; the key is FreeSWITCH's.
        gateway = GatewayName(f"{gateway_stem(decision.line.account)}.*")
        return format_dial_string(decision, gateway, leaves_by)


def _fill(pool: AccountPool, accounts: Iterable[Account]) -> None:
    for account in pool.policy.usable(accounts):
        pool.add(account)
    _be_registered(pool)


def _be_registered(pool: AccountPool) -> None:
    for line in pool:
        line.set_registration(_REGISTERED)

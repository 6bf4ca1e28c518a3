"""Adds, replaces and removes the accounts of pools, and tells the services that have to know. The only place that does.

A database and a reload change accounts at the same time. Both do it here, so that the order is the same: call control
counts the calls of an account before it may be used, and gateways follow an account that is as it should be already.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from sipbridge.core.accounts.account import Account, AccountId
from sipbridge.core.pools.account_pool import AccountPool, Line
from sipbridge.core.providers.provider import PoolPolicy
from sipbridge.services.slices import Slices

_MAKE_GATEWAYS = ("edge", "outbound_proxy", "registrar", "registration_required")
"""The attributes of a policy that are part of the gateways of its accounts."""


class CallClaims(Protocol):
    """Calls that may belong to an account that was not known when they were found."""

    def on_account_added(self, line: Line) -> None:
        """Count the calls that go through this account."""


class AccountGateways(Protocol):
    """The gateways of accounts."""

    def use_pool(self, pool: AccountPool) -> None:
        """Make gateways for the accounts of a pool that is new, or keep to its pace, which may be another."""

    def forget_pool(self, name: str) -> None:
        """Forget a pool whose accounts are all removed."""

    def on_account_changed(self, line: Line) -> None:
        """Give an account that is new, or another than it was, the gateway that it needs now."""

    def on_account_removed(self, line: Line) -> None:
        """Take the gateway of an account away that is gone."""


class PoolMembers:
    """Owns which accounts each pool has, and what they have in common."""

    def __init__(self, calls: CallClaims, gateways: AccountGateways) -> None:
        self._calls = calls
        self._gateways = gateways
        # Removed pools: calls may still hold their lines, and have to be counted if the pool comes back.
        self._former: dict[str, AccountPool] = {}

    # Accounts.

    def put(self, pool: AccountPool, id_: AccountId, account: Account) -> Line:
        """Add an account, or replace the one with this id; nothing happens if it is the same."""
        line = pool.get(id_)
        if line is None:
            line = pool.add(account, id_)
            self.admit(line)
        elif line.account != account:
            self.replace(line, account)
        return line

    def enlist(self, pool: AccountPool, account: Account) -> Line:
        """Add an account that gets no gateway before `admit`."""
        return pool.add(account)

    def admit(self, line: Line) -> None:
        """Give an account its gateway; harmless for one that is gone again."""
        if line.pool.get(line.id) is line:
            self._calls.on_account_added(line)
            self._gateways.on_account_changed(line)

    def replace(self, line: Line, account: Account) -> None:
        """Let a line be of another account with an equivalent URI; its calls go on."""
        line.pool.replace(line, account)
        self._gateways.on_account_changed(line)

    def remove(self, line: Line) -> None:
        """Take an account away: no call finds it any more, those in progress go on."""
        line.pool.remove(line)
        self._gateways.on_account_removed(line)

    def reorder(self, pool: AccountPool, ids: Sequence[AccountId]) -> None:
        """Put the accounts of a pool into this order, in which the first of several is found."""
        pool.reorder(ids)

    # Pools.

    def new_pool(self, policy: PoolPolicy) -> AccountPool:
        """Make a pool without accounts; one of this name that was there before has the lines of calls that go on."""
        pool = self._former.pop(policy.name, None)
        if pool is None:
            pool = AccountPool(policy)
        pool.use_policy(policy)
        self._gateways.use_pool(pool)
        return pool

    def use_policy(self, pool: AccountPool, policy: PoolPolicy, slices: Slices) -> None:
        """Let the accounts of a pool have another policy in common; their gateways change where it is part of them."""
        before = pool.policy
        if before == policy:
            return
        pool.use_policy(policy, slices.each)
        self._gateways.use_pool(pool)
        if any(getattr(before, name) != getattr(policy, name) for name in _MAKE_GATEWAYS):
            for line in slices.each(list(pool)):
                if pool.get(line.id) is line:
                    self._gateways.on_account_changed(line)

    def remove_pool(self, pool: AccountPool, slices: Slices) -> None:
        """Take a pool away with all of its accounts."""
        for line in slices.each(list(pool)):
            if pool.get(line.id) is line:
                self.remove(line)
        self._gateways.forget_pool(pool.policy.name)
        self._former[pool.policy.name] = pool

"""Builds the routing table from a configuration. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from sipbridge.core.bridge_config import BridgeConfig
from sipbridge.core.calls.routing import RoutingTable
from sipbridge.core.pools.account_pool import AccountPool
from sipbridge.core.providers.media_defaults import MediaDefaults
from sipbridge.core.providers.provider import FindInPool, SqlLoader
from sipbridge.core.providers.template import Template


def routing_table(config: BridgeConfig, media: MediaDefaults) -> RoutingTable:
    """Build the table: nothing is registered yet, and pools with an SQL loader are empty."""
    keys = pool_keys(config)
    pools: dict[str, AccountPool] = {}
    for name, pool_config in config.pools.items():
        pool = pools[name] = AccountPool(pool_config.policy, keys[name])
        pool.note_skipped(pool_config.skipped)
        for account in () if isinstance(pool_config.loader, SqlLoader) else pool_config.loader:
            pool.add(account)
    return RoutingTable(config.providers, pools, media)


def pool_keys(config: BridgeConfig) -> Mapping[str, list[Template]]:
    """Return the ``by`` templates of each pool."""
    keys: dict[str, list[Template]] = {name: [] for name in config.pools}
    for provider in config.providers:
        if isinstance(provider.account_to_use, FindInPool):
            keys[provider.account_pool].append(provider.account_to_use.by)
    return keys

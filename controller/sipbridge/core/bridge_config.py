"""What a providers file says, as values: the providers, and the account pools that they take accounts from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sipbridge.core.accounts.account import Account
from sipbridge.core.providers.provider import PoolPolicy, Provider, SqlLoader


@dataclass(frozen=True, slots=True)
class PoolConfig:
    """A pool: what its accounts have in common, and the accounts or where to load them.

    Attributes:
        skipped: accounts of the file that are not in `loader`, because they are invalid or there twice.
    """

    policy: PoolPolicy
    loader: tuple[Account, ...] | SqlLoader
    skipped: int = 0


@dataclass(frozen=True, slots=True)
class BridgeConfig:
    """What a providers file says.

    Attributes:
        pools: by name, in the order of the file; every provider's pool is among them.
    """

    providers: tuple[Provider, ...]
    pools: Mapping[str, PoolConfig]

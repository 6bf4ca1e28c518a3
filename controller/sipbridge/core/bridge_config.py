"""The content of a providers file as values: the providers and their account pools."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sipbridge.core.accounts.account import Account
from sipbridge.core.providers.provider import PoolPolicy, Provider, SqlLoader


@dataclass(frozen=True, slots=True)
class PoolConfig:
    """A pool: its policy, and the accounts or the database to load them from.

    Attributes:
        skipped: accounts of the file that are not in `loader`, because they are invalid or duplicate.
    """

    policy: PoolPolicy
    loader: tuple[Account, ...] | SqlLoader
    skipped: int = 0


@dataclass(frozen=True, slots=True)
class BridgeConfig:
    """The content of a providers file.

    Attributes:
        pools: by name, in the order of the file; includes every provider's pool.
    """

    providers: tuple[Provider, ...]
    pools: Mapping[str, PoolConfig]

"""Finds patterns that also match the addresses at which providers call accounts. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from sipbridge.core.accounts.account import Account
from sipbridge.core.bridge_config import BridgeConfig
from sipbridge.core.providers.provider import Always, FindInPool, MatchRegex, Provider, SqlLoader
from sipbridge.core.sip.call import Side

_HOST = "192.0.2.1:5080"
"""Placeholder for this host, which a file does not name: a call arrives at the registered contact."""


class Caught(NamedTuple):
    """A provider that matches calls arriving for an account.

    Attributes:
        provider: its index in the file.
        account: the first such account.
        pool: the pool of the account.
    """

    provider: int
    account: Account
    pool: str

    def __str__(self) -> str:
        where = f'{self.account.uri.text} of the account pool "{self.pool}"'
        return f'also takes the calls that a provider makes to {where}: add "side": "inside" to leave those to others'


def caught_calls(config: BridgeConfig, loaded: Mapping[str, Iterable[Account]] | None = None) -> Iterator[Caught]:
    """Find each pattern that matches calls from a provider to an account before the provider that looks up the account.

    Args:
        loaded: the accounts of pools with databases; missing pools are skipped.
    """
    for name, pool in config.pools.items():
        if not pool.policy.registration_required:
            continue  # these have no contact that could be called
        accounts = pool.loader if not isinstance(pool.loader, SqlLoader) else (loaded or {}).get(name, ())
        yield from _of_pool(config.providers, name, [account for account in accounts if account.uri.user])


def _of_pool(providers: Sequence[Provider], pool: str, accounts: Sequence[Account]) -> Iterator[Caught]:
    for index, provider in enumerate(providers):
        if provider.side is Side.INSIDE:
            continue
        trigger = provider.trigger
        if isinstance(trigger, MatchRegex):
            matching = (one for one in accounts if trigger.matches(f"sip:{one.uri.user}@{_HOST}"))
            account = next(matching, None)
            if account is not None and not _looks_for(provider, pool):
                yield Caught(index, account, pool)
        elif isinstance(trigger, Always) and _looks_for(provider, pool):
            return  # calls to accounts of this pool stop here


def _looks_for(provider: Provider, pool: str) -> bool:
    """Return whether a provider looks up the called account."""
    chooser = provider.account_to_use
    return isinstance(chooser, FindInPool) and chooser.by.is_account_uri and provider.account_pool == pool

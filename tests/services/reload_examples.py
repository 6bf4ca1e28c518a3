"""Examples for tests of reloading: configurations as values, and services that reload them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from memory_switch import MemorySwitch
from services_examples import Services, account, outbound, policy

from sipbridge.config.load import LoadResult
from sipbridge.config.text.diagnostic import Diagnostic
from sipbridge.core.accounts.account import Account, account_id
from sipbridge.core.bridge_config import BridgeConfig, PoolConfig
from sipbridge.core.calls.events import GatewayStateChanged
from sipbridge.core.calls.routing_table import routing_table
from sipbridge.core.pools.account_pool import AccountPool
from sipbridge.core.providers.media_defaults import MediaDefaults
from sipbridge.core.providers.provider import PoolPolicy, Provider, SqlLoader
from sipbridge.ports import SourceUnavailable
from sipbridge.services.operate.reload import ReloadResult

DATABASE = SqlLoader("sqlite3", "SELECT", "SELECT", "db=accounts password='Mellon'")


def static(*accounts: Account | str, with_: PoolPolicy | None = None) -> PoolConfig:
    """A pool whose accounts are in the file, by their users."""
    made = tuple(account(each) if isinstance(each, str) else each for each in accounts)
    return PoolConfig(with_ or policy(), made)


def from_database(loader: SqlLoader = DATABASE, with_: PoolPolicy | None = None) -> PoolConfig:
    return PoolConfig(with_ or policy(), loader)


def config(*pools: PoolConfig, providers: Sequence[Provider] | None = None) -> BridgeConfig:
    """These pools, and a provider for each unless others are given."""
    named = {pool.policy.name: pool for pool in pools}
    return BridgeConfig(tuple(map(outbound, named)) if providers is None else tuple(providers), named)


class Reloading:
    """Services that run with a configuration, and the file that they reload.

    Attributes:
        databases: the accounts that the database of each pool has; read when `follow` is called.
        fault: why they cannot be read.
    """

    def __init__(
        self,
        started_with: BridgeConfig,
        switch: MemorySwitch | None = None,
        knows_all: Callable[[], bool] = lambda: True,
    ) -> None:
        self.databases: dict[str, tuple[Account, ...]] = {}
        self.followed: list[tuple[BridgeConfig, Mapping[str, AccountPool]]] = []
        table = routing_table(started_with, MediaDefaults())
        self.services = Services(
            *table.pools.values(),
            providers=started_with.providers,
            switch=switch,
            knows_all=knows_all,
            config=started_with,
            follow=self.follow,
            databases=self,
        )
        self.scheduler = self.services.scheduler
        self.service = self.services.operations.reload
        self.fault: SourceUnavailable | None = None
        self.follow(started_with, self.services.pools)

    def follow(self, followed: BridgeConfig, pools: Mapping[str, AccountPool]) -> None:
        """Let the pools of databases have what is in them, as `AccountSync` does."""
        self.followed.append((followed, pools))
        members = self.services.members
        for name, pool in pools.items():
            if not isinstance(followed.pools[name].loader, SqlLoader):
                continue
            wanted = {account_id(name, each.uri): each for each in self.databases.get(name, ())}
            for line in list(pool):
                if line.id not in wanted:
                    members.remove(line)
            for id_, each in wanted.items():
                members.put(pool, id_, each)

    def read(self, name: str, _loader: SqlLoader) -> tuple[Account, ...]:
        """What the database of a pool has."""
        if self.fault is not None:
            raise self.fault
        return self.databases.get(name, ())

    def load_again(self) -> None:
        """Have every pool that is in a database as that is now."""
        self.follow(*self.followed.pop())

    def reload(
        self, wanted: BridgeConfig | None = None, *diagnostics: Diagnostic, dry_run: bool = False
    ) -> ReloadResult:
        """Put this into the file, and reload it; None for a file with errors."""
        self.services.file = LoadResult(wanted, diagnostics)
        return self.service.reload(dry_run=dry_run)

    def settle(self) -> None:
        """Let all come about that is under way: gateways go, come, and register."""
        switch = self.services.switch
        for _ in range(12):
            self.services.step(1.0)
            for name in [name for name in switch.down if name not in switch.deleting]:
                switch.down.discard(name)
                switch.up.add(name)
                switch.events.append(GatewayStateChanged(name, "REGED", "", ""))
            switch.deliver()
            switch.delete_marked()
            switch.deliver()

    def forget_commands(self) -> None:
        """From now on, `log`, `added` and `removed` of the switch are what comes."""
        self.services.switch.log.clear()
        self.services.switch.added.clear()
        self.services.switch.removed.clear()

    def touched(self) -> tuple[list[str], list[str]]:
        """The users whose gateways were added and those whose gateways were removed."""
        switch = self.services.switch
        return sorted(each.username for each in switch.added), sorted(name.split(".")[1] for name in switch.removed)


def running(*pools: PoolConfig, providers: Sequence[Provider] | None = None) -> Reloading:
    """Connected, with every account registered."""
    reloading = Reloading(config(*pools, providers=providers))
    reloading.services.connect()
    reloading.settle()
    reloading.forget_commands()
    return reloading

"""The synchronization with databases starts and stops when it should."""

from __future__ import annotations

import json

from memory_switch import FakeClock

from sipbridge.config.load import parse_providers
from sipbridge.core.bridge_config import BridgeConfig
from sipbridge.core.calls.routing_table import routing_table
from sipbridge.core.pools.account_pool import AccountPool, Line
from sipbridge.core.providers.media_defaults import MediaDefaults
from sipbridge.daemon.account_syncs import AccountSyncs
from sipbridge.daemon.supervisor import Supervisor
from sipbridge.services.accounts.pool_members import PoolMembers
from sipbridge.services.accounts.unread_pools import UnreadPools
from sipbridge.settings.redis import RedisSettings
from support.account_churn import MemoryDatabase, account, until

PROVIDERS = {
    "schemaVersion": 2,
    "providers": [
        {
            "name": "any account",
            "triggerCondition": {"strategy": "Always"},
            "accountToUse": {"strategy": "Random"},
            "onAccountNotFound": "decline",
            "outgoingInvite": {"to": "{incoming.to}"},
            "accountPool": "people",
        }
    ],
    "accountPools": {
        "people": {
            "outboundProxy": "sip:proxy.example.org",
            "registrationRequired": True,
            "maxCallsPerLine": 1,
            "loader": {
                "dbBackend": "sqlite3",
                "initQuery": "SELECT 1",
                "updateQuery": "SELECT :identifier",
                "connection": "db=x",
            },
        }
    },
}


def config() -> BridgeConfig:
    read = parse_providers(json.dumps(PROVIDERS), "providers.json").config
    assert read is not None
    return read


class Nobody:
    """Calls and gateways that do nothing with what they are told."""

    def on_account_added(self, line: Line) -> None: ...

    def on_account_changed(self, line: Line) -> None: ...

    def on_account_removed(self, line: Line) -> None: ...

    def use_pool(self, pool: AccountPool) -> None: ...

    def forget_pool(self, name: str) -> None: ...


def test_a_reload_that_is_under_way_when_all_is_stopped_starts_nothing_again() -> None:
    read = config()
    pools = routing_table(read, MediaDefaults()).pools
    database = MemoryDatabase()
    database.rows["alice"] = account("alice")
    members, unread = PoolMembers(Nobody(), Nobody()), UnreadPools()
    supervisor = Supervisor(lambda: None)
    syncs = AccountSyncs(RedisSettings(), FakeClock(), members, unread, supervisor, make_source=lambda *_: database)
    syncs.start(read, pools)
    assert not unread.knows_all()
    until("the account is loaded", lambda: len(pools["people"]) == 1)
    assert unread.knows_all()
    syncs.stop()
    assert syncs.states() == {}

    syncs.follow(read, pools)

    assert syncs.states() == {}

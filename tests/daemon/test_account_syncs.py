"""What reads the databases runs as long as it should, and no longer."""

from __future__ import annotations

import json

import gevent
from memory_switch import FakeClock

from sipbridge.config.load import parse_providers
from sipbridge.core.bridge_config import BridgeConfig
from sipbridge.core.calls.routing import MediaDefaults
from sipbridge.core.calls.routing_table import routing_table
from sipbridge.core.pools.account_pool import Line
from sipbridge.daemon.account_syncs import AccountSyncs
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


def nothing(_: Line | gevent.Greenlet[..., None]) -> None:
    """Nobody is told."""


def test_a_reload_that_is_under_way_when_all_is_stopped_starts_nothing_again() -> None:
    read = config()
    pools = routing_table(read, MediaDefaults()).pools
    database = MemoryDatabase()
    database.rows["alice"] = account("alice")
    syncs = AccountSyncs(RedisSettings(), FakeClock(), nothing, nothing, nothing, make_source=lambda *_: database)
    syncs.start(read, pools)
    until("the account is loaded", lambda: len(pools["people"]) == 1)
    syncs.stop()
    assert syncs.states() == {}

    syncs.follow(read, pools)

    assert syncs.states() == {}

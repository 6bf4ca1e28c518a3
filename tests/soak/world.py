"""All that runs in the soak: FreeSWITCH, the bridge, the edge, a database, Redis, and the far side behind a cable.

I/O: processes, and network namespaces.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from soak.accounts import (
    DATABASE_PASSWORD,
    DATABASE_USER,
    EVERYBODY,
    IN_DATABASE,
    IN_FILE,
    WITH_MEDIA,
    Accounts,
    uri_of,
)
from soak.callers import OUR_DOMAIN, Callers
from soak.far_side import DOMAIN, FarSide, Limit
from support.bridge import Bridge, Providers
from support.edge import Edge
from support.freeswitch import FreeSwitch
from support.mariadb import MariaDb
from support.network import Link
from support.redis_server import RedisServer
from support.relay import Relay
from support.rtpengine import Rtpengine
from support.sip_peer import SipPeer

CALLS_PER_LINE = 2
_CALLERS = 14
"""Not quite as many as there are lines, but they favour some, so that the limit is always met."""
_POOLS = {"file": IN_FILE, "media": WITH_MEDIA, "database": IN_DATABASE}
_COLUMNS = "username, domain AS hostport, '' AS user_id, secret_type, secret"
_ALIAS = f"username AS alias_username, '{OUR_DOMAIN}' AS alias_hostport, '' AS outbound_proxy"


@dataclass(frozen=True, slots=True)
class World:
    """What can break."""

    folder: Path
    link: Link
    freeswitch: FreeSwitch
    to_freeswitch: Relay
    edge: Edge
    rtpengine: Rtpengine
    database: MariaDb
    to_database: Relay
    redis: RedisServer
    bridge: Bridge
    far_side: FarSide
    far_address: str
    accounts: Accounts
    callers: Callers
    limit: Limit
    random: Random
    drained: list[DrainedWindow]

    def write_providers(self, calls_per_line: int = CALLS_PER_LINE) -> None:
        """Put this limit into the providers file."""
        file = providers_file(self.far_address, self.accounts, self.to_database.port, calls_per_line)
        self.bridge.write_providers(file)

    def calls_while_drained(self) -> list[str]:
        """The calls that were carried although they began while they were to be refused."""
        return [
            f"{call.account} calls and is drained"
            for window in self.drained
            for call in self.far_side.taken
            if window.began < call.began < window.ended and call.account in window.users
        ]


@dataclass(frozen=True, slots=True)
class DrainedWindow:
    """When these accounts were to carry no new call."""

    began: float
    ended: float
    users: Collection[str]


@contextmanager
def world(folder: Path, seed: int) -> Iterator[World]:
    """All of it, each program started, no call placed; gone at the end."""
    random = Random(seed)
    limit = Limit(CALLS_PER_LINE)
    far_side = FarSide(limit, "first realm")
    with ExitStack() as stack:
        link = stack.enter_context(Link())
        with link.world.inside():
            far_side.peer = stack.enter_context(SipPeer(far_side.rule, ip=link.far_address))
        # What is started and opened from here on is on this side of the cable.
        stack.enter_context(link.server.inside())
        database, redis = MariaDb(folder / "db"), RedisServer(folder / "redis")
        stack.callback(database.kill)
        stack.callback(redis.kill)
        accounts = stack.enter_context(Accounts(database, redis, far_side.provider, random))
        freeswitch = FreeSwitch(folder / "freeswitch", sipbridge_providers_ip=link.address)
        stack.callback(freeswitch.kill)
        rtpengine = stack.enter_context(Rtpengine(folder / "rtpengine"))
        ours = {"OUTSIDE_IP": link.address, "ADVERTISED_IP": link.address, "RTPENGINE": rtpengine.control}
        edge = stack.enter_context(Edge(folder / "edge", f"{link.address}:5080", definitions=ours))
        to_freeswitch = stack.enter_context(Relay(freeswitch.event_socket_port))
        to_database = stack.enter_context(Relay(database.port))
        far = far_side.peer.hostport
        bridge = Bridge(
            folder / "bridge",
            freeswitch,
            providers_file(far, accounts, to_database.port, limit.calls),
            to_freeswitch.port,
            _settings(edge, redis),
        )
        stack.callback(bridge.kill)
        yield World(
            folder,
            link,
            freeswitch,
            to_freeswitch,
            edge,
            rtpengine,
            database,
            to_database,
            redis,
            bridge,
            far_side,
            far,
            accounts,
            Callers(_CALLERS, EVERYBODY, freeswitch.inside, random),
            limit,
            random,
            [],
        )


def _settings(edge: Edge, redis: RedisServer) -> str:
    return f"""
        [calls]
        max_calls_per_s = 10000
        [edge]
        enabled = true
        address = "{edge.inside}"
        rpc_socket = "{edge.rpc_socket}"
        [redis]
        url = "redis://127.0.0.1:{redis.port}"
        backoff_max_s = 0.5
        ping_interval_s = 1
        ping_timeout_s = 1
        """


def providers_file(far: str, accounts: Accounts, database_port: int, calls_per_line: int) -> Providers:
    """A provider and a pool for each kind of account."""
    query = f"SELECT {_COLUMNS}, {_ALIAS} FROM users"
    loaders: dict[str, Any] = {
        name: [_account(user, accounts.password(user)) for user in users] for name, users in _POOLS.items()
    }
    loaders["database"] = {
        "dbBackend": "mysql",
        "initQuery": query,
        "updateQuery": f"{query} WHERE pk = :identifier",
        "connection": f"db=accounts user='{DATABASE_USER}' password='{DATABASE_PASSWORD}' "
        f"host=127.0.0.1 port={database_port}",
    }
    pools = {
        name: {
            "outboundProxy": f"<sip:{far}>",
            "registrationRequired": True,
            "maxCallsPerLine": calls_per_line,
            "loader": loader,
        }
        for name, loader in loaders.items()
    }
    return {"schemaVersion": 2, "providers": [_provider(name) for name in pools], "accountPools": pools}


def _provider(pool: str) -> dict[str, Any]:
    return {
        "name": f"by {pool}",
        "triggerCondition": {"strategy": "Always"},
        "accountToUse": {"strategy": "FindInPool", "source": "{from}", "by": "alias"},
        "onAccountNotFound": "nextProvider",
        "outgoingInvite": {
            "to": f"sip:{{incoming.to.user}}@{DOMAIN}",
            "from": "{account.uri}",
            "enableAvpf": pool == "media",
        },
        "accountPool": pool,
    }


def _account(user: str, password: str) -> dict[str, str]:
    return {"uri": uri_of(user), "alias": f"sip:{user}@{OUR_DOMAIN}", "secretType": "clrtxt", "secret": password}

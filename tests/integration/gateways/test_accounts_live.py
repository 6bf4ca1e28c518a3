"""The specification's first example as it is, on MariaDB and Redis: a test host's accounts come, change and go."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import jabiru
import pytest

from support.bridge import Bridge
from support.digest import DigestProvider
from support.freeswitch import FreeSwitch
from support.mariadb import PROGRAM as MARIADB
from support.mariadb import MariaDb
from support.processes import wait_until
from support.redis_server import PROGRAM as REDIS
from support.redis_server import RedisServer
from support.sip_peer import SipPeer

pytestmark = [
    pytest.mark.skipif(MARIADB is None, reason="no mariadbd on the PATH"),
    pytest.mark.skipif(REDIS is None, reason="no redis-server on the PATH"),
]
CHANNEL = "flexisip/B2BUA/account"
EXAMPLE = Path(__file__).parents[2] / "config/examples/jabiru.json"


@dataclass
class Installation:
    """What an existing installation has, and the bridge in the place of the one that it had."""

    database: MariaDb
    redis: RedisServer
    bridge: Bridge
    provider: DigestProvider
    far: SipPeer
    next_key: int = 1

    def insert(self, user: str) -> int:
        """Add a user, whose password is ``pw-USER``, on both sides; the primary key."""
        self.provider.passwords[user] = f"pw-{user}"
        key, self.next_key = self.next_key, self.next_key + 1
        row = (key, user, jabiru.DOMAIN, f"pw-{user}")
        self.database.execute("INSERT INTO users VALUES (%s, %s, %s, %s)", [row])
        return key

    def notify(self, user: str, key: int) -> None:
        message = {"username": user, "domain": jabiru.DOMAIN, "identifier": str(key)}
        self.redis.publish(CHANNEL, [json.dumps(message)])

    def is_registered(self, user: str) -> bool:
        return uri_of(user) in self.provider.bindings and self.status(user) == "OK"

    def status(self, user: str) -> str:
        account = self.bridge.accounts().get(uri_of(user))
        return str(account["status"]) if account else "no account"

    def registers_of(self, user: str) -> int:
        return sum(one.method == "REGISTER" and uri_of(user) in one["To"] for one in self.far.received)

    def wait_for(self, user: str) -> None:
        wait_until(f"{user} is registered", lambda: self.is_registered(user), timeout_s=20)


def uri_of(user: str) -> str:
    return f"sip:{user}@{jabiru.DOMAIN}"


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[FreeSwitch, MariaDb, RedisServer]]:
    freeswitch = FreeSwitch(tmp_path_factory.mktemp("fs"))
    database = MariaDb(tmp_path_factory.mktemp("db"))
    redis = RedisServer(tmp_path_factory.mktemp("redis"))
    yield freeswitch, database, redis
    for server in (freeswitch, database, redis):
        server.kill()


@pytest.fixture
def installation(servers: tuple[FreeSwitch, MariaDb, RedisServer], tmp_path: Path) -> Iterator[Installation]:
    """Alice and Bob are registered; the database user of the bridge may read, and nothing else."""
    freeswitch, database, redis = servers
    database.execute("DROP TABLE IF EXISTS users")
    database.execute(
        "CREATE TABLE users (pk INTEGER PRIMARY KEY, username VARCHAR(64), domain VARCHAR(64), password VARCHAR(64))"
    )
    database.execute("CREATE OR REPLACE USER 'flexisip-b2bua'@'%' IDENTIFIED BY 'Mellon'")
    database.execute("GRANT SELECT ON accounts.users TO 'flexisip-b2bua'@'%'")
    provider = DigestProvider(jabiru.DOMAIN, {})
    with SipPeer(provider.rule) as far:
        providers = json.loads(EXAMPLE.read_text().replace("\u00a0", " "))
        pool = providers["accountPools"]["JabiruAccountPool"]
        pool["outboundProxy"] = f"<sip:{far.hostport};transport=tcp>"
        pool["loader"] |= {
            "dbBackend": "mysql",
            "connection": f"db=accounts user='flexisip-b2bua' password='Mellon' host=127.0.0.1 port={database.port}",
        }
        made = Installation(database, redis, None, provider, far)  # type: ignore[arg-type]
        for user in ("alice", "bob"):
            made.insert(user)
        settings = f'[redis]\nurl = "redis://127.0.0.1:{redis.port}"\nbackoff_max_s = 0.5\n'
        made.bridge = Bridge(tmp_path, freeswitch, providers, more_settings=settings)
        try:
            for user in ("alice", "bob"):
                made.wait_for(user)
            yield made
        finally:
            assert made.bridge.terminate() == 0
            assert "Mellon" not in made.bridge.log()
            assert "pw-" not in made.bridge.log()


def test_a_host_comes_changes_and_goes_and_nobody_else_notices(installation: Installation) -> None:
    of_bob = installation.registers_of("bob")

    carol = installation.insert("carol")
    installation.notify("carol", carol)
    installation.wait_for("carol")

    installation.provider.passwords["carol"] = "changed"
    installation.database.execute("UPDATE users SET password = 'changed' WHERE pk = %s", [(carol,)])
    before = installation.registers_of("carol")
    installation.notify("carol", carol)
    wait_until("carol registers anew", lambda: installation.registers_of("carol") > before, timeout_s=20)
    installation.wait_for("carol")

    installation.database.execute("DELETE FROM users WHERE pk = %s", [(carol,)])
    installation.notify("carol", carol)
    wait_until("carol is gone", lambda: uri_of("carol") not in installation.provider.bindings, timeout_s=20)
    assert installation.status("carol") == "no account"

    assert installation.registers_of("bob") == of_bob


def test_a_rename_is_a_deletion_and_a_new_account(installation: Installation) -> None:
    installation.database.execute("DELETE FROM users WHERE username = 'alice'")
    alison = installation.insert("alison")
    installation.notify("alice", 1)
    installation.notify("alison", alison)
    installation.wait_for("alison")
    wait_until("alice is gone", lambda: uri_of("alice") not in installation.provider.bindings, timeout_s=20)


def test_what_changes_while_redis_is_down_is_not_missed(installation: Installation) -> None:
    installation.redis.kill()
    try:
        installation.insert("dave")
        installation.database.execute("DELETE FROM users WHERE username = 'alice'")
    finally:
        installation.redis.start()
    installation.wait_for("dave")
    wait_until("alice is gone", lambda: installation.status("alice") == "no account", timeout_s=20)


def test_a_database_that_is_down_loses_nobody_and_is_asked_again(installation: Installation) -> None:
    installation.database.kill()
    try:
        installation.notify("bob", 2)
        wait_until(
            "it is noticed", lambda: "cannot load accounts, keeping the current ones" in installation.bridge.log()
        )
        assert installation.is_registered("alice")
        assert installation.is_registered("bob")
    finally:
        installation.database.start()
    erin = installation.insert("erin")
    installation.notify("erin", erin)
    installation.wait_for("erin")
    assert installation.is_registered("alice")


def test_a_daemon_that_starts_without_its_database_serves_when_it_comes(
    servers: tuple[FreeSwitch, MariaDb, RedisServer], installation: Installation
) -> None:
    installation.bridge.terminate()
    installation.database.kill()
    try:
        installation.bridge.start()
        assert installation.bridge.accounts() == {}
    finally:
        installation.database.start()
    for user in ("alice", "bob"):
        installation.wait_for(user)


def test_a_daemon_that_is_killed_and_starts_without_its_database_leaves_registrations_alone(
    servers: tuple[FreeSwitch, MariaDb, RedisServer], installation: Installation
) -> None:
    freeswitch = servers[0]
    registered = freeswitch.gateways_up()
    registers = {user: installation.registers_of(user) for user in ("alice", "bob")}
    installation.bridge.kill()
    installation.database.kill()
    before = len(installation.bridge.log())
    try:
        installation.bridge.start()
        wait_until(
            "it has looked at the gateways, and for the database",
            lambda: all(
                text in installation.bridge.log()[before:]
                for text in ("gateways are in FreeSWITCH", "cannot load accounts, keeping the current ones")
            ),
        )
        assert installation.bridge.accounts() == {}
    finally:
        installation.database.start()
    for user in ("alice", "bob"):
        installation.wait_for(user)
    assert freeswitch.gateways_up() == registered
    assert {user: installation.registers_of(user) for user in ("alice", "bob")} == registers

"""The life of one account among tens of thousands that are registered, in a real MariaDB, Redis and FreeSWITCH.

It is added with a wrong password, gets the right one, another alias and another proxy, is renamed, and deleted. Each
time Redis is told, and the time measured until the account is right; nobody else may send a REGISTER because of it.
Starts processes.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks import accounts_databases
from benchmarks.accounts_databases import DOMAIN, Database, providers_file
from benchmarks.figures import Figure, at_most
from benchmarks.gateways_registered import Fleet, environment, registered
from support.bridge import Bridge
from support.freeswitch import FreeSwitch
from support.processes import wait_until
from support.redis_server import RedisServer
from support.registrar import PASSWORD, Registrar

_CHANNEL = "flexisip/B2BUA/account"
_AIM_S = 1.5
_PATIENCE_S = 15.0
_POLL_S = 0.05


def measure_life(fleet: Fleet) -> Iterator[Figure]:
    """Register all accounts of a database, and then live through one more."""
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sipbridge-benchmark-")))
        registrar = Registrar(directory)
        stack.callback(registrar.kill)
        database = stack.enter_context(accounts_databases.mariadb(directory, fleet.count))
        database.execute("UPDATE users SET password = %s", [(PASSWORD,)])
        redis = RedisServer(directory / "redis")
        stack.callback(redis.kill)
        freeswitch = FreeSwitch(directory / "freeswitch")
        stack.callback(freeswitch.kill)
        with environment({"SIPBRIDGE_GATEWAYS__MAX_REGISTRATIONS_PER_S": str(fleet.rate)}):
            bridge = Bridge(
                directory / "bridge",
                freeswitch,
                providers_file(database.loader(), f"<sip:{registrar.hostport};transport=udp>", registers=True),
                more_settings=f'[redis]\nurl = "redis://127.0.0.1:{redis.port}"\n',
            )
        stack.callback(bridge.kill)
        yield registered(fleet, registrar, freeswitch)
        yield from _Life(database, redis, freeswitch, bridge, registrar, fleet.count).live()


class _Life:
    """One account, and who sees it."""

    def __init__(
        self,
        database: Database,
        redis: RedisServer,
        freeswitch: FreeSwitch,
        bridge: Bridge,
        registrar: Registrar,
        others: int,
    ) -> None:
        self._database = database
        self._redis = redis
        self._freeswitch = freeswitch
        self._bridge = bridge
        self._registrar = registrar
        self._others = others
        self._key = others + 1_000
        self._gateway = ""

    def live(self) -> Iterator[Figure]:
        """All of it."""
        began = time.time()
        insert = "INSERT INTO users VALUES (%s, %s, %s, %s, %s, %s)"
        took = {
            "added": self._change(insert, (self._key, "testhost", DOMAIN, "wrong", "testhost", ""), self._has_gateway),
            "another secret": self._set("password", PASSWORD, self._has_another_gateway),
        }
        accepted_s = self._until("the registrar accepts it", lambda: self._is_accepted("testhost"))
        took |= {
            "another alias": self._set("alias", "elsewhere", lambda: "elsewhere@" in self._state().get("alias", "")),
            "another proxy": self._set("proxy", f"sip:{self._registrar.hostport}", self._has_another_gateway),
            "another name": self._rename("renamed"),
            "deleted": self._delete("renamed"),
        }
        for what, seconds in took.items():
            yield at_most(f"  one more: {what}", seconds, _AIM_S, "{:.1f} s", f"{seconds:.2f} s")
        yield Figure("  its first REGISTER accepted, after its gateway", f"{accepted_s:.2f} s")
        others = [
            user for at, user in self._registrar.accepted() if at >= began and user not in ("testhost", "renamed")
        ]
        yield Figure(f"  REGISTERs of the other {self._others:,} meanwhile", str(len(others)), "0", not others)

    def _set(self, column: str, value: str, is_right: Callable[[], bool]) -> float:
        return self._change(f"UPDATE users SET {column} = %s WHERE pk = %s", (value, self._key), is_right)

    def _rename(self, name: str) -> float:
        """As who changes a primary key does: the old one is gone, and there is a new one."""
        old, self._key = self._key, self._key + 1
        statement = "UPDATE users SET username = %s, pk = %s WHERE pk = %s"
        return self._change(
            statement,
            (name, self._key, old),
            lambda: self._is_gone("testhost") and self._has_another_gateway(name),
            [("testhost", old), (name, self._key)],
        )

    def _delete(self, name: str) -> float:
        return self._change(
            "DELETE FROM users WHERE pk = %s", (self._key,), lambda: self._is_gone(name), [(name, self._key)]
        )

    def _change(
        self,
        statement: str,
        values: tuple[object, ...],
        is_right: Callable[[], bool],
        told: list[tuple[str, int]] | None = None,
    ) -> float:
        """Change the database, tell Redis, and wait until it is so: seconds since it was told."""
        self._database.execute(statement, [values])
        messages = [
            json.dumps({"username": user, "domain": DOMAIN, "identifier": str(key)})
            for user, key in told or [("testhost", self._key)]
        ]
        begin = time.perf_counter()
        self._redis.publish(_CHANNEL, messages)
        self._until(f"{statement} has come to FreeSWITCH", is_right)
        seconds = time.perf_counter() - begin
        self._gateway = self._state(told[-1][0] if told else "testhost").get("gateway", "")
        return seconds

    def _until(self, what: str, is_so: Callable[[], bool]) -> float:
        begin = time.perf_counter()
        wait_until(what, is_so, timeout_s=_PATIENCE_S, poll_s=_POLL_S)
        return time.perf_counter() - begin

    def _state(self, user: str = "testhost") -> dict[str, Any]:
        """How the account is; nothing when there is none."""
        return next(iter(self._bridge.find_accounts(f"sip:{user}@")), {})

    def _has_gateway(self, user: str = "testhost") -> bool:
        return bool(self._state(user).get("gateway"))

    def _has_another_gateway(self, user: str = "testhost") -> bool:
        return self._state(user).get("gateway", "") not in ("", self._gateway)

    def _is_gone(self, user: str) -> bool:
        """Neither the bridge knows it nor FreeSWITCH its gateway."""
        answer = self._freeswitch.event_socket.api(f"sofia xmlstatus gateway {self._gateway}")
        return not self._state(user) and "Invalid Gateway" in answer

    def _is_accepted(self, user: str) -> bool:
        return any(accepted.user == user for accepted in self._registrar.accepted())

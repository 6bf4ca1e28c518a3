"""The accounts of the soak: some in the providers file, some in a database where they come, change and go. I/O: SQL."""

from __future__ import annotations

import contextlib
import json
import threading
from collections import deque
from collections.abc import Callable
from random import Random
from types import TracebackType
from typing import Self

import pymysql
import redis

from soak.far_side import DOMAIN
from support.digest import DigestProvider, md5
from support.mariadb import MariaDb
from support.redis_server import RedisServer

CHANNEL = "flexisip/B2BUA/account"
IN_FILE = ("alice", "bob")
WITH_MEDIA = ("ivan",)
"""In the file as well; rtpengine makes the media of their calls."""
WITH_HASH = ("gina", "heidi")
"""In the database; their registrations and calls go through the edge."""
IN_DATABASE = ("carol", "dave", "erin", "frank", *WITH_HASH)
EVERYBODY = (*IN_FILE, *WITH_MEDIA, *IN_DATABASE)
DATABASE_USER, DATABASE_PASSWORD = "flexisip-b2bua", "soak-secret-database"
_TABLE = """CREATE TABLE users
    (pk INTEGER PRIMARY KEY, username VARCHAR(64), domain VARCHAR(64), secret_type VARCHAR(8), secret VARCHAR(64))"""
_PAUSE_S = 0.7


class Accounts:
    """What the database has, and what the far side knows of it. A thread of its own changes both.

    Attributes:
        keys: the primary keys of the accounts in the database, by user.
        secrets: everything that nobody may ever read in an output.
        changes: how many there were.
        loses_messages: whether the bridge is told nothing.
        are_still: whether nobody changes anything, but for what is asked for.
    """

    def __init__(self, database: MariaDb, notifications: RedisServer, provider: DigestProvider, random: Random) -> None:
        self.keys: dict[str, int] = {}
        self.secrets = {DATABASE_PASSWORD}
        self.changes = 0
        self.loses_messages = False
        self.are_still = True
        self._database = database
        self._redis = notifications
        self._provider = provider
        self._random = random
        self._serial = 0
        self._asked_for: deque[Callable[[], None]] = deque()
        self._is_busy = False
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._change_all_the_time)
        database.execute(_TABLE)
        database.execute(f"CREATE USER '{DATABASE_USER}'@'%' IDENTIFIED BY '{DATABASE_PASSWORD}'")
        database.execute(f"GRANT SELECT ON accounts.* TO '{DATABASE_USER}'@'%'")
        for user in (*IN_FILE, *WITH_MEDIA):
            self._new_password(user)
        for user in IN_DATABASE:
            self._write(user)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stopping.set()
        self._thread.join()

    @property
    def expected(self) -> set[str]:
        """The URIs of all accounts that there are."""
        return {uri_of(user) for user in (*IN_FILE, *WITH_MEDIA, *list(self.keys))}

    @property
    def is_idle(self) -> bool:
        """Whether nothing is being changed, and nothing is asked for."""
        return self.are_still and not self._asked_for and not self._is_busy

    def password(self, user: str) -> str:
        """The one that the far side knows."""
        return self._provider.passwords[user]

    def change_password(self, user: str) -> None:
        """Ask for another password of somebody in the database, on both sides."""
        self._asked_for.append(lambda: self._write(user) if user in self.keys else None)

    def write_hashes_again(self) -> None:
        """Ask for other hashes: the far side has another realm."""
        for user in WITH_HASH:
            self.change_password(user)

    def notify(self, user: str, times: int = 1) -> None:
        """Tell the bridge that something may have become of an account."""
        self._publish(user, self.keys.get(user, 0), times)

    def publish(self, *payloads: str | bytes) -> None:
        """Tell the bridge whatever this is."""
        with contextlib.suppress(redis.RedisError):  # away just now: nobody hears of it
            self._redis.publish(CHANNEL, payloads)

    def _change_all_the_time(self) -> None:
        while not self._stopping.wait(0.05 if self.are_still or self._asked_for else _PAUSE_S):
            self._is_busy = True
            if self._asked_for:
                self._asked_for.popleft()()
            elif not self.are_still:
                self._change_one()
            self._is_busy = False

    def _change_one(self) -> None:
        """Somebody gets an account, loses it, is renamed, or gets another password."""
        user = self._random.choice(IN_DATABASE)
        others = [other for other in IN_DATABASE if other not in self.keys]
        match self._random.choice(["delete", "rename", "password", "password"]):
            case _ if user in others:
                self._write(user)
            case "delete":
                self._delete(user)
            case "rename" if others:
                # A rename is told as the end of one account and the beginning of another.
                self._delete(user)
                self._write(self._random.choice(others))
            case _:
                self._write(user)

    def _write(self, user: str) -> None:
        """Add somebody, or change the password. The far side knows it first: the bridge registers as soon as it can."""
        password = self._new_password(user)
        key = self.keys.get(user, self._serial)
        secret_type, secret = "clrtxt", password
        if user in WITH_HASH:
            secret_type, secret = "ha1", md5(user, self._provider.realm, password)
            self.secrets.add(secret)
        self._execute("REPLACE INTO users VALUES (%s, %s, %s, %s, %s)", key, user, DOMAIN, secret_type, secret)
        self.keys[user] = key
        self._publish(user, key)

    def _delete(self, user: str) -> None:
        self._execute("DELETE FROM users WHERE pk = %s", self.keys[user])
        self._publish(user, self.keys.pop(user))

    def _execute(self, statement: str, *row: object) -> None:
        """Change the database, as soon as it lets itself be changed."""
        while not self._stopping.is_set():
            with contextlib.suppress(pymysql.MySQLError, OSError):  # it is away, or its table is
                self._database.execute(statement, [row])
                self.changes += 1
                return
            self._stopping.wait(0.1)

    def _publish(self, user: str, key: int, times: int = 1) -> None:
        message = json.dumps({"username": user, "domain": DOMAIN, "identifier": str(key)})
        if not self.loses_messages:
            self.publish(*[message] * times)

    def _new_password(self, user: str) -> str:
        """Another password at the far side."""
        self._serial += 1
        password = self._provider.passwords[user] = f"soak-secret-{user}-{self._serial}"
        self.secrets.add(password)
        return password


def uri_of(user: str) -> str:
    """The URI of an account."""
    return f"sip:{user}@{DOMAIN}"

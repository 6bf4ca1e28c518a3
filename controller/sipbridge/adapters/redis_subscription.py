"""One connection to Redis, subscribed to one channel: settings become a connection, bytes become payloads.

redis-py makes the connection and knows the protocol. Its `PubSub` is not used: when a connection breaks it makes
another and subscribes again, and tells nobody that messages were lost in between.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import redis.sentinel
from redis.backoff import NoBackoff
from redis.connection import AbstractConnection, Connection, parse_url
from redis.exceptions import AuthenticationError, RedisError
from redis.retry import Retry

from sipbridge.config.redis_settings import RedisSettings
from sipbridge.core.errors import SipBridgeError


class RedisLost(SipBridgeError):
    """There is no connection to Redis, or it broke; says why, and neither password nor user name."""


class RedisSubscription:
    """A subscription that is used once: open, read payloads, close; and when it is lost, make another.

    Attributes:
        where: the server, for messages: ``127.0.0.1:6379``.
    """

    def __init__(self, settings: RedisSettings) -> None:
        self._settings = settings
        options = parse_url(settings.url)
        self._class: type[AbstractConnection] = options.pop("connection_class", Connection)
        # No database, which would be one more thing to be refused: channels belong to none.
        options.pop("db", None)
        if settings.password:
            options["password"] = settings.password
        self._options: dict[str, Any] = {**options, **_common_options(settings)}
        self._secrets = [options[name] for name in ("password", "username") if name in options]
        self._connection: Any = None
        self.where = "Sentinel" if settings.sentinels else _where(options)

    def open(self) -> None:
        """Connect, and subscribe; messages flow once this returns.

        Raises:
            RedisLost: it is not there, or refuses us.
        """
        with self._telling_why():
            if self._settings.sentinels:
                self._options["host"], self._options["port"] = self._find_master()
                self.where = _where(self._options)
            self._connection = self._class(**self._options)
            self._connection.connect()
        self._send("SUBSCRIBE", self._settings.channel)
        reply = self._receive(self._settings.connect_timeout_s)
        if reply is None or reply[0] != b"subscribe":
            raise RedisLost(f"{self.where}: the subscription is not confirmed")

    def payloads(self) -> Iterator[bytes]:
        """What is published, message by message, until the connection is lost.

        Raises:
            RedisLost: it is; a server that is asked and says nothing counts as gone.
        """
        settings = self._settings
        asked = False
        while True:
            reply = self._receive(settings.ping_timeout_s if asked else settings.ping_interval_s)
            if reply is None and asked:
                raise RedisLost(f"{self.where}: no answer within {settings.ping_timeout_s:g} s")
            asked = reply is None
            if reply is None:
                self._send("PING")
            elif reply[0] == b"message":
                yield reply[2]

    def close(self) -> None:
        """Close the connection; harmless when there is none."""
        if self._connection is not None:
            self._connection.disconnect()

    def _find_master(self) -> tuple[str, int]:
        settings = self._settings
        options = {**_common_options(settings), "ssl": settings.uses_tls}
        # One that cannot be reached is passed over, and tried no second time.
        sentinel = redis.sentinel.Sentinel(
            settings.sentinel_addresses, sentinel_kwargs={**options, "retry": Retry(NoBackoff(), 0)}
        )
        try:
            address: tuple[str, int] = sentinel.discover_master(settings.sentinel_service)
        except redis.sentinel.MasterNotFoundError:
            raise RedisLost(f"no Sentinel is there that knows a master of {settings.sentinel_service}") from None
        finally:
            sentinel.close()
        return address

    def _send(self, *command: str) -> None:
        with self._telling_why():
            self._connection.send_command(*command)

    def _receive(self, timeout_s: float) -> list[Any] | None:
        """The next reply; None when there is none within `timeout_s`."""
        with self._telling_why():
            try:
                reply = self._connection.read_response(timeout=timeout_s, disconnect_on_error=False)
            except redis.TimeoutError:
                return None
        if not isinstance(reply, list):
            raise RedisLost(f"{self.where}: not understood: {reply!r}")
        return reply

    @contextlib.contextmanager
    def _telling_why(self) -> Iterator[None]:
        try:
            yield
        # redis-py lets a ValueError or an IndexError through when what it reads is not the protocol.
        except (RedisError, OSError, ValueError, IndexError) as error:
            # Not `from error`: the texts of redis-py and of the server may have the password in them.
            raise RedisLost(f"{self.where}: {self._why(error)}") from None

    def _why(self, error: Exception) -> str:
        # redis-py's own texts repeat the address.
        cause = error.__context__
        if isinstance(error, redis.TimeoutError):
            return f"no answer within {self._settings.connect_timeout_s:g} s"
        if isinstance(error, AuthenticationError):
            return "the password is refused" if self._secrets else "a password is asked for"
        text = (cause.strerror or str(cause)) if isinstance(cause, OSError) else str(error)
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text


def _common_options(settings: RedisSettings) -> dict[str, Any]:
    """What holds for Redis and for Sentinels."""
    options: dict[str, Any] = {
        "socket_connect_timeout": settings.connect_timeout_s,
        "socket_timeout": settings.connect_timeout_s,
        # Every server knows it; in version 3 replies and messages look different.
        "protocol": 2,
        # A user who may do no more than subscribe is refused what redis-py would tell about itself.
        "driver_info": None,
    }
    if settings.uses_tls:
        files = {"ssl_ca_certs": settings.ca_file, "ssl_certfile": settings.cert_file, "ssl_keyfile": settings.key_file}
        options |= {name: str(file) for name, file in files.items() if file is not None}
    return options


def _where(options: dict[str, Any]) -> str:
    return options.get("path") or f"{options['host']}:{options.get('port', 6379)}"

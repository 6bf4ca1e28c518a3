"""Yields the payloads published on a Redis channel until the connection is lost. I/O: one connection.

redis-py's `PubSub` is not used: when a connection breaks, it silently reconnects and subscribes again, and does not
report that messages were lost in between.
"""

from __future__ import annotations

from collections.abc import Iterator

from sipbridge.adapters.redis.redis_connection import RedisConnection, RedisLost, connection_to_server
from sipbridge.settings.redis import RedisSettings


class RedisSubscription:
    """A subscription that is used once; after a loss, make another."""

    def __init__(self, settings: RedisSettings) -> None:
        self._settings = settings
        self._connection: RedisConnection | None = None

    def open(self) -> str:
        """Subscribe and return the server's address; `payloads` yields every message from now on.

        Raises:
            RedisLost: the server does not answer, or rejects the credentials or the subscription.
        """
        self._connection = connection = connection_to_server(self._settings)
        connection.open()
        answer = connection.ask("SUBSCRIBE", self._settings.channel)
        if not isinstance(answer, list) or answer[:1] != [b"subscribe"]:
            raise RedisLost(f"{connection.where}: not a Redis answer: {answer!r}")
        return connection.where

    def payloads(self) -> Iterator[bytes]:
        """Yield the payload of each published message.

        Raises:
            RedisLost: the connection was lost. A server that does not answer a PING counts as lost.
        """
        settings, connection = self._settings, self._connection
        if connection is None:
            raise RedisLost("not open")
        asked = False
        while True:
            said = connection.receive(settings.ping_timeout_s if asked else settings.ping_interval_s)
            match said:
                case [b"message", _, bytes(payload)]:
                    yield payload
                case None if asked:
                    raise RedisLost(f"{connection.where}: no answer within {settings.ping_timeout_s:g} s")
                case None:
                    connection.send("PING")
            asked = said is None

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self._connection is not None:
            self._connection.close()

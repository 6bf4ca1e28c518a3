"""What is published on a Redis channel becomes payloads, until the connection is lost. I/O: one connection.

redis-py's `PubSub` is not used: when a connection breaks it makes another and subscribes again, and tells nobody that
messages were lost in between.
"""

from __future__ import annotations

from collections.abc import Iterator

from sipbridge.adapters.redis.redis_connection import RedisConnection, RedisLost, connection_to_server
from sipbridge.settings.redis import RedisSettings


class RedisSubscription:
    """A subscription that is used once: open, read payloads, close; and when it is lost, make another."""

    def __init__(self, settings: RedisSettings) -> None:
        self._settings = settings
        self._connection: RedisConnection | None = None

    def open(self) -> str:
        """Subscribe; every message from now on is one of `payloads`. Return the address of the server.

        Raises:
            RedisLost: it is not there, or refuses us.
        """
        self._connection = connection = connection_to_server(self._settings)
        connection.open()
        answer = connection.ask("SUBSCRIBE", self._settings.channel)
        if not isinstance(answer, list) or answer[:1] != [b"subscribe"]:
            raise RedisLost(f"{connection.where}: not an answer of Redis: {answer!r}")
        return connection.where

    def payloads(self) -> Iterator[bytes]:
        """What is published, message by message.

        Raises:
            RedisLost: the connection is lost. A server that says nothing, even when it is asked, counts as gone.
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
        """Close the connection; harmless when there is none."""
        if self._connection is not None:
            self._connection.close()

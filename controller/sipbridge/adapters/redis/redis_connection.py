"""Opens connections to Redis or Sentinels; every failure becomes a `RedisLost`. I/O: one socket per connection.

redis-py implements the connection and the protocol. It uses the standard library's sockets: with gevent's patches,
waiting for Redis does not block other greenlets.
"""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import gevent
import redis
from redis.connection import AbstractConnection, Connection, SSLConnection, UnixDomainSocketConnection, parse_url
from redis.exceptions import AuthenticationError, RedisError

from sipbridge.core.errors import SipBridgeError
from sipbridge.settings.redis import RedisSettings


class RedisLost(SipBridgeError):
    """The connection to Redis failed or was lost; the message never contains the password or user name."""


class RedisConnection:
    """A connection that is used once: open, send, receive, close.

    Args:
        options: in redis-py's terms, with host and port or the path of a UNIX socket.
        timeout_s: longest time for each step of opening the connection.

    Attributes:
        where: the server, for messages, such as ``127.0.0.1:6379``.
    """

    def __init__(self, kind: Callable[..., AbstractConnection], options: Mapping[str, Any], timeout_s: float) -> None:
        self.where: str = options.get("path") or f"{options['host']}:{options['port']}"
        self._timeout_s = timeout_s
        self._secrets = [options[name] for name in ("password", "username") if name in options]
        self._connection: Any = kind(
            socket_connect_timeout=timeout_s,
            socket_timeout=timeout_s,
            # Every server supports version 2; in version 3, messages look different.
            protocol=2,
            # redis-py would announce itself with a command that a user with only subscribe rights may not send.
            driver_info=None,
            **options,
        )

    def open(self) -> None:
        """Connect and authenticate.

        Raises:
            RedisLost: no server answers, or it rejects the credentials.
        """
        with self._telling_why():
            self._connection.connect()

    def send(self, *command: str) -> None:
        """Send a command.

        Raises:
            RedisLost: the connection was lost.
        """
        with self._telling_why():
            self._connection.send_command(*command)

    def receive(self, timeout_s: float) -> Any:
        """Wait for the next message from the server, normally a list; None if nothing arrives in time.

        Raises:
            RedisLost: the connection was lost, or the server reports an error.
        """
        with self._telling_why():
            try:
                return self._connection.read_response(timeout=timeout_s, disconnect_on_error=False)
            except redis.TimeoutError:
                return None

    def ask(self, *command: str) -> Any:
        """Send a command and wait for the answer.

        Raises:
            RedisLost: no answer, or the answer is an error.
        """
        with self._telling_why():
            self._connection.send_command(*command)
            return self._connection.read_response(disconnect_on_error=False)

    def close(self) -> None:
        """Close the connection; does nothing if it is not open."""
        self._connection.disconnect()

    @contextlib.contextmanager
    def _telling_why(self) -> Iterator[None]:
        try:
            yield
        # redis-py raises ValueError or IndexError when it reads something that is not the protocol.
        except (RedisError, OSError, ValueError, IndexError) as error:
            # Not `from error`: the texts of redis-py and of the server may contain the password.
            raise RedisLost(f"{self.where}: {self._why(error)}") from None

    def _why(self, error: Exception) -> str:
        if isinstance(error, redis.TimeoutError):
            return f"no answer within {self._timeout_s:g} s"
        if isinstance(error, AuthenticationError):
            return "the password was rejected" if self._secrets else "a password is required"
        # redis-py's own text would repeat the address.
        if isinstance(cause := error.__context__, OSError):
            return cause.strerror or str(cause)
        text = str(error).rstrip(".")
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text


def connection_to_server(settings: RedisSettings) -> RedisConnection:
    """Create the connection to the server in the settings, not open yet; asks the Sentinels for the address, if any.

    Raises:
        RedisLost: no Sentinel knows the service.
    """
    options = parse_url(settings.url)
    # Channels do not belong to a database, and selecting one may be refused.
    options.pop("db", None)
    if settings.password:
        options["password"] = settings.password
    # The URL's own class is used only for a UNIX socket; the one for TLS is replaced below.
    if options.pop("connection_class", None) is UnixDomainSocketConnection:
        return RedisConnection(UnixDomainSocketConnection, options, settings.connect_timeout_s)
    options.setdefault("port", 6379)
    if settings.sentinels:
        options["host"], options["port"] = _find_master(settings)
    return _network_connection(settings, options)


def _find_master(settings: RedisSettings) -> tuple[str, int]:
    said = []
    for host, port in settings.sentinel_addresses:
        with contextlib.closing(_network_connection(settings, {"host": host, "port": port})) as sentinel:
            try:
                sentinel.open()
                answer = sentinel.ask("SENTINEL", "GET-MASTER-ADDR-BY-NAME", settings.sentinel_service)
            except RedisLost as lost:
                said.append(str(lost))
                continue
        match answer:
            case [bytes(master), bytes(number)] if number.isdigit():
                return master.decode("ascii", "replace"), int(number)
        said.append(f"{sentinel.where}: unknown service")
    raise RedisLost(f"no Sentinel knows {settings.sentinel_service}: {'; '.join(said)}")


def _network_connection(settings: RedisSettings, options: Mapping[str, Any]) -> RedisConnection:
    if not settings.uses_tls:
        return RedisConnection(Connection, options, settings.connect_timeout_s)
    files = {"ssl_ca_certs": settings.ca_file, "ssl_certfile": settings.cert_file, "ssl_keyfile": settings.key_file}
    return RedisConnection(_TlsConnection, {**options, **files}, settings.connect_timeout_s)


class _TlsConnection(SSLConnection):
    """Loads certificates in a native thread: the system's take 40 ms, which would delay calls."""

    def _wrap_socket_with_ssl(self, sock: Any) -> Any:
        context = gevent.get_hub().threadpool.apply(_tls_context, (self.ca_certs, self.certfile, self.keyfile))
        if isinstance(context, OSError):
            raise context
        return context.wrap_socket(sock, server_hostname=self.host)


def _tls_context(ca_file: Path | None, cert_file: Path | None, key_file: Path | None) -> ssl.SSLContext | OSError:
    """Create a context that verifies certificate and host name. Returns errors, because gevent prints raised ones."""
    try:
        context = ssl.create_default_context(cafile=ca_file)
        if cert_file is not None:
            context.load_cert_chain(cert_file, key_file)
    except OSError as error:
        return error
    return context

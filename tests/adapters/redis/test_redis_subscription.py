"""One subscription: to every kind of Redis, and the errors for one that cannot be used."""

from __future__ import annotations

import itertools
import json
import socket
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from sipbridge.adapters.redis.redis_connection import RedisLost
from sipbridge.adapters.redis.redis_subscription import RedisSubscription
from sipbridge.settings.redis import RedisSettings
from support.processes import free_tcp_port
from support.redis_server import OPENSSL, PROGRAM, Certificate, Impostor, RedisServer, killed_at_the_end

CHANNEL = RedisSettings().channel
USER = "sipbridge"
PASSWORD = "Mellon/#@:?%'"
QUOTED = quote(PASSWORD, safe="")
needs_redis = pytest.mark.skipif(PROGRAM is None, reason="no redis-server on the PATH")
needs_openssl = pytest.mark.skipif(OPENSSL is None, reason="no openssl on the PATH")


@contextmanager
def subscribed(**settings: Any) -> Iterator[RedisSubscription]:
    with closing(RedisSubscription(RedisSettings(**{"connect_timeout_s": 1.0, **settings}))) as subscription:
        subscription.open()
        yield subscription


def why_not(**settings: Any) -> str:
    """Why there is no subscription; the server's address is left out."""
    with pytest.raises(RedisLost) as caught, subscribed(**settings):
        pass
    assert PASSWORD not in "".join(traceback.format_exception(caught.value))
    return str(caught.value).partition(": ")[2] or str(caught.value)


@pytest.fixture(scope="module")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A Redis with a password, and with a user who may subscribe to the one channel and do nothing else."""
    server = RedisServer(tmp_path_factory.mktemp("redis"), password=PASSWORD)
    with killed_at_the_end(server):
        server.execute(
            "ACL", "SETUSER", USER, "on", f">{PASSWORD}", "resetchannels", f"&{CHANNEL}", "+subscribe", "+ping"
        )
        yield server


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return Certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture(scope="module")
def tls_server(tmp_path_factory: pytest.TempPathFactory, certificate: Certificate) -> Iterator[RedisServer]:
    """A Redis that wants to see a certificate."""
    directory = tmp_path_factory.mktemp("tls")
    with killed_at_the_end(RedisServer(directory, certificate=certificate, more={"tls-auth-clients": "yes"})) as server:
        yield server


@needs_redis
class TestKindsOfServers:
    """What is published comes."""

    @pytest.mark.parametrize(
        "url",
        [
            pytest.param("redis://127.0.0.1:{port}", id="password apart"),
            pytest.param("redis://127.0.0.1:{port}/3", id="a database"),
            pytest.param("redis://sipbridge@127.0.0.1:{port}/0", id="user"),
            pytest.param("unix://{unix_socket}", id="unix"),
            pytest.param("unix://sipbridge@{unix_socket}", id="unix, user"),
        ],
    )
    def test_url(self, redis_server: RedisServer, url: str) -> None:
        url = url.format(port=redis_server.port, unix_socket=redis_server.unix_socket)
        with subscribed(url=url, password=PASSWORD) as subscription:
            self.check(redis_server, subscription)

    @pytest.mark.parametrize("user", ["", USER], ids=["no user", "user"])
    def test_password_in_the_url(self, redis_server: RedisServer, user: str) -> None:
        with subscribed(url=f"redis://{user}:{QUOTED}@127.0.0.1:{redis_server.port}") as subscription:
            self.check(redis_server, subscription)

    @needs_openssl
    def test_tls(self, tls_server: RedisServer, certificate: Certificate) -> None:
        files = {"ca_file": certificate.file, "cert_file": certificate.file, "key_file": certificate.key_file}
        with subscribed(url=f"rediss://localhost:{tls_server.port}", **files) as subscription:
            self.check(tls_server, subscription)

    @staticmethod
    def check(server: RedisServer, subscription: RedisSubscription) -> None:
        payloads = [b"", b"a\r\nb", b"\xff", b"x" * 200_000, json.dumps({"username": "alice"}).encode()]
        assert server.publish(CHANNEL, payloads) == len(payloads)
        assert list(itertools.islice(subscription.payloads(), len(payloads))) == payloads


@needs_redis
class TestRefused:
    """Why, in a few words."""

    @pytest.mark.parametrize(
        ("userinfo", "password", "why"),
        [
            pytest.param("", "", "a password is required", id="no password"),
            pytest.param("", "wrong", "the password was rejected", id="wrong password"),
            pytest.param("nobody@", PASSWORD, "the password was rejected", id="unknown user"),
        ],
    )
    def test_password(self, redis_server: RedisServer, userinfo: str, password: str, why: str) -> None:
        assert why_not(url=f"redis://{userinfo}127.0.0.1:{redis_server.port}", password=password) == why

    def test_channel(self, redis_server: RedisServer) -> None:
        url = f"redis://{USER}:{QUOTED}@127.0.0.1:{redis_server.port}"
        assert "permission" in why_not(url=url, channel="another")

    @needs_openssl
    def test_tls(self, tls_server: RedisServer, certificate: Certificate, tmp_path: Path) -> None:
        url, trusted = f"rediss://localhost:{tls_server.port}", certificate.file
        assert "certificate verify failed" in why_not(url=url)
        assert "certificate verify failed" in why_not(url=url, ca_file=Certificate(tmp_path).file)
        assert "mismatch" in why_not(url=f"rediss://127.0.0.1:{tls_server.port}", ca_file=trusted)
        assert why_not(url=url, ca_file=trusted)  # Redis wants to see ours; what is said depends on OpenSSL
        assert why_not(url=url, ca_file=tmp_path / "none") == "No such file or directory"
        assert why_not(url=f"redis://localhost:{tls_server.port}")

    def test_no_tls(self, redis_server: RedisServer) -> None:
        # It waits for the end of what it takes for a command.
        url = f"rediss://127.0.0.1:{redis_server.port}"
        assert why_not(url=url, connect_timeout_s=0.2) == "no answer within 0.2 s"


def replies(*texts: bytes) -> Callable[[socket.socket], None]:
    """A server that answers each thing it reads with the next of these, and hangs up."""

    def serve(client: socket.socket) -> None:
        for text in texts:
            client.recv(1024)
            client.sendall(text)
        client.shutdown(socket.SHUT_RDWR)

    return serve


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        pytest.param(b"", "Connection closed by server", id="hangs up"),
        pytest.param(b"HTTP/1.1 400 Bad Request\r\n\r\n", "Protocol Error: b'HTTP/1.1 400 Bad Request'", id="HTTP"),
        pytest.param(b"*x\r\n", "invalid literal for int() with base 10: b'x'", id="no number"),
        pytest.param(b"+OK\r\n", "not a Redis answer: b'OK'", id="something else"),
        pytest.param(b"*0\r\n", "not a Redis answer: []", id="empty"),
        pytest.param(b"*2\r\n$4\r\npong\r\n$0\r\n\r\n", "not a Redis answer: [b'pong'", id="another reply"),
        pytest.param(b"-LOADING Redis is loading the dataset in memory\r\n", "Redis is loading", id="loading"),
        pytest.param(b"-ERR max number of clients reached\r\n", "max number of clients reached", id="full"),
    ],
)
def test_what_is_no_subscription(reply: bytes, why: str) -> None:
    with closing(Impostor(replies(reply))) as impostor:
        assert why_not(url=f"redis://{impostor.address}").startswith(why)


def test_nobody_is_there(tmp_path: Path) -> None:
    assert why_not(url=f"redis://127.0.0.1:{free_tcp_port()}") == "Connection refused"
    assert why_not(url=f"unix://{tmp_path}/none") == "No such file or directory"
    assert why_not(url="redis://no-such-host.invalid")


def test_one_who_says_nothing() -> None:
    with closing(Impostor(lambda client: None)) as silent:
        for user in ("", ":Mellon@"):
            assert why_not(url=f"redis://{user}{silent.address}", connect_timeout_s=0.2) == "no answer within 0.2 s"


def test_a_ping_that_is_not_answered_is_the_end() -> None:
    confirms = b"*3\r\n$9\r\nsubscribe\r\n$1\r\nx\r\n:1\r\n"

    def serve(client: socket.socket) -> None:
        client.recv(1024)
        client.sendall(confirms)

    began = time.monotonic()
    with (
        closing(Impostor(serve)) as silent,
        subscribed(url=f"redis://{silent.address}", ping_interval_s=0.2, ping_timeout_s=0.1) as subscription,
        pytest.raises(RedisLost, match=r"no answer within 0\.1 s"),
    ):
        next(subscription.payloads())
    assert time.monotonic() - began >= 0.3


def test_neither_password_nor_user_is_shown_even_where_the_server_repeats_them() -> None:
    echo = f"-ERR unknown command 'AUTH', with args beginning with: '{USER}' '{PASSWORD}' \r\n".encode()
    with closing(Impostor(replies(echo))) as proxy:
        said = why_not(url=f"redis://{USER}:{QUOTED}@{proxy.address}")
    assert said == "unknown command 'AUTH', with args beginning with: '***' '***' "


class TestSentinels:
    """What is said when none of them knows the master."""

    def test_nobody_is_there(self) -> None:
        port = free_tcp_port()
        said = why_not(url="redis://Jabiru", sentinels=f"127.0.0.1:{port}, 127.0.0.1:{port}")
        refused = f"127.0.0.1:{port}: Connection refused"
        assert said == f"{refused}; {refused}"

    def test_they_do_not_know_it(self) -> None:
        with closing(Impostor(replies(b"*-1\r\n"))) as sentinel:
            assert why_not(url="redis://Jabiru", sentinels=sentinel.address) == f"{sentinel.address}: unknown service"

    def test_the_one_they_name_is_gone(self) -> None:
        port = str(free_tcp_port()).encode()
        with closing(Impostor(replies(b"*2\r\n$9\r\n127.0.0.1\r\n$%d\r\n%s\r\n" % (len(port), port)))) as sentinel:
            assert why_not(url="redis://Jabiru", sentinels=sentinel.address) == "Connection refused"

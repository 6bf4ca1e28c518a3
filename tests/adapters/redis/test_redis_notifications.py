"""Notifications from a real Redis, in a program patched like the daemon: none is lost without being reported."""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from sipbridge.adapters.redis.redis_notifications import RedisNotifications
from sipbridge.core.accounts.account_notification import AccountNotification
from sipbridge.settings.redis import RedisSettings
from support.processes import Program, free_tcp_port, wait_until
from support.redis_server import OPENSSL, PROGRAM, Certificate, Impostor, RedisSentinel, RedisServer, killed_at_the_end

CHANNEL = RedisSettings().channel
PASSWORD = "Mellon/#@:?"
needs_redis = pytest.mark.skipif(PROGRAM is None, reason="no redis-server on the PATH")
needs_openssl = pytest.mark.skipif(OPENSSL is None, reason="no openssl on the PATH")


class Listener:
    """The program, with settings such as ``url="redis://…"``; those for time are short unless they are given."""

    def __init__(self, output: Path, **settings: object) -> None:
        short = {"connect_timeout_s": 2, "ping_interval_s": 0.3, "ping_timeout_s": 0.3}
        given = {**short, "backoff_min_s": 0.05, "backoff_max_s": 0.2, **settings}
        environment = {f"SIPBRIDGE_REDIS__{name.upper()}": str(value) for name, value in given.items()}
        environment["PYTHONPATH"] = os.pathsep.join(sys.path)
        command = [sys.executable, "-m", "gevent.monkey", str(Path(__file__).with_name("redis_listener.py"))]
        self._program = Program(command, output, environment)

    def told(self, *kinds: str) -> list[list[Any]]:
        """What it was told so far; of some kinds only."""
        lines = [line for line in self.log().splitlines(keepends=True) if line.startswith("[") and line.endswith("\n")]
        everything = [json.loads(line) for line in lines]
        return [one for one in everything if not kinds or one[0] in kinds]

    def changed(self) -> list[str]:
        """The users that were said to have changed."""
        return [user for _, user, _, _ in self.told("changed")]

    def wait_for(self, *kinds: str) -> None:
        """Wait until these are the first things that it was told of the connection."""
        wait_until(f"{kinds}", lambda: self._connection_told()[: len(kinds)] == list(kinds))

    def log(self) -> str:
        return self._program.text()

    def stop(self) -> float:
        """Stop it; the longest time that it held up the hub, in milliseconds."""
        assert self._program.terminate(timeout_s=5) == 0, self.log()
        kind, in_order, longest_ms = self.told()[-1]
        assert (kind, in_order) == ("stopped", True), self.log()
        return float(longest_ms)

    def kill(self) -> None:
        self._program.kill()

    def _connection_told(self) -> list[str]:
        assert self._program.is_running, self.log()
        return [one[0] for one in self.told("up", "down")]


Listen = Callable[..., Listener]


@pytest.fixture
def listen(tmp_path: Path) -> Iterator[Listen]:
    """Starts the program."""
    started = []

    def listen(**settings: object) -> Listener:
        started.append(Listener(tmp_path / "listener.txt", **settings))
        return started[-1]

    yield listen
    for listener in started:
        listener.kill()


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path / "redis")
    yield server
    server.kill()


def url(server: RedisServer) -> str:
    return f"redis://127.0.0.1:{server.port}/0"


def message(user: str, identifier: object = 7) -> str:
    return json.dumps({"username": user, "domain": "jabiru.example.org", "identifier": identifier})


@needs_redis
class TestWithRedis:
    """What comes, and what is lost."""

    def test_a_burst_comes_whole_and_in_order_and_holds_up_nobody(
        self, redis_server: RedisServer, listen: Listen
    ) -> None:
        listener = listen(url=url(redis_server))
        listener.wait_for("up")
        users = [f"user{number}" for number in range(10_000)]
        assert redis_server.publish(CHANNEL, map(message, users)) == len(users)
        wait_until("all came", lambda: len(listener.changed()) >= len(users))
        assert listener.changed() == users
        assert listener.stop() < 20
        assert listener.told("up", "down") == [["up"]]

    def test_what_is_no_notification_is_logged_once_and_dropped(
        self, redis_server: RedisServer, listen: Listen
    ) -> None:
        listener = listen(url=url(redis_server))
        listener.wait_for("up")
        odd = [b"", b"\xff\x00\r\n", b"null", b'{"username": "eve"}', b"x" * 100_000, b"[" * 4000]
        redis_server.publish(CHANNEL, [message("alice"), *odd, message("bob", "7'")])
        wait_until("the last one came", lambda: "bob" in listener.changed())
        listener.stop()
        assert listener.told("changed") == [
            ["changed", "alice", "jabiru.example.org", "7"],
            ["changed", "bob", "jabiru.example.org", "7'"],
        ]
        said = [line for line in listener.log().splitlines() if line.startswith("WARNING")]
        assert len(said) == len(odd)
        assert max(map(len, said)) < 300

    def test_another_channel(self, redis_server: RedisServer, listen: Listen) -> None:
        listener = listen(url=url(redis_server), channel="accounts:é")
        listener.wait_for("up")
        redis_server.publish(CHANNEL, [message("eve")])
        redis_server.publish("accounts:é", [message("alice")])
        wait_until("it came", listener.changed)
        assert listener.changed() == ["alice"]

    def test_a_server_that_is_killed_and_started_again(self, redis_server: RedisServer, listen: Listen) -> None:
        listener = listen(url=url(redis_server))
        listener.wait_for("up")
        for times in (1, 2):
            redis_server.kill()
            listener.wait_for(*["up", "down"] * times)
            redis_server.start()
            listener.wait_for(*["up", "down"] * times, "up")
            redis_server.publish(CHANNEL, [message(f"user{times}")])
            wait_until("it came", lambda times=times: listener.changed() == ["user1", "user2"][:times])

    def test_a_client_that_is_disconnected_by_the_server(self, redis_server: RedisServer, listen: Listen) -> None:
        listener = listen(url=url(redis_server))
        listener.wait_for("up")
        redis_server.execute("CLIENT", "KILL", "TYPE", "pubsub")
        listener.wait_for("up", "down", "up")
        assert "closed" in listener.told("down")[0][1]

    def test_a_server_that_comes_later(self, redis_server: RedisServer, listen: Listen) -> None:
        redis_server.kill()
        listener = listen(url=url(redis_server))
        listener.wait_for("down")
        assert listener.told() == [["down", f"127.0.0.1:{redis_server.port}: Connection refused"]]
        redis_server.start()
        listener.wait_for("down", "up")

    def test_a_server_that_is_there_and_says_nothing(self, redis_server: RedisServer, listen: Listen) -> None:
        listener = listen(url=url(redis_server), connect_timeout_s=0.2)
        listener.wait_for("up")
        redis_server.freeze()
        listener.wait_for("up", "down")
        assert listener.told("down")[0][1].endswith("no answer within 0.3 s")
        # Its kernel still takes connections.
        wait_until("it was tried again", lambda: "no answer within 0.2 s" in listener.log())
        redis_server.thaw()
        listener.wait_for("up", "down", "up")

    def test_silence_is_no_loss_as_long_as_pings_are_answered(self, redis_server: RedisServer, listen: Listen) -> None:
        listener = listen(url=url(redis_server), ping_interval_s=0.1)
        listener.wait_for("up")
        redis_server.execute("CONFIG", "RESETSTAT")
        wait_until("pings", lambda: "cmdstat_ping" in redis_server.execute("INFO", "commandstats"))
        wait_until("more", lambda: redis_server.execute("INFO", "commandstats")["cmdstat_ping"]["calls"] > 5)
        assert listener.told() == [["up"]]

    def test_a_wrong_password_then_the_right_one(self, redis_server: RedisServer, listen: Listen) -> None:
        redis_server.set_password("another")
        listener = listen(url=url(redis_server), password=PASSWORD)
        listener.wait_for("down")
        assert listener.told() == [["down", f"127.0.0.1:{redis_server.port}: the password was rejected"]]
        redis_server.set_password(PASSWORD)
        listener.wait_for("down", "up")
        listener.stop()
        assert PASSWORD not in listener.log()

    @needs_openssl
    def test_tls(self, tmp_path: Path, listen: Listen) -> None:
        certificate = Certificate(tmp_path / "certificate")
        with killed_at_the_end(RedisServer(tmp_path / "tls", certificate=certificate)) as server:
            listener = listen(url=f"rediss://localhost:{server.port}", ca_file=certificate.file, ping_interval_s=0.1)
            listener.wait_for("up")
            users = [f"user{number}" for number in range(2_000)]
            server.publish(CHANNEL, map(message, users))
            wait_until("all came", lambda: len(listener.changed()) >= len(users))
            assert listener.changed() == users
            server.freeze()
            listener.wait_for("up", "down")
            server.thaw()
            listener.wait_for("up", "down", "up")
            assert listener.stop() < 20

    @needs_openssl
    def test_the_certificates_of_the_system_are_read_and_hold_up_nobody(self, tmp_path: Path, listen: Listen) -> None:
        certificate = Certificate(tmp_path / "certificate")
        with killed_at_the_end(RedisServer(tmp_path / "tls", certificate=certificate)) as server:
            listener = listen(url=f"rediss://localhost:{server.port}")
            listener.wait_for("down")
            assert "certificate verify failed" in listener.told("down")[0][1]
            assert listener.stop() < 20

    def test_sentinels_tell_which_server_is_the_master(self, tmp_path: Path, listen: Listen) -> None:
        diskless = {"repl-diskless-sync-delay": "0"}
        with killed_at_the_end(RedisServer(tmp_path / "a", more=diskless)) as first:
            replica_of = {**diskless, "replicaof": f"127.0.0.1 {first.port}"}
            with killed_at_the_end(RedisServer(tmp_path / "b", more=replica_of)) as second:
                wait_until("b copies a", lambda: second.execute("INFO", "replication")["master_link_status"] == "up")
                sentinel = RedisSentinel(tmp_path / "sentinel", "Jabiru", first)
                with killed_at_the_end(sentinel):
                    nobody = free_tcp_port()
                    sentinels = f"127.0.0.1:{nobody}, 127.0.0.1:{sentinel.port}"
                    listener = listen(url="redis://Jabiru", sentinels=sentinels)
                    listener.wait_for("up")
                    first.publish(CHANNEL, [message("alice")])
                    wait_until("it came", listener.changed)
                    first.kill()
                    listener.wait_for("up", "down", "up")
                    second.publish(CHANNEL, [message("bob")])
                    wait_until("it came", lambda: listener.changed() == ["alice", "bob"])

    @pytest.mark.parametrize("moment", ["subscribed", "in a burst", "waiting to try again"])
    def test_stop(self, redis_server: RedisServer, listen: Listen, moment: str) -> None:
        listener = listen(url=url(redis_server), ping_interval_s=60, backoff_min_s=60, backoff_max_s=60)
        listener.wait_for("up")
        publisher = threading.Thread(target=redis_server.publish, args=(CHANNEL, map(message, ["alice"] * 50_000)))
        if moment == "in a burst":
            publisher.start()
            wait_until("it began", listener.changed, poll_s=0.001)
        elif moment == "waiting to try again":
            redis_server.kill()
            listener.wait_for("up", "down")
        listener.stop()
        assert len(listener.told("down")) == (moment == "waiting to try again")
        if moment == "in a burst":
            publisher.join()
            assert len(listener.changed()) < 50_000


def test_stop_while_it_connects(listen: Listen) -> None:
    with closing(Impostor(lambda client: None)) as silent:
        listener = listen(url=f"redis://{silent.address}", connect_timeout_s=60)
        wait_until("it connected", lambda: silent.accepted)
        listener.stop()
        assert listener.told("up", "down") == []


def test_stop_before_it_runs() -> None:
    told: list[object] = []

    class Noting:
        def on_notifications_up(self) -> None:
            told.append("up")

        def on_notifications_down(self, reason: str) -> None:
            told.append(reason)

        def on_notification(self, notification: AccountNotification) -> None:
            told.append(notification)

    notifications = RedisNotifications(RedisSettings(url=f"redis://127.0.0.1:{free_tcp_port()}"), Noting())
    notifications.stop()
    notifications.run()
    assert told == []


def test_a_server_that_drops_us_again_and_again_is_tried_less_and_less_often(listen: Listen) -> None:
    def drop(client: socket.socket) -> None:
        client.recv(1024)
        client.sendall(b"*3\r\n$9\r\nsubscribe\r\n$1\r\nx\r\n:1\r\n")
        client.close()

    with closing(Impostor(drop)) as fickle:
        listener = listen(url=f"redis://{fickle.address}", backoff_min_s=0.1, backoff_max_s=30)
        listener.wait_for(*["up", "down"] * 4)
        wait_until("tried once more", lambda: len(fickle.accepted) == 5)
    pauses = [after - before for before, after in zip(fickle.accepted, fickle.accepted[1:], strict=False)]
    for pause, least_s in zip(pauses, [0.05, 0.1, 0.2, 0.4], strict=True):
        assert pause >= least_s


def test_a_loss_that_lasts_is_told_once_and_logged_twice(listen: Listen) -> None:
    listener = listen(url=f"redis://127.0.0.1:{free_tcp_port()}", backoff_max_s=0.05)
    wait_until("it lasts", lambda: listener.log().count("Connection refused") == 3)
    listener.stop()
    assert len(listener.told("down")) == 1
    assert listener.log().count("ERROR") == 2

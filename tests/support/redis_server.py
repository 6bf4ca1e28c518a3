"""A real Redis, alone or watched by a Sentinel, on free loopback ports. I/O: processes and their files."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import redis

from support.processes import Program, free_tcp_port, wait_until

PROGRAM = shutil.which("redis-server")
OPENSSL = shutil.which("openssl")


class Certificate:
    """A certificate that is signed by itself, for the host name ``localhost`` and nothing else.

    Attributes:
        file: the certificate, which is its own authority.
        key_file: its key.
    """

    def __init__(self, directory: Path) -> None:
        directory.mkdir(exist_ok=True)
        self.file = directory / "certificate.pem"
        self.key_file = directory / "key.pem"
        command = [
            OPENSSL or "openssl",
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
        ]
        command += ["-subj", "/CN=a test", "-addext", "subjectAltName=DNS:localhost"]
        command += ["-out", str(self.file), "-keyout", str(self.key_file)]
        subprocess.run(command, check=True, capture_output=True)


class RedisServer:
    """A Redis that runs.

    Args:
        directory: for its files; made if it is not there.
        password: that clients must give.
        certificate: makes it speak TLS on its port, and nothing else.
        more: of its own settings: ``{"tls-auth-clients": "yes"}``.

    Attributes:
        port: on 127.0.0.1; it stays the same.
        unix_socket: where it listens as well.
    """

    def __init__(
        self,
        directory: Path,
        *,
        password: str = "",
        certificate: Certificate | None = None,
        more: Mapping[str, str] | None = None,
    ) -> None:
        directory.mkdir(exist_ok=True)
        self.port = free_tcp_port()
        # Not below `directory`: the path of a UNIX socket is 107 bytes at most.
        self.unix_socket = Path(tempfile.gettempdir()) / f"sipbridge-test-redis-{self.port}.sock"
        self._password = password
        self._output = directory / "redis.txt"
        settings = {"bind": "127.0.0.1", "port": self.port, "unixsocket": self.unix_socket, "save": '""'}
        if password:
            settings["requirepass"] = f'"{password}"'
        if certificate is not None:
            settings |= {"port": 0, "tls-port": self.port, "tls-auth-clients": "no"}
            settings |= {"tls-cert-file": certificate.file, "tls-key-file": certificate.key_file}
            settings["tls-ca-cert-file"] = certificate.file
        self._configuration = _write_configuration(directory, {**settings, **(more or {})})
        self.start()

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self._program = Program([PROGRAM or "redis-server", str(self._configuration)], self._output)
        wait_until("Redis answers", self._answers)

    def kill(self) -> None:
        """End it at once, as ``kill -9`` does."""
        self._program.kill()
        self.unix_socket.unlink(missing_ok=True)

    def freeze(self) -> None:
        """Let it do nothing, with its connections open."""
        os.kill(self._program.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        os.kill(self._program.pid, signal.SIGCONT)

    def set_password(self, password: str) -> None:
        """Ask for another password from now on."""
        self.execute("CONFIG", "SET", "requirepass", password)
        self._password = password

    def execute(self, *command: object) -> Any:
        """The answer to a command."""
        with self._client() as client:
            return client.execute_command(*command)

    def publish(self, channel: str, payloads: Iterable[str | bytes]) -> int:
        """Publish messages at once; how many of them reached somebody."""
        with self._client() as client, client.pipeline(transaction=False) as pipeline:
            for payload in payloads:
                pipeline.publish(channel, payload)
            return sum(pipeline.execute())

    def _client(self) -> redis.Redis:
        # Over the UNIX socket, which has no TLS.
        return redis.Redis(unix_socket_path=str(self.unix_socket), password=self._password or None)

    def _answers(self) -> bool:
        if not self._program.is_running:
            raise AssertionError(f"Redis did not start: {self._program.text()}")
        try:
            return bool(self.execute("PING"))
        except redis.ConnectionError:
            return False


class RedisSentinel:
    """A Sentinel that runs, knows the one replica of a master, and puts it in its place soon.

    Args:
        directory: for its files; made if it is not there.
        service: how it calls the master.
    """

    def __init__(self, directory: Path, service: str, master: RedisServer) -> None:
        directory.mkdir(exist_ok=True)
        self.port = free_tcp_port()
        configuration = _write_configuration(directory, {"bind": "127.0.0.1", "port": self.port})
        with configuration.open("a") as file:
            file.write(f"sentinel monitor {service} 127.0.0.1 {master.port} 1\n")
            file.write(f"sentinel down-after-milliseconds {service} 300\n")
        command = [PROGRAM or "redis-server", str(configuration), "--sentinel"]
        self._program = Program(command, directory / "sentinel.txt")
        wait_until("the Sentinel knows the replica", lambda: self._knows_replica(service))

    def kill(self) -> None:
        """End it at once."""
        self._program.kill()

    def _knows_replica(self, service: str) -> bool:
        if not self._program.is_running:
            raise AssertionError(f"the Sentinel did not start: {self._program.text()}")
        try:
            with redis.Redis(port=self.port) as client:
                return bool(client.sentinel_master(service)["num-slaves"])
        except redis.ConnectionError:
            return False


_Server = TypeVar("_Server", RedisServer, RedisSentinel)


@contextlib.contextmanager
def killed_at_the_end(server: _Server) -> Iterator[_Server]:
    """A server for the time of a block."""
    try:
        yield server
    finally:
        server.kill()


class Impostor:
    """Listens where a Redis could, and does with each client what a test says. It runs in a thread.

    Attributes:
        accepted: when each client came, on the monotonic clock.
    """

    def __init__(self, serve: Callable[[socket.socket], object]) -> None:
        self.accepted: list[float] = []
        self._serve = serve
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._clients: list[socket.socket] = []
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    @property
    def address(self) -> str:
        """``127.0.0.1:port``."""
        return f"127.0.0.1:{self._listening.getsockname()[1]}"

    def close(self) -> None:
        """Hang up on everybody."""
        self._listening.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        for sock in (self._listening, *self._clients):
            sock.close()

    def _run(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:  # it is closed
                return
            self.accepted.append(time.monotonic())
            self._clients.append(client)
            self._serve(client)


def _write_configuration(directory: Path, settings: Mapping[str, object]) -> Path:
    # A file, because a Sentinel writes what it learns into its own.
    file = directory / "redis.conf"
    file.write_text("".join(f"{name} {value}\n" for name, value in {**settings, "dir": directory}.items()))
    return file

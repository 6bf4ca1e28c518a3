"""MariaDB on a free loopback port, its files in a folder of the tests. I/O: a process."""

from __future__ import annotations

import contextlib
import getpass
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import pymysql

from support.processes import Program, free_tcp_port, wait_until

# Debian has the server where only root's PATH leads.
_PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin"])
PROGRAM = shutil.which("mariadbd", path=_PATH)
_INSTALL = shutil.which("mariadb-install-db", path=_PATH)

# What is written has to outlive the program, but not the machine.
_FAST = (
    "--skip-log-bin",
    "--skip-innodb-doublewrite",
    "--innodb-flush-log-at-trx-commit=2",
    "--innodb-buffer-pool-size=32M",
    "--innodb-log-file-size=8M",
    "--performance-schema=OFF",
    "--skip-name-resolve",
    "--character-set-server=utf8mb4",
)


class MariaDb:
    """A MariaDB that runs, with an empty database ``accounts``; ``root`` needs no password.

    Args:
        directory: for its files; made if it is not there.

    Attributes:
        port: where it listens on 127.0.0.1.
        socket: the UNIX socket where it listens as well.
    """

    def __init__(self, directory: Path) -> None:
        directory.mkdir(exist_ok=True)
        self.port = free_tcp_port()
        self.socket = directory / "s"  # short, because the path of a UNIX socket is 107 bytes at most
        self._directory = directory
        self._datadir = directory / "data"
        self._install()
        self.start()
        self.execute("CREATE DATABASE accounts", database=None)

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self._program = Program(
            [
                PROGRAM or "mariadbd",
                "--no-defaults",
                f"--datadir={self._datadir}",
                f"--user={getpass.getuser()}",
                f"--port={self.port}",
                "--bind-address=127.0.0.1",
                f"--socket={self.socket}",
                f"--pid-file={self._directory / 'pid'}",
                *_FAST,
            ],
            self._directory / "mariadb.txt",
        )
        wait_until("MariaDB answers", self._answers, timeout_s=60)

    def kill(self) -> None:
        """End it at once, as ``kill -9`` does."""
        self._program.kill()

    def execute(
        self, statement: str, rows: Sequence[Sequence[object]] | None = None, *, database: str | None = "accounts"
    ) -> None:
        """Run a statement as root; with `rows`, once for each of them."""
        with self._connect(database) as connection:
            with connection.cursor() as cursor:
                if rows is None:
                    cursor.execute(statement)
                else:
                    cursor.executemany(statement, rows)
            connection.commit()

    @contextlib.contextmanager
    def locked(self, table: str) -> Iterator[None]:
        """Let nobody else read or write a table."""
        with self._connect("accounts") as connection, connection.cursor() as cursor:
            cursor.execute(f"LOCK TABLES {table} WRITE")
            yield

    def query(self, query: str, *, database: str | None = "accounts") -> Sequence[Sequence[object]]:
        """The rows of a query, as root."""
        with self._connect(database) as connection, connection.cursor() as cursor:
            cursor.execute(query)
            return cursor.fetchall()

    def _install(self) -> None:
        command = [
            _INSTALL or "mariadb-install-db",
            "--no-defaults",
            f"--datadir={self._datadir}",
            f"--user={getpass.getuser()}",
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
            "--skip-name-resolve",
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise AssertionError(f"mariadb-install-db failed: {done.stdout}{done.stderr}")

    def _connect(self, database: str | None) -> pymysql.Connection[pymysql.cursors.Cursor]:
        return pymysql.connect(host="127.0.0.1", port=self.port, user="root", database=database)

    def _answers(self) -> bool:
        if not self._program.is_running:
            raise AssertionError(f"MariaDB did not start: {self._program.text()}")
        try:
            self.execute("SELECT 1", database=None)
        except pymysql.OperationalError:
            return False
        return True

"""``sipbridge run`` as a service: systemd notifications, log, and exit."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from daemon_examples import PROVIDERS

from support.processes import Program, free_tcp_port, wait_until


class Service:
    """The daemon, and the manager that has started it."""

    def __init__(self, folder: Path, settings: str = "", watchdog_s: float = 1.0) -> None:
        self.told: list[str] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(folder / "notify"))
        self._socket.setblocking(False)
        self.providers_file = folder / "providers.json"
        self.providers_file.write_text(json.dumps(PROVIDERS))
        self.settings = folder / "sipbridge.toml"
        self.settings.write_text(
            f"""
            providers_file = "providers.json"
            [event_socket]
            port = {free_tcp_port()}
            password = "nobody-listens"
            [gateways]
            spool_file = "gateways.xml"
            unregister_timeout_s = 3
            [control]
            socket = "control.sock"
            [calls]
            drain_timeout_s = 4
            {settings}
            """
        )
        self.settings.chmod(0o600)
        command = [sys.executable, "-m", "sipbridge", "run", "--settings", str(self.settings)]
        environ = {"NOTIFY_SOCKET": str(folder / "notify"), "WATCHDOG_USEC": str(int(watchdog_s * 1e6))}
        self.program = Program(command, folder / "output.txt", environ)

    def wait_for(self, message: str, *, count: int = 1) -> None:
        """Wait until the manager has been told something that begins so."""

        def is_told() -> bool:
            self._read()
            return sum(told.startswith(message) for told in self.told) >= count

        wait_until(f"told {message!r} ({self.told[-5:]}, {self.program.text()[-500:]})", is_told, timeout_s=60)

    def signs_of_life(self) -> int:
        self._read()
        return self.told.count("WATCHDOG=1")

    def close(self) -> None:
        self.program.kill()
        self._socket.close()

    def _read(self) -> None:
        while True:
            try:
                self.told.append(self._socket.recv(4096).decode())
            except BlockingIOError:
                return


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    made = Service(tmp_path, "[http]\nport = 0")
    yield made
    made.close()


def test_systemd_is_told_what_it_does(service: Service) -> None:
    service.wait_for("READY=1")
    service.wait_for("STATUS=not ready: ")
    service.wait_for("WATCHDOG=1", count=2)
    os.kill(service.program.pid, signal.SIGHUP)
    service.wait_for("RELOADING=1\nMONOTONIC_USEC=")
    service.wait_for("READY=1", count=2)
    os.kill(service.program.pid, signal.SIGTERM)
    # What it may need, and something more.
    service.wait_for("STOPPING=1\nEXTEND_TIMEOUT_USEC=12000000")
    assert service.program.wait(30) == 0
    first = next(told for told in service.told if told != "WATCHDOG=1")
    assert first == "READY=1"


def test_a_file_with_errors_is_not_reloaded_and_it_is_ready_all_the_same(service: Service) -> None:
    service.wait_for("READY=1")
    service.providers_file.write_text("{")
    os.kill(service.program.pid, signal.SIGHUP)
    service.wait_for("READY=1", count=2)
    # A native thread writes the log.
    wait_until("the log says so", lambda: "reload: the file has errors" in service.program.text() or None)


def test_looking_at_what_a_reload_would_do_is_none(service: Service) -> None:
    service.wait_for("READY=1")
    command = [sys.executable, "-m", "sipbridge", "reload", "--dry-run", "--settings", str(service.settings)]
    assert subprocess.run(command, capture_output=True, timeout=60, check=False).returncode == 0
    service.wait_for("WATCHDOG=1", count=service.signs_of_life() + 2)
    assert not any(told.startswith("RELOADING=1") for told in service.told)


def test_a_daemon_that_hangs_gives_no_sign_of_life(service: Service) -> None:
    service.wait_for("WATCHDOG=1")
    os.kill(service.program.pid, signal.SIGSTOP)
    wait_until("it has stopped", lambda: _state(service.program.pid) == "T")
    before = service.signs_of_life()
    # As long as systemd would wait.
    deadline = time.monotonic() + 1.5
    wait_until("the watchdog's time is over", lambda: time.monotonic() > deadline)
    assert service.signs_of_life() == before
    os.kill(service.program.pid, signal.SIGCONT)
    service.wait_for("WATCHDOG=1", count=before + 1)


def test_a_signal_of_logrotate_does_not_end_it(service: Service) -> None:
    service.wait_for("READY=1")
    os.kill(service.program.pid, signal.SIGUSR1)
    service.wait_for("WATCHDOG=1", count=service.signs_of_life() + 2)
    assert service.program.is_running


def test_a_port_that_somebody_has_is_one_clear_message(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        service = Service(tmp_path, f"[http]\nport = {port}")
        assert service.program.wait(60) == 1
    assert service.program.text() == (
        f"sipbridge: error: cannot listen for HTTP on 127.0.0.1:{port}: Address already in use; "
        'set "host" and "port" in [http] of the settings, or port = 0 to disable HTTP\n'
    )
    service.close()


def _state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]

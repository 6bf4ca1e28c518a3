"""Starts the daemon under test: `sipbridge run` beside a real FreeSWITCH. I/O: a process and its files."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from support.freeswitch import FreeSwitch
from support.processes import Program, free_tcp_port, wait_until

Providers = dict[str, Any]


class Bridge:
    """A running `sipbridge run`.

    Args:
        directory: for its files; made if it is not there.
        providers: the providers file.
        event_socket_port: by which it reaches FreeSWITCH, when that is not FreeSWITCH's own.
        more_settings: TOML, with whole tables.
        control_socket: the name of its control socket, where there is another one beside the same FreeSWITCH.
        starts: whether it is started at once.
    """

    def __init__(
        self,
        directory: Path,
        freeswitch: FreeSwitch,
        providers: Providers,
        event_socket_port: int | None = None,
        more_settings: str = "",
        *,
        control_socket: str = "control.sock",
        starts: bool = True,
    ) -> None:
        directory.mkdir(exist_ok=True)
        # Not below `directory`: the path of a UNIX socket is 107 bytes at most.
        self._control_socket = freeswitch.directory / control_socket
        self.settings_file = directory / "sipbridge.toml"
        self._output = directory / "output.txt"
        self.http_port = free_tcp_port()
        self.providers_file = directory / "providers.json"
        self.write_providers(providers)
        self.settings_file.write_text(
            f"""
            providers_file = "providers.json"
            [event_socket]
            port = {event_socket_port or freeswitch.event_socket_port}
            password = "{freeswitch.password}"
            backoff_max_s = 0.5
            [gateways]
            spool_file = "{freeswitch.spool}"
            retry_s = 5
            [control]
            socket = "{self._control_socket}"
            [http]
            port = {self.http_port}
            {more_settings}
            """
        )
        # It holds the password.
        self.settings_file.chmod(0o600)
        self._program: Program | None = None
        if starts:
            self.start()

    def start(self, *arguments: str) -> None:
        """Start it, and wait until it answers."""
        self._program = Program(self._command("run", *arguments), self._output)
        wait_until("the bridge answers", self._answers)

    def run_to_its_end(self) -> int:
        """Start one that is to end by itself; return its exit status."""
        self._program = Program(self._command("run"), self._output)
        return self.wait()

    def write_providers(self, providers: Providers) -> None:
        """Put something else into the providers file."""
        self.providers_file.write_text(json.dumps(providers, indent=2))

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a `sipbridge` command against it, as an operator does."""
        return subprocess.run(self._command(*arguments), capture_output=True, text=True, timeout=30, check=False)

    def start_command(self, output: Path, *arguments: str) -> Program:
        """Start one that goes on."""
        return Program(self._command(*arguments), output)

    def _command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "sipbridge", *arguments, "--settings", str(self.settings_file)]

    @property
    def has_started(self) -> bool:
        """Whether it was ever started."""
        return self._program is not None

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._program.pid

    def kill(self) -> None:
        """End it at once, as ``kill -9`` does."""
        self._program.kill()

    def terminate(self) -> int:
        """Ask it to stop; return its exit status."""
        return self._program.terminate()

    def signal(self, number: int) -> None:
        """Send it a signal."""
        os.kill(self.pid, number)

    def wait(self, timeout_s: float = 20.0) -> int:
        """Wait for its end; return its exit status."""
        return self._program.wait(timeout_s)

    def log(self) -> str:
        """What it has logged."""
        return self._program.text()

    def accounts(self) -> dict[str, dict[str, Any]]:
        """The accounts of all providers, by address, as ``sipbridge info`` shows them."""
        return {one["address"]: one for provider in self._ask("info")["providers"] for one in provider["accounts"]}

    def wait_for_status(self, address: str, status: str, timeout_s: float = 20.0) -> None:
        """Wait until the status of an account begins so."""
        wait_until(
            f"{address} is {status}",
            lambda: self.accounts().get(address, {"status": ""})["status"].startswith(status),
            timeout_s=timeout_s,
        )

    def wait_for_free_slots(self, address: str, free_slots: int) -> None:
        """Wait until an account has just so many lines free."""
        wait_until(
            f"{address} has {free_slots} lines free",
            lambda: self.accounts()[address].get("freeSlots") == free_slots,
        )

    def status(self) -> dict[str, Any]:
        """The snapshot that ``sipbridge status`` shows."""
        snapshot: dict[str, Any] = self._ask("status")
        return snapshot

    def get(self, path: str) -> tuple[int, str]:
        """Ask for ``/metrics``, ``/readyz`` and the like: status and body."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.http_port}{path}", timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def _answers(self) -> bool:
        if not self._program.is_running:
            raise AssertionError(f"the bridge did not start: {self.log()}")
        try:
            return bool(self._ask("info"))
        except OSError:
            return False

    def find_accounts(self, match: str, limit: int = 5) -> list[dict[str, Any]]:
        """The accounts that `match` is part of, as ``sipbridge status`` shows them."""
        rows: list[dict[str, Any]] = self._ask("status", accounts={"limit": limit, "match": match})["accounts"]["rows"]
        return rows

    def _ask(self, command: str, **arguments: object) -> Any:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(5)
            client.connect(str(self._control_socket))
            client.sendall(json.dumps({**arguments, "command": command}).encode() + b"\n")
            with client.makefile("rb") as lines:
                return json.loads(lines.readline())["result"]

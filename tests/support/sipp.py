"""sipp, which makes and takes many calls by scenario. I/O: a process."""

from __future__ import annotations

import csv
import shutil
import subprocess
from pathlib import Path

from support.processes import Program
from support.sip_peer import SipPeer

PROGRAM = shutil.which("sipp")

# Debian's has no TLS: a relay has it for it.
_TRANSPORTS = {"udp": "u1", "tcp": "t1", "tls": "t1"}


class Sipp:
    """A sipp that runs a scenario.

    Args:
        scenario: the scenario file.
        transport: ``udp``, ``tcp``, or ``tls``, which is TCP that says to be TLS.
        directory: for what it prints.
        remote: ``host:port`` that a calling scenario calls.
        calls: how many; then it ends.
        rate: calls started in a second.
        keys: for ``[name]`` in the scenario.
        ip: where it is, IPv4 or IPv6.
        port: where it listens; any free one by default.
        contact: the URI that it wants to be reached at; by default where it listens.
        digest_uri: of its credentials, without the scheme; by default `remote`.
        has_timers: whether the scenario measures response times.

    Attributes:
        hostport: where it listens.
    """

    def __init__(
        self,
        scenario: Path,
        directory: Path,
        *,
        transport: str,
        remote: str = "",
        calls: int = 0,
        rate: int = 10,
        keys: dict[str, str] | None = None,
        has_timers: bool = False,
        ip: str = "127.0.0.1",
        port: int = 0,
        contact: str = "",
        digest_uri: str = "",
    ) -> None:
        if not port:
            with SipPeer(ip=ip) as free:
                port = free.port
        self.hostport = f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}"
        command = [PROGRAM or "sipp", "-sf", str(scenario), "-i", ip, "-mi", ip, "-p", str(port)]
        command += ["-t", _TRANSPORTS[transport]]
        command += ["-key", "via", transport.upper()]
        command += ["-key", "contact", contact or f"sip:sipp@{self.hostport};transport={transport}"]
        command += ["-nostdin", "-trace_err", "-error_file", str(directory / f"{scenario.stem}.errors")]
        command += ["-r", str(rate), "-timeout", "60", "-timeout_error"]
        if calls:
            command += ["-m", str(calls)]
        for name, value in (keys or {}).items():
            command += ["-key", name, value]
        if digest_uri:
            command += ["-auth_uri", digest_uri]
        if has_timers:
            command += ["-trace_rtt", "-rtt_freq", "1"]
        if remote:
            command.append(remote)
        self._directory, self._name = directory, scenario.stem
        self._errors = directory / f"{scenario.stem}.errors"
        # It leaves its response times where it is started.
        self._program = Program(command, directory / f"{scenario.stem}.txt", directory=directory)

    def wait(self, timeout_s: float = 60.0) -> None:
        """Wait until all its calls are over, and make sure that all went as the scenario says.

        Raises:
            AssertionError: a call did not, with sipp's own account of it.
        """
        try:
            status = self._program.wait(timeout_s)
        except subprocess.TimeoutExpired:
            status = -1
        if status != 0:
            errors = self._errors.read_text(errors="replace") if self._errors.exists() else ""
            raise AssertionError(f"sipp ended with {status}: {errors}{self._program.text()[-3000:]}")

    def times_ms(self, timer: int) -> list[float]:
        """What the scenario's timer measured, of every call that got so far."""
        (file,) = self._directory.glob(f"{self._name}_*_rtt.csv")
        with file.open(newline="") as lines:
            rows = csv.DictReader(lines, delimiter=";")
            return [float(row["response_time_ms"]) for row in rows if row["rtd_no"] == str(timer)]

    def kill(self) -> None:
        """End it."""
        self._program.kill()

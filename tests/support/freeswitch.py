"""A real FreeSWITCH, started with the configuration of this repository in a directory of its own. I/O: a process.

Each has an address of its own in 127.0.0.0/8, so any number of them, and of tests, run side by side on the usual ports.
"""

from __future__ import annotations

import json
import secrets
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from sipbridge.core.freeswitch.changes import Change
from sipbridge.core.freeswitch.version import RECOMMENDED, FreeSwitchVersion, parse_freeswitch_version
from support.event_socket import EventSocket
from support.processes import Program, free_tcp_port, wait_until


def _version_of(program: str) -> FreeSwitchVersion:
    told = subprocess.run([program, "-version"], capture_output=True, text=True, check=True, timeout=30).stdout
    version = parse_freeswitch_version(told.removeprefix("FreeSWITCH version: "))
    assert version is not None, told
    return version


CONFIGURATION = Path(__file__).parents[2] / "freeswitch"
PROGRAM = shutil.which("freeswitch")
VERSION = _version_of(PROGRAM) if PROGRAM else RECOMMENDED
"""Of the FreeSWITCH that the tests run on. Where there is none, that of the simulator."""
_PROFILE_UNTOUCHED_S = 10.0
"""For so long it restarts no profile that has just started. Source: mod_sofia.c, cmd_profile."""


def has(change: Change) -> bool:
    """Whether the FreeSWITCH that the tests run on has a change: the one way to expect different things of versions."""
    return change.is_in(VERSION)


class FreeSwitch:
    """A FreeSWITCH that runs.

    Args:
        directory: for configuration, logs and data; made if it is not there.
        additions: a folder of configuration files to put beside those of this repository.
        own_priorities: whether its threads get the priorities that it gives them as a service; on a machine that has
            other things to do, they would take it all.
        certificates: its folder of certificates; by default, that of its installation.
        variables: for ``local/``, on top of the addresses and ports.

    Attributes:
        inside: ``ip:port`` of the profile for the proxy's side.
        providers: ``ip:port`` of the profile for the providers' side.
        inside_tls: likewise, over TLS, if it is on.
        providers_tls: likewise.
        spool: the file that new gateways are read from.
        log_file: its log.
        startup_log: what was in its log once it ran.
    """

    password = "secret-of-a-test"

    def __init__(
        self,
        directory: Path,
        additions: Path | None = None,
        *,
        own_priorities: bool = False,
        certificates: Path | None = None,
        **variables: str,
    ) -> None:
        self._own_priorities = own_priorities
        self._certificates = certificates
        a, b, c = (secrets.randbelow(250) + 1 for _ in range(3))
        self.ip = f"127.{a}.{b}.{c}"
        self.inside = f"{self.ip}:5060"
        self.providers = f"{self.ip}:5080"
        self.inside_tls, self.providers_tls = f"{self.ip}:5061", f"{self.ip}:5081"
        self.event_socket_port = free_tcp_port()
        self.directory = directory
        self.spool = directory / "spool" / "gateways.xml"
        self.log_file = directory / "log/freeswitch.log"
        self._configure(additions, variables)
        self.start()

    def _configure(self, additions: Path | None, variables: dict[str, str]) -> None:
        conf = self.directory / "conf"
        shutil.copytree(CONFIGURATION, conf, ignore=shutil.ignore_patterns("local"))
        if additions is not None:
            shutil.copytree(additions, conf, dirs_exist_ok=True)
        self._profile_count = len(list(conf.glob("sip_profiles/*.xml")))
        for name in ("log", "db", "run", "spool", "conf/local/modules"):
            (self.directory / name).mkdir(parents=True, exist_ok=True)
        everything = {
            "sipbridge_inside_ip": self.ip,
            "sipbridge_providers_ip": self.ip,
            "sipbridge_event_socket_port": str(self.event_socket_port),
            "sipbridge_event_socket_password": self.password,
            "sipbridge_spool": str(self.spool),
            # Most peers send no RTP.
            "sipbridge_media_timeout_s": "300",
            **variables,
        }
        lines = (f'<X-PRE-PROCESS cmd="set" data="{name}={value}"/>' for name, value in everything.items())
        text = "\n".join(["<include>", *lines, "</include>", ""])
        (conf / "local/test.xml").write_text(text)

    def start(self) -> None:
        """Start it, and wait until its profiles run."""
        if PROGRAM is None:
            raise AssertionError("a test that needs FreeSWITCH ran without")
        self._program = Program(self._command(PROGRAM), self.directory / "output.txt")
        try:
            self.event_socket = wait_until("FreeSWITCH answers", self._try_to_connect, timeout_s=30)
            self._wait_for_profiles()
        except BaseException:
            self._program.kill()
            raise
        self.startup_log = self.log()
        self._profiles_run_since = time.monotonic()

    def _command(self, program: str) -> list[str]:
        command = [program, "-nonat", "-nonatmap", "-nf", "-nc"]
        if not self._own_priorities:
            command.append("-np")
        if self._certificates is not None:
            command += ["-certs", str(self._certificates)]
        for name in ("conf", "log", "db", "run"):
            command += [f"-{name}", str(self.directory / name)]
        return command

    def _wait_for_profiles(self) -> None:
        def all_run() -> bool:
            # A profile with TLS has another line for that.
            lines = [line for line in self.event_socket.api("sofia status").splitlines() if "(TLS)" not in line]
            return sum("RUNNING" in line for line in lines) == self._profile_count

        wait_until("all profiles run", all_run)

    @property
    def is_running(self) -> bool:
        """Whether it has not ended."""
        return self._program.is_running

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._program.pid

    def _try_to_connect(self) -> EventSocket | None:
        if not self._program.is_running:
            raise AssertionError(f"FreeSWITCH did not start: {self._program.text()}{self.log()}")
        try:
            return EventSocket(self.event_socket_port, self.password)
        except (OSError, EOFError):  # not there yet, or closed again while it starts
            return None

    def kill(self) -> None:
        """End it at once, as a crash would."""
        self._program.kill()
        self.event_socket.close()

    def shut_down(self) -> None:
        """Ask it to end, as a service that stops, and wait for that."""
        self.event_socket.api("fsctl shutdown")
        self._program.wait(30)
        self.event_socket.close()

    def await_restartable_profiles(self) -> None:
        """Wait until its profiles are old enough to be restarted."""
        time.sleep(max(0.0, self._profiles_run_since + _PROFILE_UNTOUCHED_S - time.monotonic()))

    def restart_profile(self, name: str) -> None:
        """Restart a sofia profile, as soon as it may be."""

        def restarts() -> bool:
            return "restarting:" in self.event_socket.api(f"sofia profile {name} restart")

        wait_until(f"profile {name} restarts", restarts, timeout_s=20)

    def log(self) -> str:
        """Its log file, which has warnings and worse."""
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    def complaints(self, log: str | None = None) -> list[str]:
        """What it said when it started, or in this log, but for what it always says."""
        # It advises a variable that a held call would not survive: freeswitch/sip_profiles/common.inc.
        # FreeSWITCH 1.11 warns of each interface that it leaves out.
        usual = ("MSG Thread 0 Started", "timeout-sec deprecated use media_", "nterface allowlist")
        return [
            line
            for line in (self.startup_log if log is None else log).splitlines()
            if not any(each in line for each in usual)
        ]

    def channels(self) -> list[dict[str, Any]]:
        """The rows of ``show channels as json``."""
        rows: list[dict[str, Any]] = json.loads(self.event_socket.api("show channels as json")).get("rows", [])
        return rows

    def lease(self) -> str:
        """What the controller's lease is now: ``true`` while it lives."""
        return self.event_socket.api("global_getvar sipbridge_lease")

    def take_calls(self, wish: bool = True) -> None:
        """What the controller does when it takes calls, or none any more, but for good."""
        self.event_socket.api(f"global_setvar sipbridge_lease={'true' if wish else 'false'}")
        self.event_socket.api(f"fsctl {'resume' if wish else 'pause'} inbound")

    def gateways_up(self) -> set[str]:
        """Names of the gateways that can be called through."""
        answer = self.event_socket.api("sofia profile providers gwlist up")
        # An empty list is an empty answer, which the Event Socket turns into "-ERR no reply".
        return set() if answer.startswith("-ERR") else set(answer.split()) - {"+OK"}

    def add_gateway(self, name: str, **parameters: str) -> str:
        """Add one through the spool; return the answer to the rescan.

        Args:
            parameters: ``from_domain`` for ``from-domain``.
        """
        gateway = ElementTree.Element("gateway", name=name)
        for parameter, value in parameters.items():
            ElementTree.SubElement(gateway, "param", name=parameter.replace("_", "-"), value=value)
        self.spool.write_text(f"<include>\n{ElementTree.tostring(gateway, encoding='unicode')}\n</include>\n")
        answer = self.event_socket.api("sofia profile providers rescan")
        self.spool.write_text("<include>\n</include>\n")
        return answer


@contextmanager
def parking_freeswitch(directory: Path, additions: Path | None = None, **variables: str) -> Iterator[FreeSwitch]:
    """A FreeSWITCH whose calls the test decides: it gets their events, and the lease is there without a controller."""
    freeswitch = FreeSwitch(directory, additions, **variables)
    try:
        freeswitch.event_socket.command("event json CHANNEL_PARK CHANNEL_HANGUP_COMPLETE")
        freeswitch.take_calls()
        yield freeswitch
    finally:
        freeswitch.kill()

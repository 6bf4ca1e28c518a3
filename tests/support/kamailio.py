"""Kamailio as a registrar that asks for a digest, on a free loopback port. I/O: a process."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

from support.processes import Program, wait_until
from support.sip_peer import SipPeer, answers_options

PROGRAM = shutil.which("kamailio")


def _version() -> tuple[int, int]:
    if PROGRAM is None:
        return (0, 0)
    printed = subprocess.run([PROGRAM, "-v"], capture_output=True, text=True, timeout=30, check=True).stdout
    match = re.search(r"kamailio (\d+)\.(\d+)", printed)
    if match is None:
        raise AssertionError(f"no version in {printed!r}")
    return int(match[1]), int(match[2])


VERSION = _version()
"""Major and minor; (0, 0) where there is none."""

_TEMPLATE = Path(__file__).with_name("kamailio.cfg")


class Kamailio:
    """A Kamailio that runs, for ``jabiru.example.org``.

    Args:
        directory: for its files.
        phone: ``host:port`` where the calls of an account go.
        password: of the one account, ``alice`` with the authentication name ``alice-auth``.

    Attributes:
        hostport: where it listens, over UDP and TCP.
    """

    def __init__(self, directory: Path, phone: str, password: str) -> None:
        with SipPeer() as free:
            self.hostport = free.hostport
        configuration = directory / "kamailio.cfg"
        text = _TEMPLATE.read_text()
        for name, value in (("ADDRESS", self.hostport), ("PHONE", phone), ("PASSWORD", password)):
            text = text.replace(name, value)
        configuration.write_text(text)
        # -DD: in the foreground, with its children. -E: messages to standard error.
        command = [PROGRAM or "kamailio", "-DD", "-E", "-f", str(configuration), "-Y", str(directory), "-m", "16"]
        self._program = Program(command, directory / "kamailio.txt")
        wait_until("Kamailio answers", self._answers)

    def kill(self) -> None:
        """End it and its children."""
        self._program.kill()

    def log(self) -> str:
        """What it has printed."""
        return self._program.text()

    def _answers(self) -> bool:
        if not self._program.is_running:
            raise AssertionError(f"Kamailio did not start: {self.log()}")
        return answers_options(self.hostport)

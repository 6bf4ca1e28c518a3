"""Kamailio as a registrar for many accounts, which tells when it accepted which REGISTER. Starts a process."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from support.kamailio import PROGRAM
from support.processes import Program, wait_until
from support.sip_peer import SipPeer, answers_options

PASSWORD = "one for all"

_TEMPLATE = Path(__file__).with_name("registrar.cfg")
_ACCEPTED = re.compile(r"accepted (\d+\.\d+) (\S+)$", re.MULTILINE)


class Accepted(NamedTuple):
    """A REGISTER that was answered with 200.

    Attributes:
        at: seconds since 1970.
    """

    at: float
    user: str


class Registrar:
    """A registrar that runs.

    Attributes:
        hostport: where it listens, over UDP.
    """

    def __init__(self, directory: Path) -> None:
        with SipPeer() as free:
            self.hostport = free.hostport
        configuration = directory / "kamailio.cfg"
        text = _TEMPLATE.read_text().replace("ADDRESS", self.hostport).replace("PASSWORD", PASSWORD)
        configuration.write_text(text)
        command = [PROGRAM or "kamailio", "-DD", "-E", "-f", str(configuration), "-Y", str(directory), "-m", "256"]
        self._program = Program(command, directory / "kamailio.txt")
        wait_until("the registrar answers", self._answers)

    def accepted(self) -> list[Accepted]:
        """All REGISTERs that it accepted so far."""
        return sorted(self._accepted())

    def kill(self) -> None:
        """End it and its children."""
        self._program.kill()

    def _accepted(self) -> Iterator[Accepted]:
        for at, user in _ACCEPTED.findall(self._program.text()):
            yield Accepted(float(at), user)

    def _answers(self) -> bool:
        if not self._program.is_running:
            raise RuntimeError(f"Kamailio did not start: {self._program.text()}")
        return answers_options(self.hostport)

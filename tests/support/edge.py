"""The edge: the Kamailio of freeswitch/edge, on an address of its own. I/O: a process, and its RPC socket."""

from __future__ import annotations

import re
import secrets
import shutil
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from support.json_rpc import json_rpc
from support.processes import Program, wait_until

CONFIGURATION = Path(__file__).parents[2] / "freeswitch/edge"
PROGRAM = shutil.which("kamailio")


def some_ip() -> str:
    """A loopback address that nobody else uses."""
    return "127." + ".".join(str(secrets.randbelow(250) + 1) for _ in range(3))


def has_tls() -> bool:
    """Whether Kamailio's TLS module is there; Debian has it in a package of its own."""
    return any(Path("/usr").glob("lib*/**/kamailio/modules/tls.so"))


class Edge:
    """A Kamailio that runs as the edge.

    Args:
        directory: for its files; made if it is not there.
        freeswitch: ``ip:port`` of the profile whose calls it takes out.
        ip: where all of its ports are; an address of its own by default.
        rtpengine: its control port, ``udp:ip:port``; without, no media is changed.
        definitions: more lines of local.cfg, by name.
        tls: where the server's certificate and key, and the certificates to trust, are: ``cert.pem``, ``key.pem``.

    Attributes:
        inside: ``ip:port`` for FreeSWITCH.
        outside: ``ip:port`` for providers, over UDP and TCP.
        outside_tls: the same over TLS.
        rpc_socket: the path of the RPC socket.
    """

    def __init__(
        self,
        directory: Path,
        freeswitch: str,
        *,
        ip: str = "",
        tls: Path | None = None,
        rtpengine: str = "",
        definitions: dict[str, str] | None = None,
    ) -> None:
        directory.mkdir(exist_ok=True)
        self.directory = directory
        self.ip = ip or some_ip()
        self.inside = f"{self.ip}:5090"
        self.outside = f"{self.ip}:5070"
        self.outside_tls = f"{self.ip}:5071"
        self.rpc_socket = directory / "rpc.sock"
        freeswitch_ip, _, freeswitch_port = freeswitch.rpartition(":")
        self._definitions = {
            "INSIDE": self.inside,
            "FREESWITCH_IP": freeswitch_ip,
            "FREESWITCH_PORT": freeswitch_port,
            "OUTSIDE_IP": self.ip,
            "ADVERTISED_IP": self.ip,
            "RPC_SOCKET": str(self.rpc_socket),
            "WORKERS": "2",
            **({"RTPENGINE": rtpengine} if rtpengine else {}),
            **(definitions or {}),
        }
        self._configure(tls)
        self.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.kill()

    def _configure(self, tls: Path | None) -> None:
        for name in ("kamailio.cfg", "sdp.cfg"):
            shutil.copy(CONFIGURATION / name, self.directory)
        text = (CONFIGURATION / "local.cfg").read_text()
        if "RTPENGINE" not in self._definitions:
            text = text.replace("#!define EDGE_WITH_RTPENGINE\n", "")
        if tls is not None:
            text = text.replace("# #!define EDGE_WITH_TLS", "#!define EDGE_WITH_TLS")
            self._definitions["TLS_CONFIGURATION"] = str(self.directory / "tls.cfg")
            configuration = (CONFIGURATION / "tls.cfg").read_text()
            configuration = re.sub(r"(?m)^certificate =.*$", f"certificate = {tls / 'cert.pem'}", configuration)
            configuration = re.sub(r"(?m)^private_key =.*$", f"private_key = {tls / 'key.pem'}", configuration)
            configuration = re.sub(r"(?m)^ca_list =.*$", f"ca_list = {tls / 'cert.pem'}", configuration)
            (self.directory / "tls.cfg").write_text(configuration)
        for name, value in self._definitions.items():
            text, count = re.subn(rf'"!EDGE_{name}![^!]*!g"', f'"!EDGE_{name}!{value}!g"', text)
            if count != 1:
                raise AssertionError(f"local.cfg has no EDGE_{name}")
        (self.directory / "local.cfg").write_text(text)

    def start(self) -> None:
        """Start it, and wait until it answers."""
        # -DD: in the foreground, with its children. -E: messages to standard error.
        command = [PROGRAM or "kamailio", "-DD", "-E", "-f", str(self.directory / "kamailio.cfg")]
        command += ["-Y", str(self.directory), "-m", "64"]
        self._program = Program(command, self.directory / "output.txt")
        wait_until("the edge answers", self._answers, timeout_s=30)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._program.pid

    def kill(self) -> None:
        """End it and its children, as a crash would."""
        self._program.kill()

    def log(self) -> str:
        """What it has printed."""
        return self._program.text()

    def set_account(self, gateway: str, algorithm: str, registrar: str, secret: str = "") -> None:
        """Put a gateway's secret and registrar into the table."""
        self.rpc("htable.sets", "account", gateway, f"{algorithm}|{registrar}|{secret}")

    def delete_account(self, gateway: str) -> None:
        """Take it out again."""
        self.rpc("htable.delete", "account", gateway)

    def rpc(self, method: str, *params: Any, timeout_s: float = 10.0) -> Any:
        """The result of a call.

        Raises:
            LookupError: it was refused, with the reason.
        """
        return json_rpc(self.rpc_socket, method, *params, timeout_s=timeout_s)

    def _answers(self) -> bool:
        if not self._program.is_running:
            raise AssertionError(f"the edge did not start: {self.log()}")
        try:
            # What is sent to a socket that is only just there may get no answer.
            return bool(self.rpc("core.version", timeout_s=0.5))
        except (OSError, TimeoutError):
            return False

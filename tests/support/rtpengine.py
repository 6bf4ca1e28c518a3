"""rtpengine on an address of its own, and the ng protocol by which it is asked. I/O: a process, and a UDP socket."""

from __future__ import annotations

import itertools
import re
import shutil
import socket
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from support.edge import CONFIGURATION, some_ip
from support.processes import Program, wait_until

PROGRAM = shutil.which("rtpengine")

_cookies = itertools.count(1)


class Rtpengine:
    """An rtpengine that runs with the configuration of freeswitch/edge.

    Args:
        directory: for its files; made if it is not there.
        media_ip: where media is; by default at the address of its control port.

    Attributes:
        ip: where its control port is.
        media_ip: where media is.
        control: ``udp:ip:port``, for Kamailio.
    """

    def __init__(self, directory: Path, media_ip: str = "") -> None:
        directory.mkdir(exist_ok=True)
        self._directory = directory
        self.ip = some_ip()
        self.media_ip = media_ip or self.ip
        self.control = f"udp:{self.ip}:2223"
        text = (CONFIGURATION / "rtpengine.conf").read_text()
        for name, value in (
            ("interface", f"inside/{self.media_ip};outside/{self.media_ip}"),
            ("listen-ng", f"{self.ip}:2223"),
        ):
            text, count = re.subn(rf"(?m)^{name} = .*$", f"{name} = {value}", text)
            if count != 1:
                raise AssertionError(f"rtpengine.conf has no {name}")
        (directory / "rtpengine.conf").write_text(text)
        self.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.kill()

    def start(self) -> None:
        """Start it, and wait until it answers."""
        command = [PROGRAM or "rtpengine", f"--config-file={self._directory / 'rtpengine.conf'}"]
        self._program = Program(command, self._directory / "output.txt")
        wait_until("rtpengine answers", self._answers, timeout_s=30)

    def kill(self) -> None:
        """End it at once, as a crash would."""
        self._program.kill()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._program.pid

    def log(self) -> str:
        """What it has printed."""
        return self._program.text()

    def ask(self, command: str, **parameters: Any) -> dict[str, Any]:
        """The answer to a command of the ng protocol; ``call_id`` for ``call-id``.

        Raises:
            LookupError: with the reason, when it is an error.
        """
        request = {"command": command} | {name.replace("_", "-"): value for name, value in parameters.items()}
        cookie = f"test{next(_cookies)}".encode()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(5)
            client.connect((self.ip, 2223))
            client.send(cookie + b" " + _encode(request))
            answer = client.recv(65_536).removeprefix(cookie + b" ")
        decoded: dict[str, Any] = _decode(answer, 0)[0]
        if decoded["result"] == "error":
            raise LookupError(decoded["error-reason"])
        return decoded

    def calls(self) -> list[str]:
        """The Call-IDs of the calls that it has."""
        calls: list[str] = self.ask("list")["calls"]
        return calls

    def _answers(self) -> bool:
        if not self._program.is_running:
            raise AssertionError(f"rtpengine did not start: {self.log()}")
        try:
            return self.ask("ping")["result"] == "pong"
        except OSError:  # nobody there yet
            return False


def _encode(value: Any) -> bytes:
    """Source: BEP 3, bencoding."""
    match value:
        case dict():
            return b"d" + b"".join(_encode(name) + _encode(one) for name, one in value.items()) + b"e"
        case list():
            return b"l" + b"".join(_encode(one) for one in value) + b"e"
        case int():
            return f"i{value}e".encode()
        case _:
            text = str(value).encode()
            return f"{len(text)}:".encode() + text


def _decode(text: bytes, at: int) -> tuple[Any, int]:
    """The value that begins at a position, and the position after it."""
    kind = text[at : at + 1]
    if kind == b"i":
        end = text.index(b"e", at)
        return int(text[at + 1 : end]), end + 1
    if kind in (b"d", b"l"):
        values: list[Any] = []
        at += 1
        while text[at : at + 1] != b"e":
            value, at = _decode(text, at)
            values.append(value)
        return (values if kind == b"l" else dict(zip(values[::2], values[1::2], strict=True))), at + 1
    end = text.index(b":", at) + 1
    length = int(text[at : end - 1])
    return text[end : end + length].decode(), end + length

"""linphonec, a real telephone of the field, which plays a file instead of listening to a microphone. I/O: a process."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import wave
from pathlib import Path
from types import TracebackType
from typing import Self

from support.processes import wait_until

PROGRAM = shutil.which("linphonec")

_SETTINGS = """\
[sip]
sip_port={port}
sip_tcp_port=0
sip_tls_port=0
use_ipv6=0
guess_hostname=0
contact=sip:{name}@127.0.0.1
media_encryption={media_encryption}
accept_any_encryption=1
avpf=1
register_only_when_network_is_up=0
[rtp]
audio_rtp_port={rtp_port}
[video]
enabled=0
capture=0
display=0
automatically_initiate=0
automatically_accept=0
"""


class Linphone:
    """A telephone that takes whatever media it is offered.

    Args:
        directory: its home; made if it is not there.
        name: the user part of its address.
        answers: whether it answers calls by itself.
        media_encryption: what it offers itself: ``zrtp``, ``srtp``, ``dtls`` or ``none``.

    Attributes:
        hostport: where it listens, over UDP.
    """

    def __init__(self, directory: Path, name: str, *, answers: bool = False, media_encryption: str = "none") -> None:
        for folder in (".local/share/linphone", ".config/linphone"):
            (directory / folder).mkdir(parents=True)
        port, rtp_port = _free_udp_ports(2)
        self.hostport = f"127.0.0.1:{port}"
        settings = directory / "linphonerc"
        values = {"port": port, "rtp_port": rtp_port, "name": name, "media_encryption": media_encryption}
        settings.write_text(_SETTINGS.format(**values))
        command = [PROGRAM or "linphonec", "-c", str(settings), *(["-a"] if answers else [])]
        self._output = directory / "output.txt"
        with self._output.open("wb") as output:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=directory,
                env={**os.environ, "HOME": str(directory)},
            )
        self._type("soundcard use files")
        self._wait_for(r"Using wav files")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._process.kill()
        self._process.communicate()

    def call(self, uri: str) -> None:
        """Make a call."""
        self._type(f"call {uri}")

    def play(self, samples: bytes) -> None:
        """Send audio in the call: 16-bit samples, 8,000 a second."""
        file = self._output.with_name("play.wav")
        with wave.open(str(file), "wb") as recording:
            recording.setnchannels(1)
            recording.setsampwidth(2)
            recording.setframerate(8000)
            recording.writeframes(samples)
        self._type(f"play {file}")

    def zrtp_token(self) -> str:
        """The short authentication string that the two ends of an encrypted call read out to each other.

        Raises:
            TimeoutError: the call has not become an encrypted one.
        """
        return self._wait_for(r"is fully encrypted and auth token is (\w+)")[1]

    def _type(self, line: str) -> None:
        if self._process.stdin is None:
            raise AssertionError("it was started without an input")
        self._process.stdin.write(f"{line}\n".encode())
        self._process.stdin.flush()

    def _wait_for(self, pattern: str) -> re.Match[str]:
        def found() -> re.Match[str] | None:
            return re.search(pattern, self._output.read_text(errors="replace"))

        return wait_until(f"linphonec says {pattern!r}", found, timeout_s=30)


def _free_udp_ports(count: int) -> list[int]:
    sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(count)]
    for sock in sockets:
        sock.bind(("127.0.0.1", 0))
    ports: list[int] = [sock.getsockname()[1] for sock in sockets]
    for sock in sockets:
        sock.close()
    return ports

"""A side of a call that sends silence and watches what RTP comes. I/O: one UDP socket."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

_PCMA = 8
_FRAME_S = 0.02


class RtpPeer:
    """Sends a G.711 A-law packet every 20 ms, once it knows where to.

    Attributes:
        port: where it listens.
    """

    def __init__(self, ip: str = "127.0.0.1") -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((ip, 0))
        self.port: int = self._socket.getsockname()[1]
        self._is_silent = threading.Event()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.fall_silent()
        self._socket.close()

    def talk_to(self, ip: str, port: int) -> None:
        """Begin to send."""
        threading.Thread(target=self._send, args=((ip, port),), daemon=True).start()

    def fall_silent(self) -> None:
        """Send nothing any more."""
        self._is_silent.set()

    def packet(self, matches: Callable[[int, bytes], bool], timeout_s: float = 5.0) -> bytes:
        """The payload of the first packet that matches, called with payload type and payload.

        Raises:
            TimeoutError: none came.
        """
        deadline = time.monotonic() + timeout_s
        while (left := deadline - time.monotonic()) > 0:
            self._socket.settimeout(left)
            packet = self._socket.recv(2048)
            if matches(packet[1] & 0x7F, packet[12:]):
                return packet[12:]
        raise TimeoutError(f"no such packet in {timeout_s} s")

    def drain(self) -> None:
        """Throw away what has come so far."""
        self._socket.settimeout(0)
        with contextlib.suppress(BlockingIOError):
            while True:
                self._socket.recv(2048)

    def _send(self, to: tuple[str, int]) -> None:
        sequence = 0
        with contextlib.suppress(OSError):  # closed meanwhile
            while not self._is_silent.wait(_FRAME_S):
                header = struct.pack("!BBHII", 0x80, _PCMA, sequence & 0xFFFF, sequence * 160, 1)
                self._socket.sendto(header + b"\xd5" * 160, to)
                sequence += 1

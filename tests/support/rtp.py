"""A side of a call that sends silence and digits, and watches what RTP comes. I/O: one UDP socket."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Self

from support.processes import wait_until

_PCMA = 8
_TELEPHONE_EVENT = 101
_FRAME_S = 0.02
_EVENT_FRAMES = 8


class RtpPeer:
    """Sends a G.711 A-law packet every 20 ms, once it knows where to.

    Args:
        ip: where it listens, IPv4 or IPv6.

    Attributes:
        ip: where it listens.
        port: likewise.
    """

    def __init__(self, ip: str = "127.0.0.1") -> None:
        self._socket = socket.socket(socket.AF_INET6 if ":" in ip else socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((ip, 0))
        self.ip = ip
        self.port: int = self._socket.getsockname()[1]
        self._is_silent = threading.Event()
        self._sent = 0
        # Payloads of RTP events to send in place of sound.
        self._events: deque[bytes] = deque()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.fall_silent()
        self._socket.close()

    def talk_to(self, ip: str, port: int) -> None:
        """Begin to send."""
        threading.Thread(target=self._send, args=((ip, port),), daemon=True).start()

    def has_sent(self, count: int, timeout_s: float = 20.0) -> None:
        """Wait until so many packets have been sent."""
        wait_until(f"{count} packets are sent", lambda: self._sent >= count, timeout_s=timeout_s)

    def fall_silent(self) -> None:
        """Send nothing any more."""
        self._is_silent.set()

    def press(self, digit: int) -> None:
        """Send a digit as an event (RFC 4733); the last packet three times, as the RFC says."""
        durations = [*range(1, _EVENT_FRAMES), *[_EVENT_FRAMES] * 3]
        self._events.extend(
            struct.pack("!BBH", digit, 0x8A if frames == _EVENT_FRAMES else 0x0A, frames * 160) for frames in durations
        )

    def hears(self, payload_type: int, count: int, timeout_s: float = 20.0) -> None:
        """Wait until so many packets of this payload type have come."""
        for _ in range(count):
            self.packet(lambda found, _: found == payload_type, timeout_s)

    def hears_digit(self, digit: int, timeout_s: float = 20.0) -> None:
        """Wait until this digit has come as an event."""
        self.packet(lambda found, payload: found == _TELEPHONE_EVENT and payload[0] == digit, timeout_s)

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
        sequence = event_began = 0
        with contextlib.suppress(OSError):  # closed meanwhile
            while not self._is_silent.wait(_FRAME_S):
                if self._events:
                    event_began = event_began or sequence
                    kind, timestamp, payload = _TELEPHONE_EVENT, event_began * 160, self._events.popleft()
                else:
                    kind, timestamp, payload, event_began = _PCMA, sequence * 160, b"\xd5" * 160, 0
                header = struct.pack("!BBHII", 0x80, kind, sequence & 0xFFFF, timestamp, 1)
                self._socket.sendto(header + payload, to)
                sequence += 1
                self._sent = sequence

"""The network between a controller and its Event Socket, and all that can be wrong with it. I/O: sockets on loopback.

It reads frames, not bytes, towards the controller: so it can lose a reply, or break off in the middle of a body.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType
from typing import Self

import gevent
from gevent import socket
from gevent.event import Event as Flag
from gevent.server import StreamServer

_GARBAGE = b"\x00\xff\xfe not a frame \xc3\n\n"
_PART_BYTES = 512


class FaultyRelay:
    """Passes connections on to a loopback port.

    Attributes:
        port: where it listens itself.
        bytes_per_s: how fast bytes reach the controller; None is as fast as they are read.
        reply_delay_s: seconds before each reply.
        lost_replies: so many replies from now on never arrive, though their commands run.
        truncated_bodies: so many frames with a body lose half of it, and the connection with them.
    """

    def __init__(self, target_port: int) -> None:
        self.bytes_per_s: float | None = None
        self.reply_delay_s = 0.0
        self.lost_replies = 0
        self.truncated_bodies = 0
        self._target = ("127.0.0.1", target_port)
        self._flowing = Flag()
        self._flowing.set()
        self._is_half_open = False
        self._ends: list[tuple[socket.socket, socket.socket]] = []
        self._server = StreamServer(("127.0.0.1", 0), self._serve)
        self._server.start()
        self.port = int(self._server.address[1])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._server.stop(timeout=0)
        self.resume()
        self.cut()

    # What goes wrong.

    def cut(self) -> None:
        """Break every connection."""
        for ends in tuple(self._ends):
            self._close(ends)

    def stall(self) -> None:
        """Neither read nor write until `resume`; the connections stay."""
        self._flowing.clear()

    def become_half_open(self) -> None:
        """As if the other host had vanished: what is sent is swallowed, nothing arrives, and nothing closes."""
        self._is_half_open = True

    def resume(self) -> None:
        """End `stall` and `become_half_open`; what was stalled goes on."""
        self._is_half_open = False
        self._flowing.set()

    def send_garbage(self, garbage: bytes = _GARBAGE) -> None:
        """Have these bytes arrive on every connection."""
        for near, _ in tuple(self._ends):
            near.sendall(garbage)

    # Passing on.

    def _serve(self, near: socket.socket, _address: object) -> None:
        try:
            far = socket.create_connection(self._target, 5)
        except OSError:  # the other program is not there: neither is the connection
            near.close()
            return
        far.settimeout(None)
        ends = near, far
        self._ends.append(ends)
        commands = gevent.spawn(self._pass_commands, ends)
        try:
            self._pass_frames(ends)
        finally:
            self._close(ends)
            commands.join()

    def _pass_commands(self, ends: tuple[socket.socket, socket.socket]) -> None:
        near, far = ends
        try:
            while commands := near.recv(65_536):
                self._flowing.wait()
                if not self._is_half_open:
                    far.sendall(commands)
        except OSError:  # cut, or FreeSWITCH is gone
            pass
        self._close(ends)

    def _pass_frames(self, ends: tuple[socket.socket, socket.socket]) -> None:
        near, far = ends
        try:
            for frame in _frames(far):
                self._flowing.wait()
                if not self._is_half_open and not self._pass_frame(frame, near):
                    return
        except OSError:  # cut, or the controller is gone
            pass

    def _pass_frame(self, frame: bytes, near: socket.socket) -> bool:
        """Pass one on, or not; whether the connection lives on."""
        head, _, body = frame.partition(b"\n\n")
        if b"Content-Type: api/response" in head or b"Content-Type: command/reply" in head:
            gevent.sleep(self.reply_delay_s)
            if self.lost_replies:
                self.lost_replies -= 1
                return True
        if body and self.truncated_bodies:
            self.truncated_bodies -= 1
            near.sendall(frame[: -len(body) // 2])
            return False
        # It may end while it lasts.
        while frame and (bytes_per_s := self.bytes_per_s) is not None:
            part, frame = frame[:_PART_BYTES], frame[_PART_BYTES:]
            gevent.sleep(len(part) / bytes_per_s)
            near.sendall(part)
        near.sendall(frame)
        return True

    def _close(self, ends: tuple[socket.socket, socket.socket]) -> None:
        if ends in self._ends:
            self._ends.remove(ends)
        for sock in ends:
            sock.close()


def _frames(far: socket.socket) -> Iterator[bytes]:
    """Whole frames, as FreeSWITCH sends them: headers, a blank line, and as many bytes as ``Content-Length`` says."""
    buffer = b""
    while received := far.recv(65_536):
        buffer += received
        while (length := _frame_length(buffer)) is not None and len(buffer) >= length:
            yield buffer[:length]
            buffer = buffer[length:]


def _frame_length(buffer: bytes) -> int | None:
    end = buffer.find(b"\n\n")
    if end < 0:
        return None
    _, found, rest = buffer[:end].partition(b"Content-Length: ")
    return end + 2 + (int(rest.partition(b"\n")[0]) if found else 0)

"""A TCP relay that can be cut: a network between two programs that stay as they are. I/O: sockets on loopback."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from types import TracebackType
from typing import Self


class Relay:
    """Passes connections on to a loopback port.

    Attributes:
        port: where it listens itself.
        delay_s: how long it holds on to whatever arrives.
    """

    delay_s = 0.0

    def __init__(self, target_port: int) -> None:
        self._target = ("127.0.0.1", target_port)
        self._ends: list[socket.socket] = []
        self._is_cut = threading.Event()
        self._goes_on = threading.Event()
        self._goes_on.set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.cut()
        self.go_on()
        _close(self._listener)

    def cut(self) -> None:
        """Break every connection, and each that is made from now on."""
        self._is_cut.set()
        while self._ends:
            _close(self._ends.pop())

    def mend(self) -> None:
        """Pass connections on again."""
        self._is_cut.clear()

    def pause(self) -> None:
        """Pass nothing on, and let every connection stand."""
        self._goes_on.clear()

    def go_on(self) -> None:
        """Pass on what has arrived meanwhile."""
        self._goes_on.set()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            if self._is_cut.is_set():
                near.close()
                continue
            try:
                far = socket.create_connection(self._target, 5)
            except OSError:  # the other program is not there: neither is the connection
                near.close()
                continue
            far.settimeout(None)
            self._ends += [near, far]
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=self._pump, args=(source, sink), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):  # cut
            while chunk := source.recv(65_536):
                self._goes_on.wait()
                # A slow network: this is what it is for, and nobody waits for something by it.
                time.sleep(self.delay_s)
                sink.sendall(chunk)
        _close(sink)
        _close(source)


def _close(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):  # not connected: nothing to shut down
        sock.shutdown(socket.SHUT_RDWR)
    sock.close()

"""systemd is told how the daemon does: ready, reloading, stopping, alive. Sends datagrams; without systemd, nothing.

Source: sd_notify(3), systemd.service(5).
"""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Mapping

_log = logging.getLogger(__name__)


class ServiceManager:
    """Tells whoever has started us, if it wants to know.

    Args:
        environ: such as `os.environ`: it says where to tell, and how often a sign of life is expected.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        address = environ.get("NOTIFY_SOCKET", "")
        # An abstract socket is written with @ for its first byte, which is 0.
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._socket: socket.socket | None = None
        if self._address:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
            # A manager that does not read must not hold up calls.
            self._socket.setblocking(False)
        self._interval_s = _watchdog_interval_s(environ) if self._address else None
        self._alive_at = 0.0
        self._status = ""

    @property
    def is_listening(self) -> bool:
        """Whether anybody wants to be told."""
        return self._socket is not None

    def ready(self) -> None:
        """Started, or reloaded."""
        self._tell("READY=1")

    def reloading(self) -> None:
        """The configuration is read again; `ready` follows."""
        self._tell(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self, within_s: float) -> None:
        """Stopping, which may take so long: the manager is asked for that time."""
        self._tell(f"STOPPING=1\nEXTEND_TIMEOUT_USEC={int(within_s * 1e6)}")

    def status(self, text: str) -> None:
        """A line for ``systemctl status``; told only when it is another than before."""
        if text != self._status:
            self._status = text
            self._tell(f"STATUS={text}")

    def alive(self) -> None:
        """A sign of life, as often as the manager wants one. Whoever calls this must be who is to be alive."""
        now = time.monotonic()
        if self._interval_s is not None and now - self._alive_at >= self._interval_s:
            self._alive_at = now
            self._tell("WATCHDOG=1")

    def close(self) -> None:
        """Tell nothing more."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _tell(self, message: str) -> None:
        if self._socket is None:
            return
        try:
            self._socket.sendto(message.encode(), self._address)
        except OSError as error:
            _log.debug("systemd was not told %r: %s", message, error)


def _watchdog_interval_s(environ: Mapping[str, str]) -> float | None:
    """How often to give a sign of life, which is twice as often as it is expected; None for never."""
    if environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    expected_us = environ.get("WATCHDOG_USEC", "")
    return int(expected_us) / 2e6 if expected_us.isdecimal() and int(expected_us) > 0 else None

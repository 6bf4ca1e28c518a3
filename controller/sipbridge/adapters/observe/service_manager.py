"""Reports the daemon's state to systemd: ready, reloading, stopping, alive. Sends datagrams; no-op without systemd.

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
    """Notifies the service manager that started this process, if there is one.

    Args:
        environ: such as `os.environ`; contains the notification socket and the watchdog interval.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        address = environ.get("NOTIFY_SOCKET", "")
        # In the address of an abstract socket, @ stands for the first byte, which is 0.
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._socket: socket.socket | None = None
        if self._address:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
            # A manager that does not read must not delay calls.
            self._socket.setblocking(False)
        self._interval_s = _watchdog_interval_s(environ) if self._address else None
        self._alive_at = 0.0
        self._status = ""

    @property
    def is_listening(self) -> bool:
        """Whether there is a service manager to notify."""
        return self._socket is not None

    def ready(self) -> None:
        """Report that the daemon has started or reloaded."""
        self._tell("READY=1")

    def reloading(self) -> None:
        """Report that the configuration is being reloaded; `ready` follows."""
        self._tell(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self, within_s: float) -> None:
        """Report that the daemon is stopping, and request up to `within_s` for it."""
        self._tell(f"STOPPING=1\nEXTEND_TIMEOUT_USEC={int(within_s * 1e6)}")

    def status(self, text: str) -> None:
        """Set the status line of ``systemctl status``; sent only when it changes."""
        if text != self._status:
            self._status = text
            self._tell(f"STATUS={text}")

    def alive(self) -> None:
        """Send a watchdog keep-alive if one is due. Call this from the loop that the watchdog should guard."""
        now = time.monotonic()
        if self._interval_s is not None and now - self._alive_at >= self._interval_s:
            self._alive_at = now
            self._tell("WATCHDOG=1")

    def close(self) -> None:
        """Stop notifying."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _tell(self, message: str) -> None:
        if self._socket is None:
            return
        try:
            self._socket.sendto(message.encode(), self._address)
        except OSError as error:
            _log.debug("cannot send %r to systemd: %s", message, error)


def _watchdog_interval_s(environ: Mapping[str, str]) -> float | None:
    """Return the keep-alive interval, half of what the manager expects; None without a watchdog."""
    if environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    expected_us = environ.get("WATCHDOG_USEC", "")
    return int(expected_us) / 2e6 if expected_us.isdecimal() and int(expected_us) > 0 else None

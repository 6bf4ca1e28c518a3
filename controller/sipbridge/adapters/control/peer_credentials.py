"""The other end of a UNIX socket becomes who it is, as the kernel knows it. Asks one socket.

Source: unix(7), SO_PEERCRED; SO_PEERGROUPS is of Linux 4.13 and not in its manual yet.
"""

from __future__ import annotations

import array
import errno
import struct
from typing import NamedTuple, Protocol

_SOL_SOCKET = 1
_SO_PEERCRED = 17
_SO_PEERGROUPS = 59
_CREDENTIALS = struct.Struct("3i")
_MOST_GROUPS = 256
"""As many as Python's getsockopt has room for; of who is in more, only the primary one is known."""


class _Socket(Protocol):
    def getsockopt(self, level: int, option: int, size: int, /) -> bytes: ...


class PeerCredentials(NamedTuple):
    """Who connected: as of then, whatever became of the process.

    Attributes:
        groups: those that the process is in.
    """

    pid: int
    uid: int
    groups: frozenset[int]

    def __str__(self) -> str:
        return f"uid {self.uid} (pid {self.pid})"


def peer_credentials(connection: _Socket) -> PeerCredentials:
    """Who is at the other end of a connected UNIX socket.

    Raises:
        OSError: it is no UNIX socket.
    """
    pid, uid, gid = _CREDENTIALS.unpack(connection.getsockopt(_SOL_SOCKET, _SO_PEERCRED, _CREDENTIALS.size))
    groups = array.array("I")
    try:
        groups.frombytes(connection.getsockopt(_SOL_SOCKET, _SO_PEERGROUPS, groups.itemsize * _MOST_GROUPS))
    except OSError as error:
        if error.errno != errno.ERANGE:
            raise
    return PeerCredentials(pid, uid, frozenset((gid, *groups)))

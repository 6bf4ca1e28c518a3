"""Reads from the kernel who is at the other end of a UNIX socket.

Source: unix(7), SO_PEERCRED; SO_PEERGROUPS exists since Linux 4.13 and is not in the manual yet.
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
"""The most that Python's getsockopt can return; of a process in more groups, only the primary group is known."""


class _Socket(Protocol):
    def getsockopt(self, level: int, option: int, size: int, /) -> bytes: ...


class PeerCredentials(NamedTuple):
    """The identity of a peer at the time it connected.

    Attributes:
        groups: the groups of the process.
    """

    pid: int
    uid: int
    groups: frozenset[int]

    def __str__(self) -> str:
        return f"uid {self.uid} (pid {self.pid})"


def peer_credentials(connection: _Socket) -> PeerCredentials:
    """Return the identity of the peer of a connected UNIX socket.

    Raises:
        OSError: the socket is not a UNIX socket.
    """
    pid, uid, gid = _CREDENTIALS.unpack(connection.getsockopt(_SOL_SOCKET, _SO_PEERCRED, _CREDENTIALS.size))
    groups = array.array("I")
    try:
        groups.frombytes(connection.getsockopt(_SOL_SOCKET, _SO_PEERGROUPS, groups.itemsize * _MOST_GROUPS))
    except OSError as error:
        if error.errno != errno.ERANGE:
            raise
    return PeerCredentials(pid, uid, frozenset((gid, *groups)))

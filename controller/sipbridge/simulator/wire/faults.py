"""What can be wrong with a connection to FreeSWITCH, turned on and off by a test. Holds state only."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Protocol

from gevent.event import Event as Flag


class Breakable(Protocol):
    """A connection, as faults see it."""

    def close(self) -> None:
        """Close the socket at once, with whatever was still to be sent."""

    def send(self, sent: bytes) -> None:
        """Send bytes, whatever they are."""


@dataclass(slots=True, eq=False)
class Faults:
    """Faults of all connections of a simulator.

    Attributes:
        reply_delay_s: real seconds from a command to its reply.
        bytes_per_s: how fast bytes leave; None is as fast as they are read.
        lost_replies: so many replies from now on are never sent, though their commands run.
        truncated_bodies: so many frames with a body lose half of it, and the connection with them.
        refuses_connections: whether a new connection is closed without a greeting.
    """

    connections: Callable[[], Iterable[Breakable]]
    reply_delay_s: float = 0.0
    bytes_per_s: float | None = None
    lost_replies: int = 0
    truncated_bodies: int = 0
    refuses_connections: bool = False
    flowing: Flag = field(default_factory=Flag)
    half_open: bool = False

    def __post_init__(self) -> None:
        self.flowing.set()

    def drop_connections(self) -> None:
        """Close every connection."""
        for connection in tuple(self.connections()):
            connection.close()

    def stall(self) -> None:
        """Neither read nor write until `resume`; the sockets stay open."""
        self.flowing.clear()

    def resume(self) -> None:
        """End `stall` and `become_half_open`; what was held back is sent."""
        self.half_open = False
        self.flowing.set()

    def become_half_open(self) -> None:
        """As if the other host had vanished: what arrives is swallowed, nothing is sent, and nothing closes."""
        self.half_open = True

    def send_garbage(self, garbage: bytes = b"\x00\xff\xfe not a frame \xc3\n\n") -> None:
        """Send bytes that are no frame on every connection."""
        for connection in tuple(self.connections()):
            connection.send(garbage)

    def lose_replies(self, count: int = 1) -> None:
        """Run the next commands without telling."""
        self.lost_replies += count

    def truncate_bodies(self, count: int = 1) -> None:
        """Break off in the middle of the next frame that has a body."""
        self.truncated_bodies += count

    def take_lost_reply(self) -> bool:
        """Whether this reply is lost."""
        if self.lost_replies:
            self.lost_replies -= 1
            return True
        return False

    def take_truncation(self) -> bool:
        """Whether this frame breaks off."""
        if self.truncated_bodies:
            self.truncated_bodies -= 1
            return True
        return False

"""The faults of connections to FreeSWITCH that tests can switch on and off. Holds state only."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Protocol

from gevent.event import Event as Flag


class Breakable(Protocol):
    """A connection, as faults see it."""

    def close(self) -> None:
        """Close the socket at once; unsent data is lost."""

    def send(self, sent: bytes) -> None:
        """Send arbitrary bytes."""


@dataclass(slots=True, eq=False)
class Faults:
    """Faults of all connections of a simulator.

    Attributes:
        reply_delay_s: real seconds from a command to its reply.
        bytes_per_s: the rate at which bytes are sent; None is unlimited.
        lost_replies: how many of the next replies are not sent, although their commands run.
        truncated_bodies: how many of the next frames with a body are cut in half, which also ends the connection.
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
        """Behave as if the other host had vanished: swallow input, send nothing, close nothing."""
        self.half_open = True

    def send_garbage(self, garbage: bytes = b"\x00\xff\xfe not a frame \xc3\n\n") -> None:
        """Send bytes that are not a frame on every connection."""
        for connection in tuple(self.connections()):
            connection.send(garbage)

    def lose_replies(self, count: int = 1) -> None:
        """Run the next commands without replying."""
        self.lost_replies += count

    def truncate_bodies(self, count: int = 1) -> None:
        """Cut off the next frame that has a body in the middle."""
        self.truncated_bodies += count

    def take_lost_reply(self) -> bool:
        """Return whether this reply is lost."""
        if self.lost_replies:
            self.lost_replies -= 1
            return True
        return False

    def take_truncation(self) -> bool:
        """Return whether this frame is cut off."""
        if self.truncated_bodies:
            self.truncated_bodies -= 1
            return True
        return False

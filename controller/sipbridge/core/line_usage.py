"""Which call holds which line. Pure.

Keyed by the channel UUID of the A leg, so that giving back is idempotent: FreeSWITCH may tell twice, or a
reconciliation may have told before.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from sipbridge.core.account_pool import Line
from sipbridge.core.call import ChannelUuid


class LineUsage:
    """The lines taken by calls in progress."""

    def __init__(self) -> None:
        self._held: dict[ChannelUuid, Line] = {}

    def __len__(self) -> int:
        return len(self._held)

    def __iter__(self) -> Iterator[ChannelUuid]:
        return iter(self._held)

    @property
    def held(self) -> Mapping[ChannelUuid, Line]:
        """The line that each call holds, those that took theirs first at the beginning."""
        return MappingProxyType(self._held)

    def get(self, channel_uuid: ChannelUuid) -> Line | None:
        """The line that this call holds."""
        return self._held.get(channel_uuid)

    def take(self, channel_uuid: ChannelUuid, line: Line) -> None:
        """Let the call hold `line`. Taking the line it holds already changes nothing.

        Raises:
            ValueError: the call holds another line.
        """
        held = self._held.get(channel_uuid)
        if held is line:
            return
        if held is not None:
            raise ValueError(f"channel {channel_uuid} holds the line of {held.account.uri} already")
        self._held[channel_uuid] = line
        line.take()

    def give_back(self, channel_uuid: ChannelUuid) -> Line | None:
        """Free the line that the call holds; None when it holds none (any more)."""
        line = self._held.pop(channel_uuid, None)
        if line is not None:
            line.give_back()
        return line

    def restore(self, found: Mapping[ChannelUuid, Line]) -> None:
        """Hold the lines of calls that were found in progress, over the limit if need be: they are running."""
        for channel_uuid, line in found.items():
            if channel_uuid not in self._held:
                self.take(channel_uuid, line)

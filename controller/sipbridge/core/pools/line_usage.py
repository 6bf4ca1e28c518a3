"""Which call holds which line. Pure.

Keyed by the channel UUID of the A leg, so that giving back is idempotent: FreeSWITCH may tell twice, or a
reconciliation may have told before.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from sipbridge.core.accounts.account import AccountId
from sipbridge.core.pools.account_pool import Line
from sipbridge.core.sip.call import ChannelUuid


class LineUsage:
    """The lines taken by calls in progress.

    A call may be found before the account that it goes through, which a database has yet to tell: it waits, and takes
    its line as soon as there is one.
    """

    def __init__(self) -> None:
        self._held: dict[ChannelUuid, Line] = {}
        self._account_of_waiting: dict[ChannelUuid, AccountId] = {}
        self._waiting: dict[AccountId, set[ChannelUuid]] = {}

    def __len__(self) -> int:
        return len(self._held)

    def __iter__(self) -> Iterator[ChannelUuid]:
        return iter(self._held)

    @property
    def held(self) -> Mapping[ChannelUuid, Line]:
        """The line that each call holds, those that took theirs first at the beginning."""
        return MappingProxyType(self._held)

    @property
    def known(self) -> set[ChannelUuid]:
        """The calls that hold a line, and those that wait for their account."""
        return {*self._held, *self._account_of_waiting}

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
        self._wait_no_longer(channel_uuid)
        line = self._held.pop(channel_uuid, None)
        if line is not None:
            line.give_back()
        return line

    def wait_for(self, channel_uuid: ChannelUuid, account: AccountId) -> None:
        """Let a call that was found wait for its account, unless it holds the line of one that was removed since."""
        if channel_uuid not in self._held:
            self._wait_no_longer(channel_uuid)
            self._account_of_waiting[channel_uuid] = account
            self._waiting.setdefault(account, set()).add(channel_uuid)

    def claim(self, line: Line) -> None:
        """An account is there: let the calls that waited for it hold its line, over the limit if need be."""
        for channel_uuid in self._waiting.pop(line.id, ()):
            del self._account_of_waiting[channel_uuid]
            self.take(channel_uuid, line)

    def _wait_no_longer(self, channel_uuid: ChannelUuid) -> None:
        account = self._account_of_waiting.pop(channel_uuid, None)
        if account is not None:
            self._waiting[account].discard(channel_uuid)
            if not self._waiting[account]:
                del self._waiting[account]

    def restore(self, found: Mapping[ChannelUuid, Line]) -> None:
        """Hold the lines of calls that were found in progress, over the limit if need be: they are running."""
        for channel_uuid, line in found.items():
            if channel_uuid not in self._held:
                self._wait_no_longer(channel_uuid)
                self.take(channel_uuid, line)

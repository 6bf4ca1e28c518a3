"""Tracks which call holds which line. Pure.

Keyed by the channel UUID of the A leg, so that releasing is idempotent: FreeSWITCH may report an end twice, or a
reconciliation may have noticed it before.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from sipbridge.core.accounts.account import AccountId
from sipbridge.core.pools.account_pool import Line
from sipbridge.core.sip.call import ChannelUuid


class LineUsage:
    """The lines taken by calls in progress.

    A call in progress may be found before its account has been loaded from the database: it waits, and takes its line
    when the account arrives.
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
        """The line of each call, in the order in which they were taken."""
        return MappingProxyType(self._held)

    @property
    def known(self) -> set[ChannelUuid]:
        """Return the calls that hold a line or wait for their account."""
        return {*self._held, *self._account_of_waiting}

    def get(self, channel_uuid: ChannelUuid) -> Line | None:
        """Return the line that this call holds, if any."""
        return self._held.get(channel_uuid)

    def take(self, channel_uuid: ChannelUuid, line: Line) -> None:
        """Assign `line` to the call. Taking the same line again changes nothing.

        Raises:
            ValueError: the call already holds another line.
        """
        held = self._held.get(channel_uuid)
        if held is line:
            return
        if held is not None:
            raise ValueError(f"channel {channel_uuid} holds the line of {held.account.uri} already")
        self._held[channel_uuid] = line
        line.take()

    def give_back(self, channel_uuid: ChannelUuid) -> Line | None:
        """Release and return the line of the call; None if it holds none."""
        self._wait_no_longer(channel_uuid)
        line = self._held.pop(channel_uuid, None)
        if line is not None:
            line.give_back()
        return line

    def wait_for(self, channel_uuid: ChannelUuid, account: AccountId) -> None:
        """Make a found call wait for its account, unless it still holds the line of a removed account."""
        if channel_uuid not in self._held:
            self._wait_no_longer(channel_uuid)
            self._account_of_waiting[channel_uuid] = account
            self._waiting.setdefault(account, set()).add(channel_uuid)

    def claim(self, line: Line) -> None:
        """Assign the line of a newly loaded account to the calls that waited for it, even above the limit."""
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
        """Assign lines to calls found in progress, even above the limit, because the calls exist."""
        for channel_uuid, line in found.items():
            if channel_uuid not in self._held:
                self._wait_no_longer(channel_uuid)
                self.take(channel_uuid, line)

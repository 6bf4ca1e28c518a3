"""Tracks accounts whose credentials were rejected, and when each may retry. Pure; times are monotonic seconds."""

from __future__ import annotations

import heapq

from sipbridge.core.accounts.account import AccountId
from sipbridge.core.backoff import doubled_pause_s

FIRST_RETRY_S = 60.0
LONGEST_RETRY_S = 3600.0


class Refusals:
    """Keeps accounts from being locked out.

    FreeSWITCH retries every half minute forever; registrars lock an account, or the source address, after some wrong
    passwords. So a rejected account waits: a minute at first, then twice as long each time, up to an hour.
    """

    def __init__(self) -> None:
        self._refusals: dict[AccountId, int] = {}
        self._waiting: dict[AccountId, float] = {}
        self._queue: list[tuple[float, AccountId]] = []

    def __contains__(self, account: AccountId) -> bool:
        """Return whether the account still has to wait."""
        return account in self._waiting

    def __len__(self) -> int:
        return len(self._waiting)

    def next_try(self, account: AccountId) -> float | None:
        """Return when the account may retry; None if it need not wait."""
        return self._waiting.get(account)

    def refuse(self, account: AccountId, now: float) -> float:
        """Count another rejection, and return how long the account has to wait."""
        refusals = self._refusals[account] = self._refusals.get(account, 0) + 1
        pause = doubled_pause_s(refusals, FIRST_RETRY_S, LONGEST_RETRY_S)
        self._waiting[account] = now + pause
        heapq.heappush(self._queue, (now + pause, account))
        return pause

    def clear(self, account: AccountId) -> None:
        """Forget an account that was accepted or has new credentials."""
        self._refusals.pop(account, None)
        self._waiting.pop(account, None)

    def take_due(self, now: float) -> list[AccountId]:
        """Return and remove the accounts that may retry now."""
        due = []
        while self._queue and self._queue[0][0] <= now:
            at, account = heapq.heappop(self._queue)
            # An account that was cleared or rejected again has no time or a later one.
            if self._waiting.get(account) == at:
                del self._waiting[account]
                due.append(account)
        return due

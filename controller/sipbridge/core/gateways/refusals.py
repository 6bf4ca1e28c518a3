"""Accounts whose credentials were refused, and when each may try again. Pure; times in seconds, only ever growing."""

from __future__ import annotations

import heapq

from sipbridge.core.accounts.account import AccountId
from sipbridge.core.backoff import doubled_pause_s

FIRST_RETRY_S = 60.0
LONGEST_RETRY_S = 3600.0


class Refusals:
    """Keeps accounts from being locked out.

    FreeSWITCH tries for ever, and every half minute; registrars lock an account, or the address it comes from, after
    some wrong passwords. So a refused account waits: a minute at first, then twice as long each time, up to an hour.
    """

    def __init__(self) -> None:
        self._refusals: dict[AccountId, int] = {}
        self._waiting: dict[AccountId, float] = {}
        self._queue: list[tuple[float, AccountId]] = []

    def __contains__(self, account: AccountId) -> bool:
        """Whether it has to wait still."""
        return account in self._waiting

    def __len__(self) -> int:
        return len(self._waiting)

    def next_try(self, account: AccountId) -> float | None:
        """When it may try again; None when it need not wait."""
        return self._waiting.get(account)

    def refuse(self, account: AccountId, now: float) -> float:
        """Note that it was refused once more; how long it has to wait."""
        refusals = self._refusals[account] = self._refusals.get(account, 0) + 1
        pause = doubled_pause_s(refusals, FIRST_RETRY_S, LONGEST_RETRY_S)
        self._waiting[account] = now + pause
        heapq.heappush(self._queue, (now + pause, account))
        return pause

    def clear(self, account: AccountId) -> None:
        """Forget all of it: it was accepted, or has other credentials now."""
        self._refusals.pop(account, None)
        self._waiting.pop(account, None)

    def take_due(self, now: float) -> list[AccountId]:
        """The accounts whose time has come; they wait no longer."""
        due = []
        while self._queue and self._queue[0][0] <= now:
            at, account = heapq.heappop(self._queue)
            # One that was cleared, or refused again since, has another time or none.
            if self._waiting.get(account) == at:
                del self._waiting[account]
                due.append(account)
        return due

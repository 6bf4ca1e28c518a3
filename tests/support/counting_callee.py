"""A far side that takes every call, and counts how many each account has at once. Pure, but for a lock."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable

from support.sip_message import SipMessage, sdp
from support.sip_rule import Reply


class Callee:
    """Answers each call at once, and knows from INVITE to BYE whose it is.

    Attributes:
        answered: calls that it took.
        oversold: accounts that called although they had all the calls that they may have, once for each such call.
    """

    def __init__(self, calls_per_line: int) -> None:
        self.answered = 0
        self.oversold: list[str] = []
        self._calls_per_line = calls_per_line
        self._account_of: dict[str, str] = {}
        self._lock = threading.Lock()

    def rule(self, request: SipMessage) -> Iterable[Reply]:
        """What it answers."""
        with self._lock:
            match request.method:
                case "INVITE" if not request.in_dialog:
                    return self._take(request)
                case "BYE" | "CANCEL":
                    self._account_of.pop(request["Call-ID"], None)
        return [] if request.method == "ACK" else [Reply(200, "OK")]

    def forget(self) -> None:
        """The switch was killed, and said goodbye to nobody."""
        with self._lock:
            self._account_of.clear()

    @property
    def calls(self) -> Counter[str]:
        """How many calls each account has, as far as it has heard."""
        with self._lock:
            return Counter(self._account_of.values())

    @property
    def in_progress(self) -> int:
        """Calls that it has not heard the end of."""
        return len(self._account_of)

    def _take(self, invite: SipMessage) -> list[Reply]:
        account = invite["From"].partition("sip:")[2].partition("@")[0]
        if invite["Call-ID"] not in self._account_of:
            if Counter(self._account_of.values())[account] >= self._calls_per_line:
                self.oversold.append(account)
            self._account_of[invite["Call-ID"]] = account
            self.answered += 1
        return [Reply(180, "Ringing"), Reply(200, "OK", body=sdp())]

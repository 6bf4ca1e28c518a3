"""Drains a provider, an account or the whole bridge, or undoes that; calls in progress continue."""

from __future__ import annotations

import dataclasses
import difflib
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

from sipbridge.core.accounts.account import account_id
from sipbridge.core.errors import SipBridgeError, UriError
from sipbridge.core.pools.account_pool import Line
from sipbridge.core.sip.uri import SipUri, parse_sip_uri
from sipbridge.ports import Scheduler
from sipbridge.services.calls.call_control import CallControl
from sipbridge.services.switch_session import SwitchSession

_log = logging.getLogger(__name__)

_COMPARED = 1_000
"""Maximum number of names to compare for a suggestion: a comparison takes about 20 µs."""


class NotKnown(SipBridgeError):
    """The provider or account is unknown; the message suggests the closest name."""


@dataclass(frozen=True, slots=True)
class Drained:
    """The result of a drain command.

    Attributes:
        what: ``the bridge``, ``provider "Jabiru"`` or ``account sip:alice@example.org``.
        takes_calls: whether it accepts new calls now, as far as this command is concerned.
        calls: calls in progress.
        where: what these calls belong to, if it is more than `what`.
    """

    what: str
    takes_calls: bool
    calls: int
    where: str = ""

    def __str__(self) -> str:
        takes = "accepts new calls again" if self.takes_calls else "accepts no new calls"
        where = f" {self.where}" if self.where else ""
        return f"{self.what} {takes}; {self.calls} call{'' if self.calls == 1 else 's'} in progress{where}"


class Drain:
    """Carries out drain commands. They last until they are undone or the daemon ends."""

    def __init__(self, calls: CallControl, session: SwitchSession, scheduler: Scheduler) -> None:
        self._calls = calls
        self._session = session
        self._scheduler = scheduler

    def bridge(self, *, undo: bool = False) -> Drained:
        """Make FreeSWITCH answer all new calls with 503 itself."""
        if undo:
            self._session.take_calls_again()
        else:
            self._session.stop_taking_calls()
        return _logged(Drained("the bridge", undo, self._calls.calls_in_progress))

    def provider(self, name: str, *, undo: bool = False) -> Drained:
        """Decline the calls that match a provider.

        Raises:
            NotKnown: the provider is unknown.
        """
        table = self._calls.table
        pools = {provider.account_pool for provider in table.providers if provider.name == name}
        if not pools:
            raise NotKnown(_not_known("provider", name, [provider.name for provider in table.providers]))
        drained = table.drained - {name} if undo else table.drained | {name}
        self._calls.use_table(dataclasses.replace(table, drained=drained))
        calls = sum(line.calls for pool in pools for line in table.pools[pool])
        return _logged(Drained(f'provider "{name}"', undo, calls, "on the accounts of its pool"))

    def account(self, text: str, *, undo: bool = False) -> Drained:
        """Decline the calls that would use an account, in all pools that have it.

        Args:
            text: its URI.

        Raises:
            NotKnown: the account is unknown.
        """
        lines = self._lines(text)
        if not lines:
            all_lines = [line for pool in self._calls.table.pools.values() for line in pool]
            raise NotKnown(self._scheduler.apart(lambda: _not_known("account", text, _similar(text, all_lines))))
        for line in lines:
            line.set_drained(not undo)
        return _logged(Drained(f"account {lines[0].account.uri}", undo, sum(line.calls for line in lines)))

    def _lines(self, text: str) -> Sequence[Line]:
        uri = _uri(text)
        if uri is None:
            return []
        pools = self._calls.table.pools.items()
        return [line for name, pool in pools if (line := pool.get(account_id(name, uri)))]


def _similar(text: str, lines: Iterable[Line]) -> list[str]:
    """Return accounts that may have been meant: those whose name starts the same way."""
    start = text.removeprefix("sip:")[:2]
    uris = (line.account.uri for line in lines)
    return [uri.text for uri in islice((uri for uri in uris if uri.userinfo.startswith(start)), _COMPARED)]


def _uri(text: str) -> SipUri | None:
    try:
        return parse_sip_uri(text)
    except UriError:
        return None


def _not_known(what: str, name: str, known: Iterable[str]) -> str:
    nearest = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    hint = f'; did you mean "{nearest[0]}"?' if nearest else ""
    return f'unknown {what} "{name}"{hint}'


def _logged(drained: Drained) -> Drained:
    _log.info("%s", drained)
    return drained

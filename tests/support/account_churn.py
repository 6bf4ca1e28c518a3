"""A bridge on the simulator whose accounts keep changing, with calls in progress."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from random import Random

import gevent

from sipbridge.config.load import parse_providers
from sipbridge.core.accounts.account import Account, SecretType
from sipbridge.core.accounts.account_notification import AccountNotification
from sipbridge.core.sip.uri import SipUri, parse_sip_uri
from sipbridge.daemon.app import App
from sipbridge.ports import LoadedAccounts
from sipbridge.settings import load_settings
from sipbridge.simulator import CallState, SimulatedCall, Simulator

POOL = "Jabiru"
DOMAIN = "jabiru.example.org"
CALLS_PER_LINE = 3
_TICK_S = 0.05
_BATCH = 50
_PROXIES = (None, *(parse_sip_uri(f"sip:proxy{number}.example.org") for number in (1, 2)))
_QUERIES = {"initQuery": "SELECT * FROM users", "updateQuery": "SELECT * FROM users WHERE id = :identifier"}
_PROVIDERS = {
    "schemaVersion": 2,
    "providers": [
        {
            "name": "any account",
            "triggerCondition": {"strategy": "MatchRegex", "pattern": "sip:any@.*", "source": "{requestUri}"},
            "accountToUse": {"strategy": "Random"},
            "onAccountNotFound": "decline",
            "outgoingInvite": {"to": "sip:callee@{account.uri.hostport}"},
            "accountPool": POOL,
        },
        {
            "name": "the caller's account",
            "triggerCondition": {"strategy": "Always"},
            "accountToUse": {"strategy": "FindInPool", "source": "{from}", "by": "alias"},
            "onAccountNotFound": "decline",
            "outgoingInvite": {"to": "sip:callee@{account.uri.hostport}", "from": "{account.uri}"},
            "accountPool": POOL,
        },
    ],
    "accountPools": {
        POOL: {
            "outboundProxy": f"<sip:{DOMAIN};transport=tls>",
            "registrationRequired": True,
            "maxCallsPerLine": CALLS_PER_LINE,
            "loader": {"dbBackend": "sqlite3", "connection": "nowhere.sqlite", **_QUERIES},
        }
    },
}


class MemoryDatabase:
    """The accounts of one pool, by the user part of their URIs, as an `AccountSource`."""

    def __init__(self) -> None:
        self.rows: dict[str, Account] = {}

    def load_all(self) -> Iterator[LoadedAccounts]:
        """What is there now, in batches; a database makes others wait for none of them."""
        rows = list(self.rows.values())
        for start in range(0, len(rows), _BATCH):
            gevent.sleep(0)
            yield LoadedAccounts(rows[start : start + _BATCH])

    def load_each(self, identifiers: Sequence[str]) -> Iterator[Account | None]:
        """The accounts of these users, as they are when the question arrives."""
        rows = [self.rows.get(identifier) for identifier in identifiers]
        for row in rows:
            gevent.sleep(0)
            yield row

    def close(self) -> None:
        """Nothing is open."""


def account(user: str) -> Account:
    """An account of `user`, with an alias."""
    return Account(_uri(user), alias=_alias(user, 0), secret="pw", secret_type=SecretType.CLEAR_TEXT)


class Accounts:
    """Adds, changes and deletes accounts, each change followed by its notification.

    Args:
        users: everybody who may have an account.

    Attributes:
        changes: how many were made of each kind.
    """

    def __init__(self, app: App, database: MemoryDatabase, users: list[str], random: Random) -> None:
        self.changes = {"added": 0, "changed": 0, "deleted": 0}
        self._app = app
        self._rows = database.rows
        self._users = users
        self._random = random
        self._count = 0

    def change_one(self) -> None:
        """Whoever is drawn gets an account, or loses it, or gets another secret, alias or proxy."""
        self._count += 1
        user = self._random.choice(self._users)
        row = self._rows.get(user)
        if row is None:
            self._rows[user] = account(user)
            self.changes["added"] += 1
        elif self._random.random() < 0.25:
            del self._rows[user]
            self.changes["deleted"] += 1
        else:
            self._rows[user] = self._another(row)
            self.changes["changed"] += 1
        self._app.account_changes.on_notification(AccountNotification(user, DOMAIN, user))

    def lose_notifications(self) -> None:
        """Change one that is told to nobody; then they come again, and everything is loaded."""
        self._app.account_changes.on_notifications_down("a test")
        self._rows.pop(self._random.choice(self._users), None)
        self._app.account_changes.on_notifications_up()

    def _another(self, row: Account) -> Account:
        match self._random.randrange(3):
            case 0:
                return dataclasses.replace(row, secret=f"pw{self._count}")
            case 1:
                return dataclasses.replace(row, alias=_alias(row.uri.user, self._count % 2))
            case _:
                return dataclasses.replace(row, outbound_proxy=self._random.choice(_PROXIES))


class Callers:
    """Keep some hundred calls up, and hang up one now and then.

    Attributes:
        calls: those that FreeSWITCH took, by UUID, until somebody takes them out.
        placed: how many there were.
    """

    def __init__(self, simulator: Simulator, users: list[str], random: Random) -> None:
        self.calls: dict[str, SimulatedCall] = {}
        self.placed = 0
        self._simulator = simulator
        self._users = users
        self._random = random

    @property
    def held(self) -> list[SimulatedCall]:
        """The calls that are answered and go on."""
        return [call for call in self._simulator.switch.calls.values() if call.state is CallState.ANSWERED]

    def place_up_to(self, wanted: int, at_once: int) -> None:
        """Call until so many calls are there, but only some at once."""
        for _ in range(min(at_once, wanted - len(self._simulator.switch.calls))):
            self.placed += 1
            callee = "any" if self._random.random() < 0.5 else "callee"
            # Every fourth one has an alias that its account may have had before, or get later.
            caller = _alias(self._random.choice(self._users), int(self._random.random() < 0.25))
            to = f"<sip:{callee}@example.org>"
            call = self._simulator.place_call(f"sip:{callee}@bridge.example.org", f"<{caller}>", to)
            # Without a lease it is over at once, and nobody is told.
            if call.state is not CallState.ENDED:
                self.calls[call.uuid] = call

    def hang_up_one(self) -> None:
        """One call ends, by either side."""
        if held := self.held:
            call = self._random.choice(held)
            self._random.choice((call.hang_up, call.hang_up_callee))()

    def hang_up_all(self) -> None:
        """Every call ends."""
        for call in list(self._simulator.switch.calls.values()):
            call.hang_up()


@contextmanager
def bridge(folder: Path, database: MemoryDatabase) -> Iterator[tuple[Simulator, App]]:
    """The daemon, started on a simulator; its accounts are those of `database`."""
    spool, control = folder / "gateways.xml", folder / "control.sock"
    spool.write_text("<include>\n</include>\n")
    with Simulator(spool_file=spool, tick_s=_TICK_S) as simulator:
        settings = load_settings(
            None,
            {
                "SIPBRIDGE_EVENT_SOCKET__PORT": str(simulator.port),
                "SIPBRIDGE_EVENT_SOCKET__PASSWORD": simulator.password,
                "SIPBRIDGE_EVENT_SOCKET__BACKOFF_MIN_S": "0.05",
                "SIPBRIDGE_EVENT_SOCKET__BACKOFF_MAX_S": "0.1",
                "SIPBRIDGE_GATEWAYS__SPOOL_FILE": str(spool),
                "SIPBRIDGE_GATEWAYS__MAX_REGISTRATIONS_PER_S": "2000",
                "SIPBRIDGE_CONTROL__SOCKET": str(control),
                "SIPBRIDGE_HTTP__PORT": "0",
                "SIPBRIDGE_CALLS__MAX_CALLS_PER_S": "10000",
                # Its thread may be making a tuple just when all objects are asked for, which Python does not bear.
                "SIPBRIDGE_NETWORK__WATCH": "false",
            },
        )
        config = parse_providers(json.dumps(_PROVIDERS).encode(), "providers.json", settings.media_defaults).config
        assert config is not None
        app = App(settings, config, make_source=lambda *_: database)
        app.start()
        try:
            yield simulator, app
        finally:
            app.stop()


def until(what: str, is_so: Callable[[], bool], timeout_s: float = 30.0) -> None:
    """Let everybody run until it is so.

    Raises:
        TimeoutError: naming `what`.
    """
    deadline = time.monotonic() + timeout_s
    while not is_so():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {timeout_s:g} s: {what}")
        gevent.sleep(0.02)


def _uri(user: str) -> SipUri:
    return parse_sip_uri(f"sip:{user}@{DOMAIN}")


def _alias(user: str, number: int) -> SipUri:
    return parse_sip_uri(f"sip:{user}.{number}@example.org")

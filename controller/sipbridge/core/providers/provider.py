"""A provider: which calls it takes, which account it uses for them, and what INVITE it sends. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from pathlib import PurePath

from sipbridge.core.accounts.account import Account
from sipbridge.core.providers.edge import Edge
from sipbridge.core.providers.media import MediaEncryption
from sipbridge.core.providers.template import Template
from sipbridge.core.sip.call import Side
from sipbridge.core.sip.uri import SipUri

UNLIMITED_CALLS = 2**32 - 1
"""`PoolPolicy.max_calls_per_line` of a pool that says nothing about it, which only a file of version 1 may."""


@dataclass(frozen=True, slots=True)
class Always:
    """Triggers for every call."""


@dataclass(frozen=True, slots=True)
class MatchRegex:
    """Triggers when the whole Request-URI matches.

    Attributes:
        pattern: the ECMAScript regular expression, for messages.
        matches: whether a text matches `pattern` from its first to its last character.
    """

    pattern: str
    matches: Callable[[str], bool] = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class RandomAccount:
    """Takes any available account of the pool, all equally likely."""


@dataclass(frozen=True, slots=True)
class FindInPool:
    """Takes the first account whose `by` equals the call's `source`."""

    by: Template
    source: Template


class OnAccountNotFound(Enum):
    """What happens to a call for which the pool has no account, in the words of the providers file."""

    NEXT_PROVIDER = "nextProvider"
    DECLINE = "decline"


@dataclass(frozen=True, slots=True)
class OutgoingInvite:
    """The INVITE of the B leg.

    Attributes:
        to: becomes the Request-URI and the To header.
        from_: becomes the From header.
        outbound_proxy: next hop of the call, before the account's and the pool's; the account's registration is then
            not used.
        media_encryption: None leaves it to the settings.
        enable_avpf: None leaves it to the settings.
    """

    to: Template
    from_: Template
    outbound_proxy: SipUri | None = None
    media_encryption: MediaEncryption | None = None
    enable_avpf: bool | None = None


@dataclass(frozen=True, slots=True)
class Provider:
    """One entry of the providers array.

    Attributes:
        side: where the calls come from that it may take; None for both.
    """

    name: str
    account_pool: str
    trigger: Always | MatchRegex
    account_to_use: RandomAccount | FindInPool
    on_account_not_found: OnAccountNotFound
    outgoing_invite: OutgoingInvite
    side: Side | None = None


@dataclass(frozen=True, slots=True)
class PoolPolicy:
    """What all accounts of a pool have in common.

    Attributes:
        outbound_proxy: next hop of calls, and of REGISTER unless there is a registrar; None for the domain of each
            account.
        max_calls_per_line: calls that one account carries at a time; 0 means none, `UNLIMITED_CALLS` any number.
        registration_interval_ms: least mean time between two REGISTERs of the pool that are not refreshes.
        registrar: where REGISTER goes instead of `outbound_proxy`.
        edge: what takes the accounts for which FreeSWITCH alone does not do; None when there is no such thing.
    """

    name: str
    outbound_proxy: SipUri | None
    registration_required: bool
    max_calls_per_line: int
    registration_interval_ms: int = 0
    unregister_on_shutdown: bool = True
    registrar: SipUri | None = None
    edge: Edge | None = None

    def next_hop(self, account: Account) -> SipUri:
        """Where the calls of an account go: its proxy, or the pool's, or the host of its URI, without port."""
        proxy = account.outbound_proxy or self.outbound_proxy
        return proxy or SipUri("sip", "", account.uri.host, f";transport={account.protocol}")

    def registrar_of(self, account: Account) -> SipUri:
        """Where the REGISTERs of an account go: its registrar, or the pool's, or where its calls go."""
        return account.registrar or self.registrar or self.next_hop(account)


@dataclass(frozen=True, slots=True)
class SqlLoader:
    """Where the accounts of a pool are read from, when they are not in the file.

    Attributes:
        connection: with its password, so it is never shown.
        folder: that of the providers file, where the path of an SQLite file begins if it is not absolute.
    """

    backend: str
    init_query: str
    update_query: str
    connection: str = field(repr=False)
    thread_pool_size: int | None = None
    folder: PurePath = field(default_factory=PurePath)

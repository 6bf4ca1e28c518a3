"""A provider: which calls match it, which account it uses, and what INVITE it sends. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from pathlib import PurePath

from sipbridge.core.accounts.account import Account, AccountFault
from sipbridge.core.accounts.credentials import credential_fault
from sipbridge.core.accounts.next_hops import Networks, next_hop_fault
from sipbridge.core.providers.edge import Edge
from sipbridge.core.providers.media import MediaEncryption
from sipbridge.core.providers.template import Template
from sipbridge.core.sip.call import Side
from sipbridge.core.sip.uri import SipUri

UNLIMITED_CALLS = 2**32 - 1
"""`PoolPolicy.max_calls_per_line` of a pool that does not set it, which is allowed only in files of version 1."""


@dataclass(frozen=True, slots=True)
class Always:
    """Matches every call."""


@dataclass(frozen=True, slots=True)
class MatchRegex:
    """Matches if the whole Request-URI matches the pattern.

    Attributes:
        pattern: the ECMAScript regular expression, for messages.
        matches: returns whether a whole text matches `pattern`.
    """

    pattern: str
    matches: Callable[[str], bool] = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class RandomAccount:
    """Selects a random available account of the pool, all equally likely."""


@dataclass(frozen=True, slots=True)
class FindInPool:
    """Selects the first account whose `by` equals the call's `source`."""

    by: Template
    source: Template


class OnAccountNotFound(Enum):
    """The action when the pool has no account for a call, in the words of the providers file."""

    NEXT_PROVIDER = "nextProvider"
    DECLINE = "decline"


@dataclass(frozen=True, slots=True)
class OutgoingInvite:
    """The INVITE of the B leg.

    Attributes:
        to: the template of the Request-URI and the To header.
        from_: the template of the From header.
        outbound_proxy: next hop of the call; overrides the account's and the pool's, and bypasses the account's
            registration.
        media_encryption: None means as in the settings.
        enable_avpf: None means as in the settings.
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
        max_calls_per_line: maximum simultaneous calls per account; 0 means none, `UNLIMITED_CALLS` any number.
        registration_interval_ms: minimum mean time between two REGISTERs of the pool, not counting refreshes.
        registrar: next hop of REGISTER, instead of `outbound_proxy`.
        edge: the edge for accounts that FreeSWITCH alone cannot serve; None if there is no edge.
        refresh_s: how often the database is read again, without a notification; None for never.
        refused_next_hops: where no account may send its calls or REGISTERs; empty for accounts in the file.
    """

    name: str
    outbound_proxy: SipUri | None
    registration_required: bool
    max_calls_per_line: int
    registration_interval_ms: int = 0
    unregister_on_shutdown: bool = True
    registrar: SipUri | None = None
    edge: Edge | None = None
    refresh_s: float | None = None
    refused_next_hops: Networks = ()

    def fault_of(self, account: Account) -> AccountFault | None:
        """Why an account cannot do, or may not do, what the pool asks of it; None for one that can and may."""
        has_proxy = self.outbound_proxy is not None
        if fault := next_hop_fault(account, self.refused_next_hops, pool_has_proxy=has_proxy):
            return fault
        has_edge = self.edge is not None
        return credential_fault(account, has_edge=has_edge) if self.registration_required else None

    def usable(self, accounts: Iterable[Account]) -> Iterator[Account]:
        """Those of the accounts that the pool uses: each that has no fault, the first where several have one URI."""
        seen: set[str] = set()
        for account in accounts:
            if account.uri.lookup_key not in seen and self.fault_of(account) is None:
                seen.add(account.uri.lookup_key)
                yield account

    def next_hop(self, account: Account) -> SipUri:
        """Return the next hop of an account's calls: its proxy, the pool's, or the host of its URI, without port."""
        proxy = account.outbound_proxy or self.outbound_proxy
        return proxy or SipUri("sip", "", account.uri.host, f";transport={account.protocol}")

    def registrar_of(self, account: Account) -> SipUri:
        """Return the next hop of an account's REGISTERs: its registrar, the pool's, or the next hop of its calls."""
        return account.registrar or self.registrar or self.next_hop(account)


@dataclass(frozen=True, slots=True)
class SqlLoader:
    """The database of a pool whose accounts are not in the file.

    Attributes:
        connection: the connection string; contains a password, so it is never shown.
        folder: the folder of the providers file; a relative path of an SQLite file starts there.
    """

    backend: str
    init_query: str
    update_query: str
    connection: str = field(repr=False)
    thread_pool_size: int | None = None
    folder: PurePath = field(default_factory=PurePath)

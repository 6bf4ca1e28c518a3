"""The state of the bridge at one moment: counts, and the accounts of a query. Pure.

Times are ages and durations in seconds, so setting the clock does not matter. To add a fact, add a field with a default
here; `snapshot_json` transports it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from sipbridge.core.providers.edge import EdgeState


@dataclass(frozen=True, slots=True)
class BridgeState:
    """The daemon itself.

    Attributes:
        takes_calls: whether new calls are decided now.
        is_drained: whether an operator has drained the bridge, or the daemon is stopping.
        is_storm: whether the call rate is above the limit, now or a moment ago.
    """

    version: str
    uptime_s: float
    takes_calls: bool
    is_drained: bool = False
    is_storm: bool = False


@dataclass(frozen=True, slots=True)
class SwitchState:
    """FreeSWITCH, and the connection to it.

    Attributes:
        problem: why it is not connected; ``""`` if it is.
        since_s: how long it has been connected or disconnected.
        has_lease: whether the daemon holds the lease; without it, FreeSWITCH answers calls with 503.
        version: such as ``1.10.12``; ``""`` while unknown.
        sessions: channels in FreeSWITCH, including those of other applications.
        idle_cpu_percent: idle CPU of the host, as reported by FreeSWITCH.
        loses_much: whether `lost_mb` is so large that the profile should be restarted.
        lost_gateways: gateways deleted since their profile started; they take memory until it restarts.
        lost_mb: the estimated memory that they take.
    """

    is_connected: bool
    problem: str
    since_s: float
    has_lease: bool
    version: str = ""
    uptime_s: float | None = None
    sessions: int | None = None
    max_sessions: int | None = None
    idle_cpu_percent: float | None = None
    lost_gateways: int = 0
    lost_mb: float = 0.0
    loses_much: bool = False


@dataclass(frozen=True, slots=True)
class CallCounts:
    """Calls decided and calls ended in a period.

    Attributes:
        declined: declined calls by reason: ``{"lines-taken": 3}``.
        failed: bridged calls that were not answered, by hangup cause: ``{"USER_BUSY": 2}``.
    """

    bridged: int = 0
    answered: int = 0
    declined: Mapping[str, int] = field(default_factory=dict)
    failed: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TrafficState:
    """The calls of all providers.

    Attributes:
        per_second: calls decided per second, over the last ten seconds.
        recent: counts of the last five minutes.
        total: counts since the daemon started.
    """

    in_progress: int
    per_second: float
    recent: CallCounts
    total: CallCounts


@dataclass(frozen=True, slots=True)
class Failure:
    """A failure.

    Attributes:
        what: the failure, such as ``sip:alice@example.org: 403 Forbidden``.
        age_s: how long ago it happened.
    """

    what: str
    age_s: float


@dataclass(frozen=True, slots=True)
class ProviderState:
    """One entry of the providers array.

    Attributes:
        calls: calls in progress that it bridged since the daemon started.
        last_failure: the last call that it declined, or that failed, not counting failures by the callee's choice.
        dtls_fault: why FreeSWITCH must not do its DTLS-SRTP, so that its calls are declined; ``""`` if it may.
    """

    name: str
    pool: str
    is_drained: bool = False
    calls: int = 0
    recent: CallCounts = CallCounts()
    total: CallCounts = CallCounts()
    last_failure: Failure | None = None
    dtls_fault: str = ""


@dataclass(frozen=True, slots=True)
class SourceState:
    """The state of a pool's database.

    Attributes:
        status: such as ``up to date``.
        problem: why the last query failed; ``""`` if it succeeded.
        skipped_rows: rows that are not valid accounts.
    """

    status: str
    problem: str = ""
    skipped_rows: int = 0


@dataclass(frozen=True, slots=True)
class PoolState:
    """The accounts of one pool.

    Attributes:
        registrar: where the accounts register, except those with a registrar or proxy of their own.
        available: accounts that a new call could use now.
        registrations: accounts by status: ``{"OK": 2, "Registration failed": 1}``; zeros are left out.
        failures: failing accounts by reason, the most frequent reasons: ``{"403 Forbidden": 1}``.
        lines_used: calls in progress.
        last_failure: the account that most recently began to fail.
        source: its database; None for accounts in the providers file.
        skipped_accounts: accounts of the providers file that are invalid or duplicate.
        shared_aliases: aliases that several accounts have, where calls find accounts by their alias.
    """

    name: str
    registrar: str
    registration_required: bool
    accounts: int
    available: int
    registrations: Mapping[str, int]
    failures: Mapping[str, int]
    drained: int
    lines_used: int
    max_calls_per_line: int
    last_failure: Failure | None = None
    source: SourceState | None = None
    skipped_accounts: int = 0
    shared_aliases: int = 0

    @property
    def lines(self) -> int:
        """The capacity in calls of all accounts together."""
        return self.accounts * self.max_calls_per_line


@dataclass(frozen=True, slots=True)
class AccountState:
    """One account.

    Attributes:
        status: the registration status, in the words of SIP_BRIDGE INFO.
        reason: why it cannot register, such as ``403 Forbidden``.
        failing_s: how long it has been failing.
        next_try_s: seconds until it may retry; None if FreeSWITCH retries by itself.
        gateway: the name of its gateway; ``""`` while it has none.
        proxy: next hop of its calls.
    """

    uri: str
    alias: str
    pool: str
    status: str
    reason: str
    is_drained: bool
    calls: int
    max_calls: int
    failing_s: float | None = None
    next_try_s: float | None = None
    gateway: str = ""
    proxy: str = ""
    registrar: str = ""


class AccountOrder(Enum):
    """The order of accounts."""

    NEED = "need"
    """Failing accounts first, longest failing first; then the busiest; then the others."""
    CALLS = "calls"
    ADDRESS = "address"


@dataclass(frozen=True, slots=True)
class AccountQuery:
    """A query for accounts.

    Attributes:
        limit: the maximum number; 0 for none.
        offset: how many to skip.
        match: part of a URI or an alias, in upper or lower case.
        pool: only of this pool.
        provider: only of the pool that this provider uses.
        only_failed: only those that cannot register.
    """

    limit: int = 0
    offset: int = 0
    order: AccountOrder = AccountOrder.NEED
    match: str = ""
    pool: str = ""
    provider: str = ""
    only_failed: bool = False


@dataclass(frozen=True, slots=True)
class AccountPage:
    """The accounts that match a query.

    Attributes:
        matching: the total number of matching accounts.
        took_s: the time the query took; a client that polls should pause much longer than this.
    """

    rows: tuple[AccountState, ...] = ()
    offset: int = 0
    matching: int = 0
    took_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The whole state.

    Attributes:
        redis: ``OK``, ``not used``, or why no notifications arrive.
        edge: None if there is no edge.
        network: why a profile is not bound to an address of this host; empty if all are.
        sip: which profiles do not answer SIP in time; empty if all do.
    """

    bridge: BridgeState
    switch: SwitchState
    traffic: TrafficState
    providers: tuple[ProviderState, ...]
    pools: tuple[PoolState, ...]
    redis: str = "not used"
    accounts: AccountPage = AccountPage()
    edge: EdgeState | None = None
    network: str = ""
    sip: str = ""

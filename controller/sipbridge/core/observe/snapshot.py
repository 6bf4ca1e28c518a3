"""How the bridge is doing at one moment: counts, and the accounts that somebody asked for. Pure.

Times are ages and pauses in seconds, so that a clock that is set changes nothing. A new fact is a field with a default,
here and nowhere else: `snapshot_json` carries it.
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
        is_drained: whether an operator wishes that none are, or the daemon is stopping.
        is_storm: whether there are more calls a second than are let in, now or a moment ago.
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
        problem: why it is not connected; ``""`` when it is.
        since_s: how long it has been connected, or not.
        has_lease: whether FreeSWITCH lets calls through to us; without it, it answers 503.
        version: ``1.10.12``; ``""`` while it is not known.
        sessions: channels that FreeSWITCH has, other applications' included.
        idle_cpu_percent: of the machine, as FreeSWITCH sees it.
        loses_much: whether that is so much that the profile should be restarted.
        lost_gateways: those that were deleted since their profile started; they take memory until it restarts.
        lost_mb: how much, an estimate.
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
    """Calls that were decided in some time, and those that ended in it.

    Attributes:
        declined: how many for which reason: ``{"lines-taken": 3}``.
        failed: bridged ones that nobody answered, by FreeSWITCH's word for why: ``{"USER_BUSY": 2}``.
    """

    bridged: int = 0
    answered: int = 0
    declined: Mapping[str, int] = field(default_factory=dict)
    failed: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TrafficState:
    """The calls of all providers.

    Attributes:
        per_second: calls that were decided, a second, in the last ten.
        recent: in the last five minutes.
        total: since the daemon was started.
    """

    in_progress: int
    per_second: float
    recent: CallCounts
    total: CallCounts


@dataclass(frozen=True, slots=True)
class Failure:
    """Something that went wrong.

    Attributes:
        what: ``sip:alice@example.org: 403 Forbidden``.
        age_s: how long ago.
    """

    what: str
    age_s: float


@dataclass(frozen=True, slots=True)
class ProviderState:
    """One entry of the providers array.

    Attributes:
        calls: calls in progress that it bridged, as far as they began since the daemon was started.
        last_failure: the last call that it declined, or that failed otherwise than by the callee's wish.
        dtls_fault: why its calls are declined: the FreeSWITCH that runs does not verify DTLS fingerprints.
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
    """How a pool gets on with its database.

    Attributes:
        status: ``up to date``.
        problem: why it could not be asked last time; ``""`` when it could.
        skipped_rows: rows that are no account.
    """

    status: str
    problem: str = ""
    skipped_rows: int = 0


@dataclass(frozen=True, slots=True)
class PoolState:
    """The accounts of one pool.

    Attributes:
        registrar: where they register, those apart that have a registrar or proxy of their own.
        available: how many a call could take now.
        registrations: how many stand where: ``{"OK": 2, "Registration failed": 1}``; only what there is.
        failures: how many cannot register for which reason, the commonest ones: ``{"403 Forbidden": 1}``.
        lines_used: calls in progress.
        last_failure: the account that began last to fail to register.
        source: its database; None for accounts in the providers file.
        skipped_accounts: those of the providers file that are invalid or there twice.
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

    @property
    def lines(self) -> int:
        """Calls that all accounts together could carry."""
        return self.accounts * self.max_calls_per_line


@dataclass(frozen=True, slots=True)
class AccountState:
    """One account.

    Attributes:
        status: of its registration, in the words of SIP_BRIDGE INFO.
        reason: why it cannot register: ``403 Forbidden``.
        failing_s: how long it has not been able to.
        next_try_s: when it may try again; None when FreeSWITCH tries by itself.
        gateway: FreeSWITCH's name for it; ``""`` while it has none.
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
    """Which accounts come first."""

    NEED = "need"
    """Those that need a person: cannot register, for longest first; then the busiest; then the others."""
    CALLS = "calls"
    ADDRESS = "address"


@dataclass(frozen=True, slots=True)
class AccountQuery:
    """Which accounts somebody wants to see.

    Attributes:
        limit: how many at most; 0 for none at all.
        offset: how many to pass over.
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
    """The accounts that were asked for.

    Attributes:
        matching: how many there are altogether.
        took_s: what looking for them cost; who asks again and again leaves pauses that are long beside it.
    """

    rows: tuple[AccountState, ...] = ()
    offset: int = 0
    matching: int = 0
    took_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All of it.

    Attributes:
        redis: ``OK``, ``not used``, or why no notifications come.
        edge: None when there is none.
        network: what keeps a profile from being bound to an address of this host; empty when nothing does.
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

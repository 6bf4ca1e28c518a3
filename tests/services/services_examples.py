"""Examples for tests of the services: pools, providers, calls, and all services around one switch in memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from memory_switch import FakeClock, FakeScheduler, MemoryProfiles, MemorySwitch

from sipbridge.config.load import LoadResult
from sipbridge.core.accounts.account import Account, SecretType
from sipbridge.core.bridge_config import BridgeConfig
from sipbridge.core.calls.events import CallEnded, CallParked, GatewayStateChanged
from sipbridge.core.calls.routing import DeclineReason, RoutingTable
from sipbridge.core.gateways.gateway import Gateway, GatewayName
from sipbridge.core.pools.account_pool import AccountPool, Line
from sipbridge.core.providers.provider import (
    Always,
    FindInPool,
    OnAccountNotFound,
    OutgoingInvite,
    PoolPolicy,
    Provider,
)
from sipbridge.core.providers.template import TemplateScope, parse_template
from sipbridge.core.sip.call import CallRequest, ChannelUuid
from sipbridge.core.sip.uri import parse_sip_uri
from sipbridge.ports import EdgeControl
from sipbridge.services.accounts.account_sync import SyncState
from sipbridge.services.accounts.unread_pools import UnreadPools
from sipbridge.services.edge.edge_sync import EdgeSync
from sipbridge.services.gateways.gateway_keeper import KeeperSettings
from sipbridge.services.observe.call_log import CallLog
from sipbridge.services.operate.reload import Databases, Follow
from sipbridge.services.parts import Ports, ServiceSettings, build_operations, build_services

LEASE_RENEWAL_S = 2.0
CONFIRM_TIMEOUT_S = 10.0
LOST_MEMORY_WARNING_MB = 1
_LATER = (DeclineReason.DRAINING, DeclineReason.OVERLOAD)
STATUS_LINES = {reason: f"{503 if reason in _LATER else 488} {reason.value}" for reason in DeclineReason}
BY_ALIAS = parse_template("{alias}", TemplateScope.BY)


def policy(name: str = "Pool", **differing: object) -> PoolPolicy:
    usual: dict[str, object] = {"registration_required": True, "max_calls_per_line": 2}
    return PoolPolicy(name, parse_sip_uri("sip:proxy.example.net"), **(usual | differing))  # type: ignore[arg-type]


def account(user: str, secret: str = "secret") -> Account:
    return Account(
        parse_sip_uri(f"sip:{user}@provider.example.net"),
        alias=parse_sip_uri(f"sip:{user}@home.example.org"),
        secret=secret,
        secret_type=SecretType.CLEAR_TEXT,
    )


def pool(*users: str, with_: PoolPolicy | None = None) -> AccountPool:
    made = AccountPool(with_ or policy(), [BY_ALIAS])
    for user in users:
        made.add(account(user))
    return made


def outbound(pool_name: str = "Pool", outbound_proxy: str | None = None) -> Provider:
    """Takes the account whose alias is the caller."""
    return Provider(
        name=f"through {pool_name}",
        account_pool=pool_name,
        trigger=Always(),
        account_to_use=FindInPool(BY_ALIAS, parse_template("{from}", TemplateScope.SOURCE)),
        on_account_not_found=OnAccountNotFound.NEXT_PROVIDER,
        outgoing_invite=OutgoingInvite(
            to=parse_template("sip:{incoming.to.user}@{account.uri.hostport}", TemplateScope.INVITE),
            from_=parse_template("{account.uri}", TemplateScope.INVITE),
            outbound_proxy=parse_sip_uri(outbound_proxy) if outbound_proxy else None,
        ),
    )


def parked(
    channel: str, user: str = "alice", profile: str = "inside", gateway: str = "", offer: str | None = None
) -> CallParked:
    request = CallRequest(
        "sip:carol@bridge.example.org", f"<sip:{user}@home.example.org>;tag=1", "<sip:carol@home.example.org>"
    )
    call_id = f"{channel}@example.org"
    return CallParked(ChannelUuid(channel), request, call_id, profile, gateway, "192.0.2.1:5080", offer)


def ended(channel: str, cause: str = "NORMAL_CLEARING", answered: bool = True) -> CallEnded:
    return CallEnded(ChannelUuid(channel), cause, answered)


def _settings(max_registrations_per_s: int, max_calls_per_s: float) -> ServiceSettings:
    return ServiceSettings(
        KeeperSettings(600, max_registrations_per_s, CONFIRM_TIMEOUT_S, "providers", LOST_MEMORY_WARNING_MB),
        status_lines=STATUS_LINES,
        inside="inside",
        providers="providers",
        recoverable=False,
        max_calls_per_s=max_calls_per_s,
        lease_renewal_s=LEASE_RENEWAL_S,
        network_stable_s=1.0,
        epoch="this daemon",
    )


class MemorySources:
    """Databases, as far as others look at them."""

    def __init__(self) -> None:
        self.redis_status = "not used"
        self.is_redis_up: bool | None = None
        self.sync_states: dict[str, SyncState] = {}
        self.notifications: dict[str, int] = {}

    def states(self) -> Mapping[str, SyncState]:
        return self.sync_states

    def pending_notifications(self) -> Mapping[str, int]:
        return self.notifications


class Unread(UnreadPools):
    """Databases that a test has read when it says so."""

    def __init__(self, knows_all: Callable[[], bool]) -> None:
        super().__init__()
        self._knows_all = knows_all

    def knows_all(self) -> bool:
        return self._knows_all()


class Services:
    """All services around one switch in memory, built as the daemon builds them; the greenlets are the test.

    Attributes:
        file: what the providers file says when it is reloaded.
        follow: what has the databases read that a configuration names.
    """

    def __init__(
        self,
        *pools: AccountPool,
        providers: tuple[Provider, ...] | None = None,
        switch: MemorySwitch | None = None,
        edge: EdgeControl | None = None,
        max_registrations_per_s: int = 1_000,
        max_calls_per_s: float = 10_000,
        random_below: Callable[[int], int] = lambda _: 0,
        knows_all: Callable[[], bool] = lambda: True,
        config: BridgeConfig | None = None,
        follow: Follow = lambda config, pools: None,
        databases: Databases | None = None,
    ) -> None:
        self.clock = FakeClock()
        self.scheduler = FakeScheduler()
        self.switch = switch or MemorySwitch()
        self.profiles = MemoryProfiles()
        self.sources = MemorySources()
        self.file = LoadResult(None, ())
        named = {each.policy.name: each for each in pools or (pool("alice", "bob"),)}
        table = RoutingTable(tuple(map(outbound, named)) if providers is None else providers, named)
        ports = Ports(
            self.clock,
            self.scheduler,
            calls=self.switch,
            gateways=self.switch,
            lease=self.switch,
            profiles=self.profiles,
            edge=edge,
            random_below=random_below,
            sip_answer_time_s=lambda ip, port, timeout_s: 0.001,
        )
        self.parts = build_services(
            ports, table, _settings(max_registrations_per_s, max_calls_per_s), Unread(knows_all)
        )
        self.journal, self.calls, self.admission = self.parts.journal, self.parts.calls, self.parts.admission
        self.keeper, self.session, self.members = self.parts.gateways, self.parts.session, self.parts.members
        self.traffic, self.feed = self.parts.traffic, self.parts.feed
        self.journal.add(CallLog())
        self.switch.listener = self.session
        self.operations = build_operations(
            self.parts, self.sources, config or BridgeConfig((), {}), lambda: self.file, follow, "1.2.3", databases
        )
        self.status, self.drain = self.operations.status, self.operations.drain

    @property
    def edge(self) -> EdgeSync:
        assert self.parts.edge is not None
        return self.parts.edge

    @property
    def sync_states(self) -> dict[str, SyncState]:
        return self.sources.sync_states

    @property
    def table(self) -> RoutingTable:
        return self.calls.table

    @property
    def pools(self) -> Mapping[str, AccountPool]:
        return self.calls.table.pools

    def account_changed(self, line: Line) -> None:
        """An account is new or another, as a database tells."""
        self.members.admit(line)

    def step(self, seconds: float = 0.0) -> None:
        """Let time pass, do what is due, and tell what came of it."""
        self.clock.advance(seconds)
        self.session.step()
        self.keeper.step()
        self.switch.deliver()

    def settle(self) -> None:
        """Two steps: all paces begin with one gateway alone."""
        self.step()
        self.step(0.25)

    def connect(self) -> None:
        self.session.on_switch_up()

    def disconnect(self) -> None:
        self.session.on_switch_down("a test")

    def register(self, *users: str) -> None:
        """Have the far side accept the registration of these accounts, or of all."""
        for gateway in self.gateways():
            if gateway.name in self.switch.down and (not users or gateway.username in users):
                self.switch.down.discard(gateway.name)
                self.switch.up.add(gateway.name)
                self.state(gateway, "REGED")

    def state(self, gateway: Gateway, state: str, sip_status: str = "", phrase: str = "") -> None:
        self.switch.events.append(GatewayStateChanged(gateway.name, state, sip_status, phrase))
        self.switch.deliver()

    def connect_and_register(self) -> None:
        """The usual beginning: connected, every gateway added and registered."""
        self.connect()
        self.settle()
        self.register()
        assert all(line.is_available for each in self.pools.values() for line in each)

    def gateways(self) -> list[Gateway]:
        """The last gateway added for each account, in the order of adding."""
        return list({gateway.account_id: gateway for gateway in self.switch.added}.values())

    def gateway(self, user: str) -> Gateway:
        return next(gateway for gateway in self.gateways() if gateway.username == user)

    def gateway_name(self, user: str) -> GatewayName:
        return self.gateway(user).name

    def line(self, user: str) -> Line:
        return next(line for each in self.pools.values() for line in each if line.account.uri.user == user)

    def park(self, channel: str, user: str = "alice", **differing: str) -> None:
        """A call arrives: it exists, and its event is told; the table shows it later."""
        self.switch.alive.add(ChannelUuid(channel))
        self.session.on_switch_event(parked(channel, user, **differing))

    def end(self, channel: str, cause: str = "NORMAL_CLEARING") -> None:
        self.switch.alive.discard(ChannelUuid(channel))
        self.session.on_switch_event(ended(channel, cause))

    def show(self, channel: str, user: str | None = "alice") -> None:
        """Have the table of channels show a call, with the account that its mark names."""
        self.switch.table[ChannelUuid(channel)] = self.line(user).id if user else None

    def bridged(self) -> list[str]:
        return [each.channel for each in self.switch.bridged]

    def declined(self) -> list[tuple[str, str]]:
        return [(each.channel, each.status_line.partition(" ")[2]) for each in self.switch.responded]

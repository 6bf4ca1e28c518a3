"""A switch in memory and a manual clock: records commands, with scripted events."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from sipbridge.core.accounts.account import AccountId
from sipbridge.core.calls.events import GatewayAdded, GatewayDeleted, SwitchEvent
from sipbridge.core.gateways.gateway import Gateway, GatewayName
from sipbridge.core.network import HostNetwork
from sipbridge.core.sip.call import ChannelUuid
from sipbridge.ports import Outcome, SwitchListener

_T = TypeVar("_T")

LOCAL_ADDRESS = "192.0.2.10"
"""What the profile of the providers' side is bound to."""


class FakeClock:
    """Time that passes when a test says so."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def monotonic(self) -> float:
        return self.now

    def wall(self) -> float:
        return 1_700_000_000.0 + self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


class FakeScheduler:
    """Nobody else runs, but what a test scripts.

    Attributes:
        at_breath: done at each breath.
        while_apart: done while the next work is done apart, once.
    """

    def __init__(self) -> None:
        self.breaths = 0
        self.at_breath: Callable[[], None] = lambda: None
        self.while_apart: deque[Callable[[], None]] = deque()

    def breathe(self) -> None:
        self.breaths += 1
        self.at_breath()

    def pause(self, seconds: float) -> None:
        self.breathe()

    def apart(self, work: Callable[[], _T]) -> _T:
        result = work()
        while self.while_apart:
            self.while_apart.popleft()()
        return result


@dataclass(frozen=True)
class Bridged:
    """A parked call was to be connected."""

    channel: ChannelUuid
    dial_string: str
    on_done: Callable[[Outcome], None] = field(repr=False)
    has_offer: bool = True

    @property
    def account_id(self) -> AccountId:
        """The account that FreeSWITCH will know the call by."""
        return AccountId(self.dial_string.partition("%[sip_bridge_account=")[2].partition("]")[0])


@dataclass(frozen=True)
class Responded:
    """A parked call was to be declined."""

    channel: ChannelUuid
    status_line: str
    on_done: Callable[[Outcome], None] = field(repr=False)
    retry_after_s: int | None = None


class MemorySwitch:
    """The ports of a switch: calls, gateways and lease.

    Every command and question is noted in `log` by its name, in order. A test scripts what a question comes to:
    `failures` are raised instead of an answer, once each; `meanwhile` runs after the answer has been made and before it
    is given, which is when events arrive in real life.

    Attributes:
        table: what ``show channels`` shows, up to date or not, and the account of each.
        alive: the channels that exist.
        takes_gateways: whether gateways in the spool are taken.
        known_codecs: those that calls may use.
        events: told to the listener by `deliver`.
    """

    def __init__(self) -> None:
        self.log: list[str] = []
        self.failures: dict[str, deque[Exception]] = {}
        self.meanwhile: dict[str, deque[Callable[[], None]]] = {}
        self.events: deque[SwitchEvent] = deque()
        self.listener: SwitchListener | None = None
        self.bridged: list[Bridged] = []
        self.responded: list[Responded] = []
        self.added: list[Gateway] = []
        self.removed: list[GatewayName] = []
        self.registered: list[GatewayName] = []
        self.table: dict[ChannelUuid, AccountId | None] = {}
        self.alive: set[ChannelUuid] = set()
        self.salt = b"salt"
        self.known_codecs = ("PCMA", "PCMU")
        self.lost = 0
        self.takes_gateways = True
        self.has_certificate = True
        self.up: set[str] = set()
        self.down: set[str] = set()
        self.deleting: list[GatewayName] = []
        self.claims = 0

    # What a test does

    def fail(self, name: str, *errors: Exception) -> None:
        """Have the next calls of `name` raise these, one each."""
        self.failures.setdefault(name, deque()).extend(errors)

    def during(self, name: str, happening: Callable[[], None]) -> None:
        """Have this happen while the next call of `name` waits for its answer."""
        self.meanwhile.setdefault(name, deque()).append(happening)

    def deliver(self) -> None:
        """Tell the listener all that has happened."""
        while self.events:
            assert self.listener is not None
            self.listener.on_switch_event(self.events.popleft())

    def delete_marked(self) -> None:
        """The tick, once a second, in which what `remove_gateway` marked is deleted."""
        for name in self.deleting:
            self.up.discard(name)
            self.down.discard(name)
            self.events.append(GatewayDeleted(name))
        self.deleting.clear()

    def count(self, name: str) -> int:
        """How often this was called."""
        return self.log.count(name)

    # The port

    def bridge(
        self, channel: ChannelUuid, dial_string: str, on_done: Callable[[Outcome], None], *, has_offer: bool = True
    ) -> None:
        self.log.append("bridge")
        self.bridged.append(Bridged(channel, dial_string, on_done, has_offer))

    def respond(
        self,
        channel: ChannelUuid,
        status_line: str,
        on_done: Callable[[Outcome], None],
        retry_after_s: int | None = None,
    ) -> None:
        self.log.append("respond")
        self.responded.append(Responded(channel, status_line, on_done, retry_after_s))

    def codecs(self) -> Sequence[str]:
        return self.known_codecs

    def channels(self) -> Sequence[ChannelUuid]:
        answer = list(self.table)
        self._wait("channels")
        return answer

    def call_states(self) -> Mapping[ChannelUuid, str]:
        self._wait("call_states")
        return dict.fromkeys(self.table, "ACTIVE")

    def accounts_of(self, channels: Collection[ChannelUuid]) -> Mapping[ChannelUuid, AccountId | None]:
        answer = {channel: self.table.get(channel) for channel in self.alive & set(channels)}
        self._wait("accounts_of")
        return answer

    def gateways(self) -> tuple[set[str], set[str]]:
        answer = set(self.up), set(self.down)
        self._wait("gateways")
        return answer

    def gateway_salt(self) -> bytes:
        self._wait("gateway_salt")
        return self.salt

    def has_dtls_certificate(self) -> bool:
        self._wait("has_dtls_certificate")
        return self.has_certificate

    def lost_gateways(self) -> int:
        self._wait("lost_gateways")
        return self.lost

    def keep_lost_gateways(self, count: int) -> None:
        self.log.append("keep_lost_gateways")
        self.lost = count

    def add_gateways(self, gateways: Sequence[Gateway]) -> None:
        self._wait("add_gateways")
        for gateway in gateways:
            self.added.append(gateway)
            # A gateway that is there already, marked for deletion or not, is left as it is, and nothing is told.
            if self.takes_gateways and gateway.name not in self.up | self.down:
                (self.down if gateway.register else self.up).add(gateway.name)
                self.events.append(GatewayAdded(gateway.name))

    def remove_gateway(self, name: GatewayName) -> None:
        self.log.append("remove_gateway")
        self.removed.append(name)
        if name in self.up | self.down and name not in self.deleting:
            self.deleting.append(name)

    def register_gateway(self, name: GatewayName) -> None:
        self.log.append("register_gateway")
        self.registered.append(name)

    def hold_calls(self) -> None:
        self.log.append("hold_calls")

    def release_calls(self) -> None:
        self.log.append("release_calls")

    def renew_lease(self) -> None:
        self.log.append("renew_lease")

    def end_lease(self) -> None:
        self.log.append("end_lease")

    def keep_claim(self) -> None:
        # Not in the log: it says nothing of calls, and comes whatever else happens.
        self.claims += 1

    def _wait(self, name: str) -> None:
        self.log.append(name)
        happenings = self.meanwhile.get(name)
        if happenings:
            happenings.popleft()()
        failures = self.failures.get(name)
        if failures:
            raise failures.popleft()


class MemoryProfiles:
    """The `SofiaProfiles` port.

    Attributes:
        bound: what each running profile is bound to.
        configured: what its configuration says; ``$`` for the address that FreeSWITCH knows of the host.
        local: that address.
        failures: raised by the next questions, once each.
    """

    def __init__(self) -> None:
        self.bound: dict[str, str] = {"providers": LOCAL_ADDRESS, "inside": "127.0.0.1"}
        self.configured: dict[str, str | None] = {"providers": "$", "inside": "127.0.0.1"}
        self.local = LOCAL_ADDRESS
        self.restarted: list[str] = []
        self.failures: deque[Exception] = deque()

    def address(self, profile: str) -> str | None:
        if self.failures:
            raise self.failures.popleft()
        return self.bound.get(profile)

    def configured_address(self, profile: str) -> str | None:
        configured = self.configured[profile]
        return self.local if configured == "$" else configured

    def follow_host(self, network: HostNetwork, family_of: str) -> None:
        if not network.has(self.local):
            self.local = network.source_like(family_of) or self.local

    def restart(self, profile: str) -> None:
        self.restarted.append(profile)
        self.bound.pop(profile, None)

    def finish_restart(self) -> None:
        for profile in self.configured:
            self.bound.setdefault(profile, self.configured_address(profile) or "")

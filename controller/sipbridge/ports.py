"""What services need of the world, as Protocols; adapters provide it, and tests do so in memory."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from sipbridge.core.accounts.account import Account, AccountId
from sipbridge.core.accounts.account_notification import AccountNotification
from sipbridge.core.accounts.account_row import RowError
from sipbridge.core.calls.call_record import CallDecided, CallRecord
from sipbridge.core.calls.events import SwitchEvent
from sipbridge.core.errors import SipBridgeError
from sipbridge.core.gateways.gateway import Gateway, GatewayName
from sipbridge.core.network import HostNetwork
from sipbridge.core.sip.call import ChannelUuid

_T = TypeVar("_T")


class SwitchLost(SipBridgeError):
    """There is no connection to the switch, or it broke."""


class SwitchTaken(SipBridgeError):
    """Another controller has the switch: this one has to stop."""


class NotSent(SwitchLost):
    """The command never left: nothing happened, and it may be sent again."""


class Unconfirmed(SwitchLost):
    """The command left, but no answer came: it may have been carried out."""


class CommandRefused(SipBridgeError):
    """The switch answered with an error.

    Attributes:
        reply: its text: ``-ERR invalid session id [...]``.
    """

    def __init__(self, command: str, reply: str) -> None:
        super().__init__(f"{command}: {reply}")
        self.reply = reply


Outcome = None | SwitchLost | CommandRefused
"""How a command that nobody waits for ended: None when it was carried out."""


class SwitchCalls(Protocol):
    """FreeSWITCH, as far as calls go.

    Questions wait for the answer, and raise `SwitchLost` or `CommandRefused`. Commands with `on_done` never wait.
    """

    def bridge(
        self, channel: ChannelUuid, dial_string: str, on_done: Callable[[Outcome], None], *, has_offer: bool = True
    ) -> None:
        """Connect a parked call; its offer, if it has one, was checked, and may be read from now on."""

    def respond(
        self,
        channel: ChannelUuid,
        status_line: str,
        on_done: Callable[[Outcome], None],
        retry_after_s: int | None = None,
    ) -> None:
        """Decline a parked call: ``488 Not Acceptable Here``, with a Retry-After if that is given."""

    def codecs(self) -> Sequence[str]:
        """Names of the codecs that calls may use, in upper case; empty if the switch does not say."""

    def channels(self) -> Sequence[ChannelUuid]:
        """The calls in progress: their A legs, from a table that may lag behind by a second."""

    def call_states(self) -> Mapping[ChannelUuid, str]:
        """The state of each of these, in FreeSWITCH's words: ``RINGING``, ``ACTIVE``. From the same table."""

    def accounts_of(self, channels: Collection[ChannelUuid]) -> Mapping[ChannelUuid, AccountId | None]:
        """Those of `channels` that exist this very moment, and the account of each; None for one without a B leg."""

    def has_dtls_certificate(self) -> bool:
        """Whether the switch has a certificate to do DTLS-SRTP with."""


class SwitchGateways(Protocol):
    """FreeSWITCH, as far as gateways go.

    What answers waits for it, and raises `SwitchLost` or `CommandRefused`; so does `add_gateways`. The other commands
    never wait.
    """

    def gateways(self) -> tuple[set[str], set[str]]:
        """Names of the gateways that can be called, and of those that cannot."""

    def gateway_salt(self) -> bytes:
        """The key of gateway names: made at the first call, kept by the switch for as long as it runs."""

    def lost_gateways(self) -> int:
        """The count that `keep_lost_gateways` was given last; 0 after the switch was restarted."""

    def keep_lost_gateways(self, count: int) -> None:
        """Remember how many gateways were deleted since their profile started."""

    def add_gateways(self, gateways: Sequence[Gateway]) -> None:
        """Add gateways; a `GatewayAdded` follows for each one that the switch takes."""

    def remove_gateway(self, name: GatewayName) -> None:
        """Unregister and delete a gateway; a `GatewayDeleted` follows."""

    def register_gateway(self, name: GatewayName) -> None:
        """Send a REGISTER now, whether the gateway has registered before or waits to try again."""


class SwitchLease(Protocol):
    """FreeSWITCH, as far as it lets calls through to the daemon. Nothing here waits."""

    def hold_calls(self) -> None:
        """Refuse new calls in the dialplan, until they are released or the lease is renewed."""

    def release_calls(self) -> None:
        """Resume accepting calls."""

    def renew_lease(self) -> None:
        """Accept calls for some seconds more."""

    def end_lease(self) -> None:
        """Answer new calls with 503 from now on."""

    def keep_claim(self) -> None:
        """Let the switch know that its controller lives, whether it takes calls or not."""


class SwitchListener(Protocol):
    """Receives the events of the switch."""

    def on_switch_up(self) -> None:
        """The connection stands and events flow; what happened before is unknown. May wait for the switch."""

    def on_switch_down(self, reason: str) -> None:
        """The connection is lost, or could not be made; told at each attempt. Must not wait."""

    def on_switch_event(self, event: SwitchEvent) -> None:
        """Something happened. Must not wait."""


class CallObserver(Protocol):
    """Who is told what becomes of calls, to count, write or show it. Nothing here may wait: a call waits for it."""

    def on_call_decided(self, decided: CallDecided) -> None:
        """A call was bridged or declined; the command is on its way to the switch."""

    def on_call_over(self, record: CallRecord) -> None:
        """A call is over, however it ended; told once for each."""


class SofiaProfiles(Protocol):
    """The SIP profiles of FreeSWITCH and what they are bound to. Waits, and raises `SwitchLost` or `CommandRefused`."""

    def address(self, profile: str) -> str | None:
        """The IP address that a profile is bound to; None while it does not run."""

    def udp_port(self, profile: str) -> tuple[str, int] | None:
        """The IP address and UDP port on which a profile takes SIP; None while it does not run."""

    def configured_address(self, profile: str) -> str | None:
        """What the configuration names for it now, read anew; None where that is no address, but a way to find one."""

    def follow_host(self, network: HostNetwork, family_of: str) -> None:
        """Let FreeSWITCH know the host's own address, if the one that it knows is gone.

        Args:
            family_of: an address of the family that it is about.
        """

    def restart(self, profile: str) -> None:
        """Bind a profile anew, by its configuration. It loses its calls and gateways; a `ProfileStarted` follows.

        Raises:
            CommandRefused: it has started a moment ago, or there is none of this name.
        """


class NetworkListener(Protocol):
    """Who is told how the host's network is."""

    def on_network(self, network: HostNetwork) -> None:
        """It may have changed. Must not wait."""


class EdgeLost(SipBridgeError):
    """The edge does not answer. Says where and why, and holds no secret."""


class EdgeRefused(SipBridgeError):
    """The edge answers with an error. Says to what and which, and holds no secret."""


class EdgeControl(Protocol):
    """The edge's table of accounts: what it has to know of each gateway that goes through it, by the gateway's name.

    All of it waits for the edge, and raises `EdgeLost` or `EdgeRefused`.
    """

    def epoch(self) -> str | None:
        """Who has filled the table; None after the edge was started."""

    def set_epoch(self, epoch: str) -> None:
        """Note who fills it."""

    def put(self, entries: Iterable[tuple[GatewayName, str]]) -> None:
        """Let it have these entries, as `core.edge.edge_entry` makes them."""

    def delete(self, names: Iterable[GatewayName]) -> None:
        """Let it have these no more, if it has them."""

    def count(self) -> int:
        """How many entries it has."""

    def clear(self) -> None:
        """Let it have none, and nobody's name."""


class NotificationListener(Protocol):
    """Who is told which accounts have changed in the database. Nothing here may wait."""

    def on_notifications_up(self) -> None:
        """Notifications come from now on; what changed before is unknown. Told again after each loss."""

    def on_notifications_down(self, reason: str) -> None:
        """None come any more, or none can be had to begin with; told once, not at each attempt."""

    def on_notification(self, notification: AccountNotification) -> None:
        """An account has changed, or is new, or is gone."""


class SourceUnavailable(SipBridgeError):
    """The accounts cannot be read now; later they may be. Says why, without the password."""


class SourceError(SipBridgeError):
    """The accounts cannot be read before somebody mends a query or the database. Says what, without the password."""


@dataclass(frozen=True, slots=True)
class LoadedAccounts:
    """Some accounts of a pool, as they come.

    Attributes:
        accounts: the next ones, some hundred.
        skipped: rows among these that are no account; the source has logged why.
    """

    accounts: Sequence[Account]
    skipped: int = 0


class AccountSource(Protocol):
    """Where the accounts of one pool are, when they are not in the file.

    Both wait without holding up other greenlets, and raise `SourceUnavailable` or `SourceError`.
    """

    def load_all(self) -> Iterator[LoadedAccounts]:
        """Every account, in batches. What an error leaves behind is not all: nothing may be deleted because of it."""

    def load_each(self, identifiers: Sequence[str]) -> Iterator[Account | RowError | None]:
        """The accounts that notifications name, in this order; several are asked for at a time.

        Each of them is as it was at some moment since this was called: None when it is gone, an error when what is
        there is no account.
        """


class Clock(Protocol):
    """Time, as it passes and as it is told."""

    def monotonic(self) -> float:
        """Seconds since some moment, only ever growing."""

    def wall(self) -> float:
        """Seconds since 1970, for people; whoever sets the machine's clock moves it."""


class Scheduler(Protocol):
    """Those who run in the same thread, as far as long work has to think of them."""

    def breathe(self) -> None:
        """Let the others run, then go on."""

    def pause(self, seconds: float) -> None:
        """Let the others run for so long."""

    def apart(self, work: Callable[[], _T]) -> _T:
        """Do something long where it holds up nobody; wait for its result."""

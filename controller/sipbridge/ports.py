"""What services need from outside, as Protocols; adapters implement them, and tests do so in memory."""

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
    """The connection to the switch could not be made or was lost."""


class SwitchTaken(SipBridgeError):
    """Another controller has the switch: this one has to stop."""


class NotSent(SwitchLost):
    """The command was never sent: nothing happened, and it may be sent again."""


class Unconfirmed(SwitchLost):
    """The command was sent, but no answer arrived: it may have been carried out."""


class CommandRefused(SipBridgeError):
    """The switch answered with an error.

    Attributes:
        reply: the text of the error: ``-ERR invalid session id [...]``.
    """

    def __init__(self, command: str, reply: str) -> None:
        super().__init__(f"{command}: {reply}")
        self.reply = reply


Outcome = None | SwitchLost | CommandRefused
"""The outcome of a command sent without waiting: None if it was carried out."""


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
        """Decline a parked call, such as ``488 Not Acceptable Here``, optionally with Retry-After."""

    def codecs(self) -> Sequence[str]:
        """Names of the codecs that calls may use, in upper case; empty if the switch does not say."""

    def channels(self) -> Sequence[ChannelUuid]:
        """Return the A legs of the calls in progress, from a table that may lag behind by a second."""

    def call_states(self) -> Mapping[ChannelUuid, str]:
        """The state of each of these, in FreeSWITCH's words: ``RINGING``, ``ACTIVE``. From the same table."""

    def accounts_of(self, channels: Collection[ChannelUuid]) -> Mapping[ChannelUuid, AccountId | None]:
        """Return those of `channels` that exist right now, with their accounts; None for a channel without a B leg."""

    def has_dtls_certificate(self) -> bool:
        """Whether the switch has a certificate to do DTLS-SRTP with."""


class SwitchGateways(Protocol):
    """FreeSWITCH, as far as gateways go.

    What answers waits for it, and raises `SwitchLost` or `CommandRefused`; so does `add_gateways`. The other commands
    never wait.
    """

    def gateways(self) -> tuple[set[str], set[str]]:
        """Return the names of the gateways that are up, and of those that are down."""

    def gateway_salt(self) -> bytes:
        """Return the key of gateway names: created on first use, and kept by the switch as long as it runs."""

    def lost_gateways(self) -> int:
        """The count that `keep_lost_gateways` was given last; 0 after the switch was restarted."""

    def keep_lost_gateways(self, count: int) -> None:
        """Store how many gateways were deleted since their profile started."""

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
        """The connection is up and events arrive; earlier events are unknown. May wait for the switch."""

    def on_switch_down(self, reason: str) -> None:
        """The connection was lost or could not be made; called at each attempt. Must not wait."""

    def on_switch_event(self, event: SwitchEvent) -> None:
        """An event arrived. Must not wait."""


class CallObserver(Protocol):
    """Receives decisions and ends of calls, to count, write or show them. Must not wait: it would delay the call."""

    def on_call_decided(self, decided: CallDecided) -> None:
        """A call was bridged or declined; the command is on its way to the switch."""

    def on_call_over(self, record: CallRecord) -> None:
        """A call has ended, for any reason; called once per call."""


class SofiaProfiles(Protocol):
    """The SIP profiles of FreeSWITCH and their addresses. Waits, and raises `SwitchLost` or `CommandRefused`."""

    def address(self, profile: str) -> str | None:
        """Return the IP address that a profile is bound to; None while it is not running."""

    def udp_port(self, profile: str) -> tuple[str, int] | None:
        """The IP address and UDP port on which a profile takes SIP; None while it does not run."""

    def configured_address(self, profile: str) -> str | None:
        """Reload the configuration and return the profile's address in it; None if it is not a fixed address."""

    def follow_host(self, network: HostNetwork, family_of: str) -> None:
        """Update FreeSWITCH's own address of this host, if the one it knows is gone.

        Args:
            family_of: an address whose IP version is meant.
        """

    def restart(self, profile: str) -> None:
        """Restart a profile with its configuration. It loses its calls and gateways; a `ProfileStarted` follows.

        Raises:
            CommandRefused: the profile started only a moment ago, or does not exist.
        """


class NetworkListener(Protocol):
    """Receives the state of the host's network."""

    def on_network(self, network: HostNetwork) -> None:
        """The network may have changed. Must not wait."""


class EdgeLost(SipBridgeError):
    """The edge does not answer. The message says where and why, and contains no secret."""


class EdgeRefused(SipBridgeError):
    """The edge answered with an error. The message names the command and the error, and contains no secret."""


class EdgeControl(Protocol):
    """The edge's table of accounts, with an entry per gateway that goes through it, by the gateway's name.

    All methods wait for the edge, and raise `EdgeLost` or `EdgeRefused`.
    """

    def epoch(self) -> str | None:
        """Return the id of the daemon that filled the table; None after a start of the edge."""

    def set_epoch(self, epoch: str) -> None:
        """Store the id of the daemon that fills the table."""

    def put(self, entries: Iterable[tuple[GatewayName, str]]) -> None:
        """Add or replace entries, formatted by `core.providers.edge.edge_entry`."""

    def delete(self, names: Iterable[GatewayName]) -> None:
        """Delete these entries, if present."""

    def count(self) -> int:
        """Return the number of entries."""

    def clear(self) -> None:
        """Delete all entries and the epoch."""


class NotificationListener(Protocol):
    """Receives notifications of changed accounts. Must not wait."""

    def on_notifications_up(self) -> None:
        """Notifications arrive from now on; earlier changes are unknown. Called again after each loss."""

    def on_notifications_down(self, reason: str) -> None:
        """No notifications arrive, because of a loss or a failed first connection; called once, not at each attempt."""

    def on_notification(self, notification: AccountNotification) -> None:
        """An account was added, changed or deleted."""


class SourceUnavailable(SipBridgeError):
    """The accounts cannot be read now, but may be later. The message says why, without the password."""


class SourceError(SipBridgeError):
    """The accounts cannot be read until a query or the database is fixed. Says why, without the password."""


@dataclass(frozen=True, slots=True)
class LoadedAccounts:
    """A batch of a pool's accounts.

    Attributes:
        accounts: the next accounts, a few hundred.
        skipped: rows of the batch that are not valid accounts; the source has logged why.
    """

    accounts: Sequence[Account]
    skipped: int = 0


class AccountSource(Protocol):
    """The database of a pool's accounts.

    Both methods wait without blocking other greenlets, and raise `SourceUnavailable` or `SourceError`.
    """

    def load_all(self) -> Iterator[LoadedAccounts]:
        """Yield all accounts in batches. After an error the list is incomplete: delete no account because of it."""

    def load_each(self, identifiers: Sequence[str]) -> Iterator[Account | RowError | None]:
        """Yield the accounts with these identifiers, in this order; several are read in parallel.

        Each reflects a state after this call: None if the account is gone, an error if its row is not a valid account.
        """


class Clock(Protocol):
    """Monotonic and wall-clock time."""

    def monotonic(self) -> float:
        """Return monotonic seconds."""

    def wall(self) -> float:
        """Return seconds since 1970, for people; setting the host's clock changes it."""


class Scheduler(Protocol):
    """The other greenlets, for code that must yield to them."""

    def breathe(self) -> None:
        """Let other greenlets run once."""

    def pause(self, seconds: float) -> None:
        """Let other greenlets run for some seconds."""

    def apart(self, work: Callable[[], _T]) -> _T:
        """Run long work where it blocks no greenlet, and wait for its result."""

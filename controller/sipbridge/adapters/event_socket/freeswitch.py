"""Implements the three ports of a switch on FreeSWITCH: sends its commands and turns its events into values."""

from __future__ import annotations

import logging
import re
import secrets
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial

import gevent
import orjson

from sipbridge.adapters.event_socket.background_jobs import BackgroundJobs
from sipbridge.adapters.event_socket.claim import CLAIM_EVENT, Claim
from sipbridge.adapters.event_socket.command_tally import CommandTally
from sipbridge.adapters.event_socket.connection import EventSocketConnection
from sipbridge.adapters.event_socket.events import PARSERS, parse_status
from sipbridge.adapters.event_socket.json_events import Event
from sipbridge.adapters.event_socket.lease import LEASE_VARIABLE, PAUSE, RESUME, Lease
from sipbridge.adapters.event_socket.link import Link, LinkSettings
from sipbridge.adapters.event_socket.recovery import recover_calls
from sipbridge.adapters.event_socket.spool import Spool
from sipbridge.adapters.event_socket.unanswered import Reply
from sipbridge.core.accounts.account import AccountId
from sipbridge.core.calls.dial_string import ACCOUNT_VARIABLE
from sipbridge.core.calls.events import SwitchEvent
from sipbridge.core.calls.usable_offer import parse_codec_list
from sipbridge.core.gateways.gateway import Gateway, GatewayName
from sipbridge.core.observe import metrics
from sipbridge.core.observe.metric import Metric
from sipbridge.core.sip.call import ChannelUuid
from sipbridge.ports import CommandRefused, NotSent, Outcome, SwitchListener, SwitchLost, SwitchTaken

_log = logging.getLogger(__name__)

SALT_VARIABLE = "sipbridge_salt"
_DTLS_CERTIFICATE = "dtls-srtp.pem"
LOST_GATEWAYS_VARIABLE = "sipbridge_lost_gateways"
_CODECS_VARIABLE = "sipbridge_codecs"
"""The codecs that calls may use, by FreeSWITCH's configuration."""
_COUNT = re.compile("[0-9]{1,12}")
_SALT = re.compile("[0-9a-f]{64}")
_ACCOUNT_ID = re.compile(r"[0-9a-f]{16}")
_PATIENCE = 12
"""Factor on the timeout of commands that take FreeSWITCH seconds with tens of thousands of gateways."""
_NOT_OF_CHANNELS = ("HEARTBEAT", "SHUTDOWN", "BACKGROUND_JOB", "CUSTOM")
_SUBSCRIPTION = f"event json CHANNEL_PARK CHANNEL_HANGUP_COMPLETE {' '.join(_NOT_OF_CHANNELS)} " + " ".join(
    (*(name for name in PARSERS if "::" in name), CLAIM_EVENT)
)
# Filters are ORed: events of the bridge's A legs, which the dialplan marks, and events that are not about a channel.
_FILTERS = ("variable_sip_bridge true", *(f"Event-Name {name}" for name in _NOT_OF_CHANNELS))


class FreeSwitch:
    """The switch ports on two Event Socket connections.

    Args:
        provider_profile: the sofia profile that has the gateways.
        lease_s: seconds for which FreeSWITCH accepts calls after `renew_lease`.
        recover_on: the sofia profiles whose calls are recovered after a FreeSWITCH crash; none by default.
        takes_over: whether another controller of this FreeSWITCH is put out.
    """

    def __init__(
        self,
        link: LinkSettings,
        spool: Spool,
        provider_profile: str,
        lease_s: int,
        recover_on: Collection[str] = (),
        *,
        takes_over: bool = False,
    ) -> None:
        self._tally = CommandTally()
        self._link = Link(link, self, tally=self._tally)
        self._spool = spool
        self._profile = provider_profile
        self._recover_on = recover_on
        self._lease = Lease(lease_s)
        self._claim = Claim(lease_s, takes_over=takes_over)
        self._taken: SwitchTaken | None = None
        self._jobs = BackgroundJobs()
        self._long_timeout_s = link.command_timeout_s * _PATIENCE
        self._listener: SwitchListener
        self._commands: EventSocketConnection | None = None

    def run(self, listener: SwitchListener) -> None:
        """Keep the connection to FreeSWITCH up until `stop`, and tell `listener`; the body of a greenlet.

        Raises:
            SwitchTaken: another controller has this FreeSWITCH. Nothing more is sent to it.
        """
        self._listener = listener
        self._link.run()
        if self._taken is not None:
            raise self._taken

    def stop(self) -> None:
        """Disconnect, and leave FreeSWITCH to the next controller."""
        if self._commands is not None:
            self._claim.release(self._commands)
        self._link.stop()

    def metrics(self) -> Iterator[Metric]:
        """Yield the metrics of the connection."""
        yield from self._tally.metrics()
        commands = self._commands
        yield metrics.SWITCH_UP.one(commands is not None)
        yield metrics.COMMANDS_PENDING.one(commands.pending_commands if commands else 0)

    def on_link_up(self, events: EventSocketConnection, commands: EventSocketConnection) -> None:
        """Subscribe, then let the listener catch up. Filters are set first, so that no other events ever arrive."""
        self._commands = commands
        try:
            puts_out = self._claim.take(self.api)
        except SwitchTaken as error:
            self._give_way(error)
            raise
        if puts_out:
            events.send(f"sendevent CUSTOM\nEvent-Subclass: {CLAIM_EVENT}\nController: {self._claim.owner}")
        events.register_handle(CLAIM_EVENT, self._on_claimed)
        for name, parse in PARSERS.items():
            events.register_handle(name, partial(self._tell, parse))
        events.register_handle("BACKGROUND_JOB", self._jobs.on_event)
        events.register_handle("SHUTDOWN", lambda _: events.lose("FreeSWITCH is shutting down"))
        for command in (*(f"filter {text}" for text in _FILTERS), _SUBSCRIPTION):
            reply = events.send(command)
            if reply.is_error:
                raise SwitchLost(f"{command}: {reply.text}")
        events.expect_events_only()
        # A killed daemon may have left gateways in the spool.
        self._forget_spool()
        # The first HEARTBEAT may take up to 20 s.
        if (heartbeat := parse_status(self.api("status"))) is not None:
            self._listener.on_switch_event(heartbeat)
        if self._recover_on and self._has_just_started():
            recover_calls(self.api, self._recover_on)
        self._listener.on_switch_up()

    def _on_claimed(self, event: Event) -> None:
        if self._claim.is_other(str(event.get("Controller", ""))):
            self.keep_claim()

    def _give_way(self, error: SwitchTaken) -> None:
        """Send nothing more: whatever stands in FreeSWITCH belongs to the other controller."""
        if self._taken is not None:
            return
        self._taken = error
        self._commands = None
        self._listener.on_switch_down(str(error))
        self._link.give_up()
        gevent.spawn(self._link.stop)

    def _has_just_started(self) -> bool:
        """Return whether no lease was taken or ended since FreeSWITCH started."""
        return self.api(f"global_getvar {LEASE_VARIABLE}").strip() not in ("true", "false")

    def on_link_down(self, reason: str) -> None:
        """Report to the listener that the link was lost or could not be made."""
        self._commands = None
        self._jobs.lose(reason)
        self._listener.on_switch_down(reason)

    def _tell(self, parse: Callable[[Event], SwitchEvent], event: Event) -> None:
        self._listener.on_switch_event(parse(event))

    def bridge(
        self, channel: ChannelUuid, dial_string: str, on_done: Callable[[Outcome], None], *, has_offer: bool = True
    ) -> None:
        """Execute ``bridge`` on the A leg.

        ``filter_codecs`` has FreeSWITCH read the offer, to offer the callee what the caller has. It does not do so when
        the INVITE arrives: sip_profiles/common.inc.
        """
        if not self._may_decide(on_done):
            return
        if has_offer:
            self._post(_execute(channel, "filter_codecs"), _ignore, f"${{{_CODECS_VARIABLE}}}")
        self._post(_execute(channel, "bridge"), on_done, dial_string)

    def respond(
        self,
        channel: ChannelUuid,
        status_line: str,
        on_done: Callable[[Outcome], None],
        retry_after_s: int | None = None,
    ) -> None:
        """Execute ``respond`` on the A leg; ``sip_rh_…`` is a header of the response."""
        if not self._may_decide(on_done):
            return
        if retry_after_s is not None:
            # Not with %[…], which lasts only while `respond` runs: FreeSWITCH sends the response after that.
            self._post(_execute(channel, "set"), _ignore, f"sip_rh_Retry-After={retry_after_s}")
        self._post(_execute(channel, "respond"), on_done, status_line)

    def codecs(self) -> Sequence[str]:
        """Ask for the variable by which `bridge` has FreeSWITCH read an offer."""
        answer = self.api(f"global_getvar {_CODECS_VARIABLE}").strip()
        # An empty answer arrives as an error.
        return () if answer.startswith("-ERR") else parse_codec_list(answer)

    def channels(self) -> Sequence[ChannelUuid]:
        """Send ``show channels``; the inbound channels are the A legs."""
        return list(self.call_states())

    def call_states(self) -> Mapping[ChannelUuid, str]:
        """Return the column ``callstate`` of the same answer."""
        command = "show channels as json"
        text = self.api(command, self._long_timeout_s)
        try:
            table = orjson.loads(text)
        except orjson.JSONDecodeError as error:
            raise CommandRefused(command, text[:200]) from error
        inbound = (row for row in table.get("rows", ()) if row.get("direction") == "inbound")
        return {ChannelUuid(row["uuid"]): row.get("callstate", "") for row in inbound}

    def accounts_of(self, channels: Collection[ChannelUuid]) -> Mapping[ChannelUuid, AccountId | None]:
        """Send ``uuid_getvar`` for all channels at once; it reads the sessions, not a table that lags behind.

        The variable exists as long as ``bridge`` runs on the A leg, and setting it costs no extra command.
        """
        asked = tuple(channels)
        commands = [f"api uuid_getvar {channel} {ACCOUNT_VARIABLE}" for channel in asked]
        replies = self._connection().send_all(commands)
        return {
            channel: AccountId(reply.text) if _ACCOUNT_ID.fullmatch(reply.text) else None
            for channel, reply in zip(asked, replies, strict=True)
            if not reply.is_error
        }

    def gateways(self) -> tuple[set[str], set[str]]:
        """Send ``gwlist up`` and ``gwlist down`` for the provider profile.

        ``up`` is requested twice: a gateway that comes up in between would otherwise be in neither list.
        """
        commands = [f"api sofia profile {self._profile} gwlist {which}" for which in ("up", "down", "up")]
        replies = [reply.text for reply in self._connection().send_all(commands, self._long_timeout_s)]
        for reply in replies:
            if reply.startswith("Invalid Profile"):
                raise CommandRefused("gwlist", reply.strip())
        before, down, up = (set(reply.split()) for reply in replies)
        return up, (before | down) - up

    def gateway_salt(self) -> bytes:
        """Read or set a global variable of FreeSWITCH, which lives exactly as long as the gateways named with it."""
        salt = self.api(f"global_getvar {SALT_VARIABLE}").strip()
        if not _SALT.fullmatch(salt):
            salt = secrets.token_hex(32)
            self.api(f"global_setvar {SALT_VARIABLE}={salt}")
        return bytes.fromhex(salt)

    def has_dtls_certificate(self) -> bool:
        """See the function of this name."""
        return has_dtls_certificate(self.api)

    def lost_gateways(self) -> int:
        """Read a global variable of FreeSWITCH, which is lost together with the memory that it counts."""
        count = self.api(f"global_getvar {LOST_GATEWAYS_VARIABLE}").strip()
        return int(count) if _COUNT.fullmatch(count) else 0

    def keep_lost_gateways(self, count: int) -> None:
        """Set that variable."""
        self._post(f"api global_setvar {LOST_GATEWAYS_VARIABLE}={count}", _ignore)

    def add_gateways(self, gateways: Sequence[Gateway]) -> None:
        """Write the gateways to the spool and rescan the profile."""
        command = f"sofia profile {self._profile} rescan"
        try:
            with self._spool.holding(gateways):
                reply = self._jobs.run(self._connection(), command, self._long_timeout_s)
        finally:
            self._forget_spool()
        # "+OK scan complete" comes even if the XML was rejected: only the first line shows that.
        first_line = reply.partition("\n")[0]
        if first_line != "Reload XML [Success]":
            raise CommandRefused(command, first_line)

    def _forget_spool(self) -> None:
        """Send ``reloadxml`` after the spool was emptied.

        FreeSWITCH keeps the XML it has read, including passwords, in ``freeswitch.xml.fsxml`` beside its log until it
        reads the XML again. Source: switch_xml.c, switch_xml_parse_file.
        """
        self._post("api reloadxml", _ignore)

    def remove_gateway(self, name: GatewayName) -> None:
        """Send ``killgw``: unregisters the gateway and deletes it one tick later."""
        self._post(f"api sofia profile {self._profile} killgw {name}", _ignore)

    def register_gateway(self, name: GatewayName) -> None:
        """Send ``register``: the next tick sends a REGISTER."""
        self._post(f"api sofia profile {self._profile} register {name}", _ignore)

    def hold_calls(self) -> None:
        """Send ``fsctl pause inbound``: sofia answers INVITEs with 503 and Retry-After without creating a session."""
        self._post(f"api {PAUSE}", _ignore)

    def release_calls(self) -> None:
        """Send ``fsctl resume inbound``."""
        self._post(f"api {RESUME}", _ignore)

    def renew_lease(self) -> None:
        """See `Lease.renew`."""
        if self._commands is not None:
            self._lease.renew(self._commands)

    def end_lease(self) -> None:
        """See `Lease.end`."""
        if self._commands is not None:
            self._lease.end(self._commands)

    def _may_decide(self, on_done: Callable[[Outcome], None]) -> bool:
        if self._commands is not None and not self._claim.holds:
            self.keep_claim()
            on_done(NotSent("another controller may have this FreeSWITCH"))
            return False
        return True

    def keep_claim(self) -> None:
        """See `Claim.keep`."""
        if self._commands is not None:
            self._claim.keep(self._commands, self._give_way)

    def api(self, command: str, timeout_s: float | None = None) -> str:
        """Run an API command and return its answer.

        Raises:
            SwitchLost: no answer.
        """
        return self._connection().send(f"api {command}", timeout_s).text

    def _connection(self) -> EventSocketConnection:
        if self._commands is None:
            raise NotSent("FreeSWITCH is not connected")
        return self._commands

    def _post(self, command: str, on_done: Callable[[Outcome], None], body: str | None = None) -> None:
        def on_reply(reply: Reply | SwitchLost) -> None:
            if isinstance(reply, SwitchLost):
                on_done(reply)
            elif reply.is_error:
                on_done(CommandRefused(command.partition("\n")[0], reply.text))
            else:
                on_done(None)

        if self._commands is None:
            on_done(NotSent("FreeSWITCH is not connected"))
        else:
            self._commands.post(command, on_reply, body=body)


def has_dtls_certificate(api: Callable[[str], str]) -> bool:
    """Whether FreeSWITCH sees the file that it makes for itself when it starts. Source: switch_rtp.c, switch_rtp_init.

    Args:
        api: runs an API command and returns its answer.
    """
    folder = api("global_getvar certs_dir").strip()
    return api(f"file_exists {folder}/{_DTLS_CERTIFICATE}").strip() == "true"


def _ignore(outcome: Outcome) -> None:
    """Ignore the outcome of a command whose effect shows in events, or that is repeated every few seconds."""
    if isinstance(outcome, CommandRefused):
        _log.debug("%s", outcome)


def _execute(channel: ChannelUuid, application: str) -> str:
    """Format the command that executes an application; the argument is the body, so no text can break the command.

    Source: switch_ivr.c, switch_ivr_parse_event.
    """
    if "\n" in channel:
        raise AssertionError("a line end in a channel UUID would start another header")
    return f"sendmsg {channel}\ncall-command: execute\nexecute-app-name: {application}\ncontent-type: text/plain"

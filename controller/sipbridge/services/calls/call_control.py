"""Bridges or declines parked calls, and takes and releases lines. Sends commands to the switch.

Deciding and taking the line happen without waiting in between, so no two calls get the same slot.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Protocol, assert_never

from sipbridge.core.accounts.account import AccountId
from sipbridge.core.calls.dial_string import format_dial_string
from sipbridge.core.calls.events import CallEnded, CallParked
from sipbridge.core.calls.routing import (
    Bridge,
    Decision,
    Decline,
    DeclineReason,
    RoutingTable,
    TraceStep,
    Verdict,
    route,
)
from sipbridge.core.calls.usable_offer import why_unusable
from sipbridge.core.errors import SdpError
from sipbridge.core.freeswitch.version import FreeSwitchVersion
from sipbridge.core.gateways.gateway import GatewayName
from sipbridge.core.pools.account_pool import Line
from sipbridge.core.pools.line_usage import LineUsage
from sipbridge.core.providers.media import SwitchDtls
from sipbridge.core.sip.call import CallRequest, ChannelUuid, Side
from sipbridge.core.sip.sdp import SdpOffer, parse_sdp_offer
from sipbridge.core.sip.uri import SipUri
from sipbridge.ports import Clock, CommandRefused, Outcome, SwitchCalls
from sipbridge.services.calls.call_journal import CallJournal

_log = logging.getLogger(__name__)


_NOT_ADMITTED = Decline(DeclineReason.OVERLOAD, "call rate above the limit", None, None, ())
_UNTOLD_OFFER = Decline(DeclineReason.MALFORMED_OFFER, "SDP: it holds ${, so FreeSWITCH hides it", None, None, ())
_SERVICE_UNAVAILABLE = "503"
_RETRY_AFTER_S = 5
"""Seconds until the proxy in front may retry this bridge; short, like most storms. Without it, 503 means the same as
500 (RFC 3261 §21.5.4)."""


class CallGateways(Protocol):
    """What deciding a call asks about gateways."""

    def gateway_of(self, line: Line) -> GatewayName | None:
        """The name of an account's gateway; None while FreeSWITCH does not have it."""

    def account_behind(self, gateway: str) -> SipUri | None:
        """The URI of the account whose gateway has this name; None for an unknown one."""


class CallControl:
    """Decides every call of one switch.

    Args:
        journal: told how each call was decided and how it ended.
        status_lines: what each reason to decline is answered with: ``488 Not Acceptable Here``.
        sides: the sofia profiles of our side and of the providers' side, by name: a call that uses no gateway leaves on
            the side that it did not come from.
        recoverable: whether calls are made so that another FreeSWITCH can take them up.

    Attributes:
        table: what calls are decided by; `use_table` puts another one in its place.
        dtls: what the switch can do about DTLS-SRTP.
    """

    def __init__(
        self,
        switch: SwitchCalls,
        table: RoutingTable,
        clock: Clock,
        journal: CallJournal,
        *,
        gateways: CallGateways,
        status_lines: Mapping[DeclineReason, str],
        sides: tuple[str, str],
        random_below: Callable[[int], int],
        recoverable: bool = False,
    ) -> None:
        self._switch = switch
        self.table = table
        self._clock = clock
        self._journal = journal
        self._gateways = gateways
        self._status_lines = status_lines
        self._inside, self._outside = sides
        self._random_below = random_below
        self._recoverable = recoverable
        self.dtls = SwitchDtls()
        self._codecs: Sequence[str] = ()
        self._usage = LineUsage()
        # Calls that ended during a running reconciliation.
        self._ended_meanwhile: set[ChannelUuid] | None = None

    @property
    def misses_some(self) -> bool:
        """Whether calls are missing that the next reconciliation must declare lost."""
        return self._journal.misses_some

    @property
    def calls_in_progress(self) -> int:
        """Calls that hold a line now."""
        return len(self._usage)

    @property
    def held(self) -> Mapping[ChannelUuid, Line]:
        """The line of each call in progress."""
        return self._usage.held

    def line_of(self, account: AccountId) -> Line | None:
        """Return the line of an account; None if no pool has it."""
        return next((line for pool in self.table.pools.values() if (line := pool.get(account))), None)

    def use_table(self, table: RoutingTable) -> None:
        """Decide by another table from the next call on; calls in progress keep their lines."""
        self.table = table

    def use_switch_version(self, version: FreeSwitchVersion | None) -> None:
        """Note which version decides about calls; None while it is not known."""
        self.dtls = replace(self.dtls, version=version)

    def look_for_dtls_certificate(self) -> None:
        """Ask the switch whether it has a certificate to do DTLS-SRTP with.

        Raises:
            SwitchLost: the link broke; the next one asks.
        """
        self.dtls = replace(self.dtls, has_certificate=self._switch.has_dtls_certificate())

    def on_account_added(self, line: Line) -> None:
        """Assign a new account's line to calls found before it was known; call this before the line is used."""
        self._usage.claim(line)

    def on_call_parked(self, call: CallParked, *, is_admitted: bool = True) -> None:
        """Decide a call and send the command to the switch.

        Args:
            is_admitted: whether the rate limit admits it; if not, it is declined.

        A transferred call is parked again: its B leg is gone, so it no longer holds a line.
        """
        began = self._clock.monotonic()
        self._usage.give_back(call.channel_uuid)
        request = self._as_dialled(call)
        decision = self._decide_call(call, request) if is_admitted else _NOT_ADMITTED
        match decision:
            case Bridge():
                status_line = ""
                self._bridge(call, decision)
            case Decline():
                status_line = self._status_lines[decision.reason]
                self._decline(call, decision, status_line)
            case unknown:
                assert_never(unknown)
        self._journal.decided(call, request, decision, status_line, began)

    def preview(self, request: CallRequest) -> tuple[Decision, str]:
        """What would become of a call now, and its dial string; no line is taken."""
        decision = self._decide(request)
        return decision, self._dial_string(decision, request.side) if isinstance(decision, Bridge) else ""

    def on_call_ended(self, ended: CallEnded) -> None:
        """Release the line of a call, if it holds one."""
        if self._ended_meanwhile is not None:
            self._ended_meanwhile.add(ended.channel_uuid)
        line = self._usage.give_back(ended.channel_uuid)
        self._journal.ended(ended, line)

    def reconcile(self) -> tuple[int, int]:
        """Find out which calls are in progress, and hold exactly their lines.

        The table of channels lags behind, so it is only a proposal: each call in it, and each call known here, is then
        queried by its UUID. Calls that begin or end in the meantime are reported by events, which keep arriving.

        Returns:
            The number of calls found without a line, and of lines held by calls that are gone.

        Raises:
            SwitchLost: the link was lost; reconcile on the next one.
            CommandRefused: the switch does not list its calls.
        """
        self._codecs = self._switch.codecs()
        self._ended_meanwhile = set()
        try:
            asked = {*self._usage.known, *self._journal.under_way, *self._switch.channels()}
            account_of = self._switch.accounts_of(asked)
            ended_meanwhile = self._ended_meanwhile
        finally:
            self._ended_meanwhile = None
        alive = account_of.keys() - ended_meanwhile
        # Calls that ended in the meantime were reported by events.
        gone = {channel: self._usage.give_back(channel) for channel in asked - alive - ended_meanwhile}
        self._journal.missed(gone)
        accounts = {channel: id_ for channel, id_ in account_of.items() if id_ and channel in alive}
        held_before = len(self._usage)
        self._hold(accounts)
        return len(self._usage) - held_before, sum(line is not None for line in gone.values())

    def _hold(self, accounts: Mapping[ChannelUuid, AccountId]) -> None:
        lines = {channel: self.line_of(id_) for channel, id_ in accounts.items()}
        self._usage.restore({channel: line for channel, line in lines.items() if line is not None})
        for channel, line in lines.items():
            if line is None:
                self._usage.wait_for(channel, accounts[channel])

    def _as_dialled(self, call: CallParked) -> CallRequest:
        """Rewrite the request of a call to a gateway's contact to the account's user part.

        A provider calls the registered contact, which FreeSWITCH builds from the gateway's name. Flexisip registers the
        account's own user part, and patterns are written for that. The host is replaced by that of the contact too:
        otherwise anyone who knows the contact could choose a host and match a pattern meant for our own side.
        """
        account = self._gateways.account_behind(call.gateway) if call.gateway else None
        request, side = call.request, self._side_of(call)
        if account is None:
            request.side = side
            return request
        request_uri = f"sip:{account.user}@{call.profile_hostport}"
        return CallRequest(request_uri, request.from_header, request.to_header, side, account.hostport)

    def _decide_call(self, call: CallParked, request: CallRequest) -> Decision:
        """Decide a call, its offer included: what is declined here rings nobody."""
        offer = _read(call.offer)
        if isinstance(offer, Decline):
            return offer
        decision = self._decide(request)
        # Media that passes FreeSWITCH by is the callee's to accept.
        if not isinstance(decision, Bridge) or offer is None or decision.media.passes_through:
            return decision
        why = why_unusable(offer, self._codecs, call.profile_hostport)
        if not why:
            return decision
        trace = (*decision.trace, TraceStep(decision.provider.name, Verdict.DECLINE, why))
        return Decline(DeclineReason.UNUSABLE_OFFER, why, decision.provider, decision.line, trace)

    def _decide(self, request: CallRequest) -> Decision:
        decision = route(request, self.table, self._random_below)
        if isinstance(decision, Bridge) and decision.uses_gateway and self._gateways.gateway_of(decision.line) is None:
            # FreeSWITCH lost the gateway, usually with its profile, and not all lines have been updated yet.
            detail = "its gateway is not in FreeSWITCH"
            return Decline(DeclineReason.NOT_REGISTERED, detail, decision.provider, decision.line, decision.trace)
        if isinstance(decision, Bridge) and (fault := self.table.media.dtls_fault(decision.media, self.dtls)):
            return Decline(DeclineReason.MEDIA_NOT_OFFERED, fault, decision.provider, decision.line, decision.trace)
        return decision

    def _bridge(self, call: CallParked, bridge: Bridge) -> None:
        has_offer = call.offer is not None
        dial_string = self._dial_string(bridge, self._side_of(call), has_offer=has_offer)
        self._usage.take(call.channel_uuid, bridge.line)
        on_done = partial(self._on_bridge_done, call.channel_uuid)
        self._switch.bridge(call.channel_uuid, dial_string, on_done, has_offer=has_offer)

    def _dial_string(self, bridge: Bridge, side: Side, *, has_offer: bool = True) -> str:
        leaves_by = self._inside if bridge.leaves_inside(side) else self._outside
        gateway = self._gateways.gateway_of(bridge.line)
        return format_dial_string(bridge, gateway, leaves_by, recoverable=self._recoverable, has_offer=has_offer)

    def _side_of(self, call: CallParked) -> Side:
        return Side.PROVIDERS if call.sofia_profile == self._outside else Side.INSIDE

    def _on_bridge_done(self, channel: ChannelUuid, outcome: Outcome) -> None:
        # Refused: the caller hung up first. Lost: the command may have been carried out; the reconciliation of the next
        # link finds out.
        if isinstance(outcome, CommandRefused):
            self._usage.give_back(channel)
            _log.info("call %s ended before it was bridged: %s", channel, outcome.reply.strip())

    def _decline(self, call: CallParked, decline: Decline, status_line: str) -> None:
        retry_after_s = _RETRY_AFTER_S if status_line.startswith(_SERVICE_UNAVAILABLE) else None
        on_done = partial(_log_undeclined, call.channel_uuid)
        self._switch.respond(call.channel_uuid, status_line, on_done, retry_after_s)


def _read(offer: str | None) -> SdpOffer | Decline | None:
    """Read the offer of a call, or decline it before FreeSWITCH reads it; None for a call without one."""
    if offer is None:
        return None
    if not offer:
        return _UNTOLD_OFFER
    try:
        return parse_sdp_offer(offer)
    except SdpError as error:
        return Decline(DeclineReason.MALFORMED_OFFER, str(error), None, None, ())


def _log_undeclined(channel: ChannelUuid, outcome: Outcome) -> None:
    if outcome is not None:
        _log.info("call %s ended before it was declined: %s", channel, outcome)

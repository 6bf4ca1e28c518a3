"""Lists calls in progress with their states. Queries the switch on demand."""

from __future__ import annotations

from collections.abc import Mapping

from sipbridge.core.calls.call_record import CallDecided
from sipbridge.core.observe.call_news import CallInProgress, CallsInProgress
from sipbridge.core.pools.account_pool import Line
from sipbridge.core.sip.call import ChannelUuid
from sipbridge.ports import Clock, CommandRefused, Scheduler, SwitchCalls, SwitchLost
from sipbridge.services.calls.call_control import CallControl
from sipbridge.services.calls.call_journal import CallJournal
from sipbridge.services.observe.call_feed import caller_and_callee
from sipbridge.services.slices import Slices

_STATES = {
    "DOWN": "ringing",
    "RINGING": "ringing",
    "EARLY": "early media",
    "ACTIVE": "talking",
    "UNHELD": "talking",
    "HELD": "on hold",
}
"""FreeSWITCH's call states of an A leg. It is ``RINGING`` from INVITE to answer, whether or not the callee rings, and
``EARLY`` after a 183 with SDP. Source: switch_channel.c, switch_channel_callstate_table."""


_ASK_AGAIN_S = 1.0
"""Minimum pause between queries: while FreeSWITCH lists thousands of channels, it runs no other command."""
_SLICE = 200
"""Calls examined without yielding: about 5 ms."""


class CallPages:
    """Lists calls in progress."""

    def __init__(
        self, switch: SwitchCalls, calls: CallControl, journal: CallJournal, clock: Clock, scheduler: Scheduler
    ) -> None:
        self._switch = switch
        self._calls = calls
        self._journal = journal
        self._clock = clock
        self._scheduler = scheduler
        self._told: Mapping[ChannelUuid, str] = {}
        self._ask_again_at = 0.0

    def page(self, limit: int, match: str = "", provider: str = "") -> CallsInProgress:
        """Return the first calls that hold a line, and the total number.

        Args:
            match: part of an address, an account or a Call-ID, in upper or lower case.
            provider: only calls that it bridged.
        """
        states, problem = self._states()
        held = dict(self._calls.held)
        under_way = {channel: decided for channel, decided in self._journal.under_way.items() if channel in held}
        # Calls from before the daemon started are the oldest; only their lines are known.
        order = [*(channel for channel in held if channel not in under_way), *under_way]
        everybody = not match and not provider
        wanted = []
        for channel in Slices(self._scheduler, _SLICE).each(order[:limit] if everybody else order):
            call = self._call(channel, held[channel], under_way.get(channel), states)
            if provider in ("", call.provider) and _is_named(call, match.lower()):
                wanted.append(call)
        return CallsInProgress(tuple(wanted[:limit]), len(order) if everybody else len(wanted), problem)

    def _states(self) -> tuple[Mapping[ChannelUuid, str], str]:
        now = self._clock.monotonic()
        if now < self._ask_again_at:
            return self._told, ""
        try:
            self._told = self._switch.call_states()
        except (SwitchLost, CommandRefused) as error:
            return {}, f"states unknown, FreeSWITCH does not answer: {error}"
        self._ask_again_at = now + _ASK_AGAIN_S
        return self._told, ""

    def _call(
        self, channel: ChannelUuid, line: Line, decided: CallDecided | None, states: Mapping[ChannelUuid, str]
    ) -> CallInProgress:
        from_, to = caller_and_callee(decided.request) if decided else ("", "")
        provider = decided.decision.provider if decided else None
        state = states.get(channel, "")
        return CallInProgress(
            channel_uuid=channel,
            call_id=decided.call.call_id if decided else "",
            provider=provider.name if provider else "",
            account=line.account.uri.text,
            from_=from_,
            to=to,
            state=_STATES.get(state, state.lower()),
            seconds=max(0.0, self._clock.wall() - decided.at) if decided else None,
        )


def _is_named(call: CallInProgress, part: str) -> bool:
    return not part or any(part in text.lower() for text in (call.from_, call.to, call.account, call.call_id))

"""Calls in progress become a page of them, with the states that FreeSWITCH tells. Asks the switch, when asked."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain

from sipbridge.core.account_pool import Line
from sipbridge.core.call import ChannelUuid
from sipbridge.core.call_news import CallInProgress, CallsInProgress
from sipbridge.core.call_record import CallDecided
from sipbridge.ports import Clock, CommandRefused, Switch, SwitchLost
from sipbridge.services.call_control import CallControl
from sipbridge.services.call_feed import caller_and_callee
from sipbridge.services.call_journal import CallJournal

_STATES = {
    "DOWN": "ringing",
    "RINGING": "ringing",
    "EARLY": "early media",
    "ACTIVE": "talking",
    "UNHELD": "talking",
    "HELD": "on hold",
}
"""FreeSWITCH's call states of an A leg. It is ``RINGING`` from its INVITE to its answer, whether anything rings or not,
and ``EARLY`` from 183 with SDP on. Source: switch_channel.c, switch_channel_callstate_table."""


class CallPages:
    """Knows who is calling whom."""

    def __init__(self, switch: Switch, calls: CallControl, journal: CallJournal, clock: Clock) -> None:
        self._switch = switch
        self._calls = calls
        self._journal = journal
        self._clock = clock

    def page(self, limit: int, match: str = "", provider: str = "") -> CallsInProgress:
        """The first calls that hold a line, and how many there are.

        Args:
            match: part of an address, an account or a Call-ID, in upper or lower case.
            provider: only calls that it bridged.
        """
        states, problem = self._states()
        # Those of before our start began first, and only their lines are known.
        held, under_way = self._calls.held, self._journal.under_way
        order = chain((each for each in held if each not in under_way), (each for each in under_way if each in held))
        calls = (self._call(channel, held[channel], under_way.get(channel), states) for channel in order)
        wanted = [call for call in calls if provider in ("", call.provider) and _is_named(call, match.lower())]
        return CallsInProgress(tuple(wanted[:limit]), len(wanted), problem)

    def _states(self) -> tuple[Mapping[ChannelUuid, str], str]:
        try:
            return self._switch.call_states(), ""
        except (SwitchLost, CommandRefused) as error:
            return {}, f"FreeSWITCH does not tell how they are: {error}"

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

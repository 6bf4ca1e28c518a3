"""The B leg of a call: sends an INVITE to the scripted far side and handles its responses. Uses timers."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Protocol

from sipbridge.simulator.calls.call_report import Times
from sipbridge.simulator.calls.causes import cause_of_status
from sipbridge.simulator.calls.channel import ANSWER, HANGUP_COMPLETE, Channel
from sipbridge.simulator.calls.far_side import CalleeRule, SimulatedInvite
from sipbridge.simulator.calls.switch_core import SwitchCore
from sipbridge.simulator.clock import Timer
from sipbridge.simulator.wire.events import now_us

RING_TIMEOUT_S = 60
"""Simulated seconds that FreeSWITCH lets a callee ring."""

SILENCE_TIMEOUT_S = 32
"""Simulated seconds until the SIP stack gives up on an INVITE without any response (64 times T1)."""


class LegListener(Protocol):
    """Receives responses from the far side."""

    def take_progress(self, status: int) -> None:
        """180 or 183 arrived."""

    def take_answer(self) -> None:
        """200 came back."""

    def take_failure(self, cause: str, status: int = 0, phrase: str = "") -> None:
        """The call failed."""

    def hang_up_callee(self) -> None:
        """BYE arrived."""


class OutgoingLeg:
    """The B leg.

    Attributes:
        invite: the INVITE that was sent.
    """

    def __init__(
        self, a_leg: Channel, call: LegListener, invite: SimulatedInvite, profile: str, switch: SwitchCore
    ) -> None:
        self.invite = invite
        self.channel = _make_channel(a_leg, invite, profile)
        self._call = call
        self._switch = switch
        self._timers: list[Timer] = []

    def start(self) -> None:
        """Send the INVITE."""
        self._switch.add_channel(self.channel)
        rule = self._switch.far_side.take_invite(self.invite)
        if rule.rings_s is not None:
            self._after(rule.rings_s, lambda: self._progress(180))
        if rule.early_media_s is not None:
            self._after(rule.early_media_s, lambda: self._progress(183))
        if rule.final_s is not None:
            self._after(rule.final_s, lambda: self._finish(rule))
        elif rule.rings_s is None and rule.early_media_s is None:
            self._after(
                SILENCE_TIMEOUT_S, lambda: self._call.take_failure(cause_of_status(408), 408, "Request Timeout")
            )
        else:
            self._after(RING_TIMEOUT_S, lambda: self._call.take_failure("NO_ANSWER"))

    def stop(self) -> None:
        """Cancel everything that the far side was going to do."""
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()

    def end(self, cause: str, is_callees_end: bool = False) -> None:
        """Hang up and send an event, which filters on the A leg's variables do not pass.

        Args:
            is_callees_end: whether the far side hung up or refused.
        """
        is_answered = bool(self.channel.times.answered)
        ways = {
            (True, True): "recv_bye",
            (True, False): "send_bye",
            (False, True): "recv_refuse",
            (False, False): "send_cancel",
        }
        self.channel.set("sip_hangup_disposition", ways[is_answered, is_callees_end])
        self.channel.hangup_cause = cause
        self.channel.times.hung_up = now_us()
        if self._switch.bus.is_heard("CHANNEL_HANGUP_COMPLETE"):
            self._switch.bus.fire("CHANNEL_HANGUP_COMPLETE", HANGUP_COMPLETE, self.channel.hangup_event(None))

    def _progress(self, status: int) -> None:
        self.channel.note_progress(status)
        self._call.take_progress(status)

    def _finish(self, rule: CalleeRule) -> None:
        if rule.status >= 300:
            self._call.take_failure(cause_of_status(rule.status), rule.status, rule.phrase)
            return
        self.channel.times.answered = now_us()
        if self._switch.bus.is_heard("CHANNEL_ANSWER"):
            self._switch.bus.fire("CHANNEL_ANSWER", ANSWER, self.channel.event(call_state="RINGING"))
        self._call.take_answer()
        if rule.hangs_up_s is not None:
            self._after(rule.hangs_up_s, self._call.hang_up_callee)

    def _after(self, delay_s: float, action: Callable[[], object]) -> None:
        self._timers.append(self._switch.clock.after(delay_s, action))


def _make_channel(a_leg: Channel, invite: SimulatedInvite, profile: str) -> Channel:
    address = invite.request_uri.partition(":")[2].partition(";")[0]
    channel = Channel(
        uuid=str(uuid.uuid4()),
        direction="outbound",
        profile=profile,
        name=f"sofia/{profile}/{address}",
        destination=address.partition("@")[0],
        caller_name=a_leg.caller_name,
        caller_number=a_leg.caller_number,
        username=a_leg.username,
        context=a_leg.context,
        times=Times(now_us()),
        application=("", ""),
    )
    channel.variables = {
        "variable_direction": "outbound",
        "variable_uuid": channel.uuid,
        "variable_call_uuid": a_leg.uuid,
    }
    for name, value in invite.variables.items():
        channel.set(name, value)
    channel.set("sip_gateway_name", invite.gateway)
    return channel

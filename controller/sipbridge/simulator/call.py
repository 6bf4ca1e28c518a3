"""One simulated call: it runs the dialplan, is parked, obeys the controller, and ends. Uses timers.

The A leg is the caller's; the B leg exists from the INVITE that a ``bridge`` sends until it ends.
"""

from __future__ import annotations

import time
import uuid
from collections import deque
from collections.abc import Callable
from enum import Enum
from typing import TYPE_CHECKING

from gevent.event import Event as Flag

from sipbridge.simulator.call_report import Times
from sipbridge.simulator.causes import cause_of_status, known_cause, status_of_cause
from sipbridge.simulator.channel import ANSWER, BRIDGE, HANGUP_COMPLETE, PARK, UNBRIDGE, Channel
from sipbridge.simulator.clock import Timer
from sipbridge.simulator.dial_string import DialString, DialStringError, expand, read_dial_string
from sipbridge.simulator.events import Origin, now_us
from sipbridge.simulator.far_side import CalleeRule, SimulatedInvite
from sipbridge.simulator.outgoing import BridgeError, plan_invite
from sipbridge.simulator.protocol import Event

if TYPE_CHECKING:
    from sipbridge.simulator.switch import Switch

PARK_TIMEOUT_S = 3
"""Simulated seconds that a call waits for somebody to control it; the dialplan sets it."""

_ORIGINATE_TIMEOUT_S = 60
_INVITE_TIMEOUT_S = 32

_DIALSTATUS = {
    "USER_BUSY": "BUSY",
    "NO_ANSWER": "NOANSWER",
    "ORIGINATOR_CANCEL": "CANCEL",
    "INVALID_GATEWAY": "INVALID_GATEWAY",
    "GATEWAY_DOWN": "GATEWAY_DOWN",
    "INVALID_PROFILE": "INVALID_PROFILE",
    "NORMAL_TEMPORARY_FAILURE": "TEMPORARY_FAILURE",
}


class CallState(Enum):
    """Where a call stands, seen from the caller."""

    TRYING = "trying"
    PARKED = "parked"
    CALLING = "calling"
    ANSWERED = "answered"
    ENDED = "ended"


class SimulatedCall:
    """A call, as a test sees and moves it.

    Attributes:
        state: where it stands.
        responses: every SIP status that the caller has seen, in order: ``[100, 180, 200]``.
        hangup_cause: of the A leg; empty until it ends.
        invite: what was sent to the far side; None as long as nothing was.
        dial_string: the argument of ``bridge``, read; None before.
        injections: every ``${…}`` that FreeSWITCH would have evaluated in what the controller sent.
    """

    def __init__(self, switch: Switch, channel: Channel) -> None:
        self.state = CallState.TRYING
        self.responses = [100]
        self.hangup_cause = ""
        self.invite: SimulatedInvite | None = None
        self.dial_string: DialString | None = None
        self.injections: list[str] = []
        self.channel = channel
        self.b_channel: Channel | None = None
        self._switch = switch
        self._changed = Flag()
        self._timers: list[Timer] = []
        self._waiting: deque[tuple[str, str]] = deque()
        self._park_timer: Timer | None = None

    # What a test asks.

    @property
    def uuid(self) -> str:
        """The channel UUID of the A leg."""
        return self.channel.uuid

    @property
    def sip_status(self) -> int:
        """The last status that the caller has seen."""
        return self.responses[-1]

    def wait(self, is_reached: Callable[[SimulatedCall], bool], timeout_s: float = 5.0) -> SimulatedCall:
        """Wait until the call is as `is_reached` says.

        Args:
            timeout_s: real seconds.

        Raises:
            TimeoutError: it did not get there; the message says where it stands.
        """
        deadline = time.monotonic() + timeout_s
        while not is_reached(self):
            self._changed.clear()
            if not self._changed.wait(max(0.0, deadline - time.monotonic())) and not is_reached(self):
                raise TimeoutError(f"call {self.uuid} is {self.state.value}, responses {self.responses}")
        return self

    def wait_for_state(self, state: CallState, timeout_s: float = 5.0) -> SimulatedCall:
        """Wait until the call is in this state, or has ended.

        Raises:
            TimeoutError: it did not get there.
        """
        return self.wait(lambda call: call.state in (state, CallState.ENDED), timeout_s)

    def wait_until_ended(self, timeout_s: float = 5.0) -> SimulatedCall:
        """Wait until the call is over.

        Raises:
            TimeoutError: it goes on.
        """
        return self.wait_for_state(CallState.ENDED, timeout_s)

    # What the two sides do.

    def hang_up(self) -> None:
        """The caller hangs up: BYE, or CANCEL before the answer."""
        if self.state is CallState.ANSWERED:
            self._end("NORMAL_CLEARING", "recv_bye")
        elif self.state is not CallState.ENDED:
            self._end("ORIGINATOR_CANCEL", "recv_cancel")

    def hang_up_callee(self) -> None:
        """The callee hangs up; before the answer this does nothing."""
        if self.state is CallState.ANSWERED:
            self._end("NORMAL_CLEARING", "send_bye")

    def lose(self) -> None:
        """FreeSWITCH is gone, and its calls with it: no event tells."""
        self._become(CallState.ENDED)
        self._cancel_timers()

    # What FreeSWITCH does with it.

    def refuse(self, status: int) -> None:
        """Answer with a final response, as the application ``respond`` does."""
        self.responses.append(status)
        self._end(cause_of_status(status))

    def park(self) -> None:
        """Wait for the controller."""
        self.channel.start_application("park", "")
        self._fire("CHANNEL_PARK", PARK, self.channel.event)
        self._park_timer = self._switch.clock.after(PARK_TIMEOUT_S, lambda: self._end("NORMAL_TEMPORARY_FAILURE"))
        self._become(CallState.PARKED)

    def kill(self, cause: str) -> None:
        """Hang up because a command said so."""
        self._end(known_cause(cause))

    def execute(self, application: str, argument: str) -> None:
        """Run an application as soon as the parked call is free to."""
        self._waiting.append((application, argument))
        self._switch.clock.after(0, self._execute_next)

    def _execute_next(self) -> None:
        if self.state is CallState.PARKED and self._waiting:
            application, argument = self._waiting.popleft()
            expansion = expand(argument, self._lookup)
            self.injections.extend(expansion.injections)
            self._switch.injections.extend(expansion.injections)
            self.channel.start_application(application, expansion.text)
            self._run(application, expansion.text)

    def _lookup(self, name: str) -> str | None:
        return self.channel.get(name) or self._switch.variables.get(name)

    def _run(self, application: str, argument: str) -> None:
        match application:
            case "bridge":
                self._bridge(argument)
            case "respond":
                status = argument.split(" ")[0]
                self.refuse(int(status) if status.isdigit() else 488)
            case "hangup":
                self._end(known_cause(argument))
            case "set":
                name, _, value = argument.partition("=")
                self.channel.set(name, value)
            case _:
                self._end("DESTINATION_OUT_OF_ORDER")

    # The B leg.

    def _bridge(self, argument: str) -> None:
        self._stop_park_timer()
        try:
            self.dial_string = read_dial_string(argument)
            endpoint = self.dial_string.endpoints[0]
            self.invite, profile = plan_invite(endpoint, self.dial_string.variables, self.channel, self._switch)
        except DialStringError:
            self._fail_bridge("DESTINATION_OUT_OF_ORDER")
        except BridgeError as error:
            self._fail_bridge(error.cause)
        else:
            self._call(self.invite, profile)

    def _call(self, invite: SimulatedInvite, profile: str) -> None:
        self._become(CallState.CALLING)
        b_leg = self.b_channel = self._make_b_leg(invite, profile)
        self._switch.add_leg(b_leg, self)
        self.channel.callee_number = b_leg.destination
        self.channel.set("originate_signal_bond", b_leg.uuid)
        self.channel.set("originated_legs", f"{b_leg.uuid};Outbound Call;{b_leg.destination}")
        rule = self._switch.far_side.take_invite(invite)
        if rule.rings_s is not None:
            self._later(rule.rings_s, lambda: self._progress(180))
        if rule.early_media_s is not None:
            self._later(rule.early_media_s, lambda: self._progress(183))
        if rule.final_s is not None:
            self._later(rule.final_s, lambda: self._finish_calling(rule))
        elif rule.rings_s is None and rule.early_media_s is None:
            self._later(
                _INVITE_TIMEOUT_S, lambda: self._fail_bridge("RECOVERY_ON_TIMER_EXPIRE", 408, "Request Timeout")
            )
        else:
            self._later(_ORIGINATE_TIMEOUT_S, lambda: self._fail_bridge("NO_ANSWER"))

    def _make_b_leg(self, invite: SimulatedInvite, profile: str) -> Channel:
        a_leg = self.channel
        destination = invite.request_uri.partition(":")[2].partition("@")[0]
        address = invite.request_uri.partition(":")[2].partition(";")[0]
        b_leg = Channel(
            uuid=str(uuid.uuid4()),
            direction="outbound",
            profile=profile,
            name=f"sofia/{profile}/{address}",
            destination=destination,
            caller_name=a_leg.caller_name,
            caller_number=a_leg.caller_number,
            username=a_leg.username,
            context=a_leg.context,
            times=Times(now_us()),
            application=("", ""),
        )
        b_leg.variables = {
            "variable_direction": "outbound",
            "variable_uuid": b_leg.uuid,
            "variable_call_uuid": a_leg.uuid,
        }
        for name, value in invite.variables.items():
            b_leg.set(name, value)
        b_leg.set("sip_gateway_name", invite.gateway)
        return b_leg

    def _progress(self, status: int) -> None:
        if self.state is not CallState.CALLING or self.b_channel is None:
            return
        for channel in (self.channel, self.b_channel):
            if status == 183:
                channel.times.progress_media = channel.times.progress_media or now_us()
            else:
                channel.times.progress = channel.times.progress or now_us()
        self.responses.append(status)
        self._changed.set()

    def _finish_calling(self, rule: CalleeRule) -> None:
        if self.state is not CallState.CALLING:
            return
        if rule.status >= 300:
            self._fail_bridge(cause_of_status(rule.status), rule.status, rule.phrase)
            return
        self._answer()
        if rule.hangs_up_s is not None:
            self._later(rule.hangs_up_s, self.hang_up_callee)

    def _answer(self) -> None:
        assert self.b_channel is not None  # noqa: S101  # it was made when the INVITE went out
        a_leg, b_leg = self.channel, self.b_channel
        a_leg.times.answered = b_leg.times.answered = now_us()
        self.responses.append(200)
        a_leg.variables.pop("variable_originate_signal_bond", None)
        self._fire("CHANNEL_ANSWER", ANSWER, lambda: a_leg.event(call_state="RINGING"))
        a_leg.times.bridged = now_us()
        a_leg.set("originate_disposition", "SUCCESS")
        a_leg.set("DIALSTATUS", "SUCCESS")
        a_leg.set("originate_causes", f"{b_leg.uuid};NONE")
        a_leg.set("endpoint_disposition", "ANSWER")
        a_leg.set("last_bridge_to", b_leg.uuid)
        a_leg.set("bridge_channel", b_leg.name)
        a_leg.set("bridge_uuid", b_leg.uuid)
        a_leg.set("signal_bond", b_leg.uuid)
        self._fire("CHANNEL_BRIDGE", BRIDGE, self._bridge_event)
        self._become(CallState.ANSWERED)

    def _bridge_event(self) -> Event:
        assert self.b_channel is not None  # noqa: S101  # only bridged calls come here
        event: Event = {"Bridge-A-Unique-ID": self.uuid, "Bridge-B-Unique-ID": self.b_channel.uuid}
        state = ("CS_EXECUTE", "10" if self.channel.hangup_cause else "4")
        event.update(self.channel.event(self.b_channel, state=state))
        return event

    def _fail_bridge(self, cause: str, status: int = 0, phrase: str = "") -> None:
        """The B leg did not come about: with hangup_after_bridge the A leg ends with its cause."""
        a_leg = self.channel
        if status:
            a_leg.set("sip_invite_failure_status", str(status))
            a_leg.set("sip_invite_failure_phrase", phrase)
            a_leg.set("sip_hangup_phrase", phrase)
            a_leg.set("last_bridge_hangup_cause", cause)
            a_leg.set("last_bridge_proto_specific_hangup_cause", f"sip:{status}")
        a_leg.set("originate_disposition", cause)
        a_leg.set("DIALSTATUS", _DIALSTATUS.get(cause, cause))
        if self.b_channel is not None:
            a_leg.set("originate_causes", f"{self.b_channel.uuid};{cause}")
        a_leg.set("originate_failed_cause", cause)
        self._end(cause, status=status)

    # The end.

    def _end(self, cause: str, disposition: str = "", status: int = 0) -> None:
        if self.state is CallState.ENDED:
            return
        was_answered = self.state is CallState.ANSWERED
        self._cancel_timers()
        self.hangup_cause = self.channel.hangup_cause = cause
        if self.sip_status < 200 and not was_answered:
            self.responses.append(status or status_of_cause(cause))
        if was_answered:
            self._unbridge(cause, disposition or "send_bye")
        elif disposition:
            self.channel.set("sip_hangup_disposition", disposition)
        self._switch.remove_legs(self)
        self.channel.times.hung_up = now_us()
        if self.b_channel is not None:
            self._end_b_leg(self.b_channel, cause)
        other = self.b_channel if was_answered else None
        self._fire("CHANNEL_HANGUP_COMPLETE", HANGUP_COMPLETE, lambda: self.channel.hangup_event(other))
        self._become(CallState.ENDED)

    def _unbridge(self, cause: str, disposition: str) -> None:
        a_leg = self.channel
        if disposition == "recv_bye":
            a_leg.set("sip_term_status", "200")
            a_leg.set("proto_specific_hangup_cause", "sip:200")
            a_leg.set("sip_term_cause", "16")
        a_leg.set("last_bridge_role", "originator")
        a_leg.set("sip_hangup_disposition", disposition)
        a_leg.set("bridge_hangup_cause", cause)
        self._fire("CHANNEL_UNBRIDGE", UNBRIDGE, self._bridge_event)

    def _end_b_leg(self, b_leg: Channel, cause: str) -> None:
        b_leg.hangup_cause = cause
        b_leg.times.hung_up = now_us()
        self._fire("CHANNEL_HANGUP_COMPLETE", HANGUP_COMPLETE, lambda: b_leg.hangup_event(None))

    def _fire(self, name: str, origin: Origin, build: Callable[[], Event]) -> None:
        bus = self._switch.bus
        bus.fire(name, origin, build() if bus.is_heard(name) else {})

    def _become(self, state: CallState) -> None:
        self.state = state
        self._changed.set()

    def _later(self, delay_s: float, action: Callable[[], object]) -> None:
        self._timers.append(self._switch.clock.after(delay_s, action))

    def _stop_park_timer(self) -> None:
        if self._park_timer is not None:
            self._park_timer.cancel()

    def _cancel_timers(self) -> None:
        self._stop_park_timer()
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()

"""Simulates a call: parked by the dialplan, then driven by the controller and the caller until it ends. Uses timers.

This is the A leg, the caller's; the B leg is in `outgoing_leg`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from sipbridge.simulator.calls.call_progress import CallProgress, CallState
from sipbridge.simulator.calls.causes import cause_of_status, dialstatus_of_cause, known_cause, status_of_cause
from sipbridge.simulator.calls.channel import ANSWER, BRIDGE, HANGUP_COMPLETE, PARK, UNBRIDGE, Channel
from sipbridge.simulator.calls.dial_string import DialString, DialStringError, expand, read_dial_string, split_scope
from sipbridge.simulator.calls.far_side import SimulatedInvite
from sipbridge.simulator.calls.outgoing_invite import BridgeError, plan_invite
from sipbridge.simulator.calls.outgoing_leg import OutgoingLeg
from sipbridge.simulator.calls.sip_variables import acknowledgement_variables, media_variables
from sipbridge.simulator.calls.switch_core import SwitchCore
from sipbridge.simulator.clock import Timer
from sipbridge.simulator.wire.events import Origin, now_us
from sipbridge.simulator.wire.protocol import Event

__all__ = ["PARK_TIMEOUT_S", "CallState", "SimulatedCall"]

PARK_TIMEOUT_S = 3
"""Simulated seconds that a parked call waits for the controller; set by the dialplan."""


_CODECS = "${sipbridge_codecs}"
"""The variable that the controller makes FreeSWITCH expand on purpose; callers cannot influence it."""


class SimulatedCall(CallProgress):
    """A call, as a test observes and controls it.

    Attributes:
        dial_string: the parsed argument of ``bridge``; None before it.
        injections: every ``${…}`` that FreeSWITCH would have evaluated in the controller's commands.

    Args:
        on_end: called when both legs have ended.
    """

    def __init__(self, switch: SwitchCore, channel: Channel, on_end: Callable[[], object]) -> None:
        super().__init__()
        self.dial_string: DialString | None = None
        self.injections: list[str] = []
        self.channel = channel
        self.outgoing_leg: OutgoingLeg | None = None
        self._switch = switch
        self._on_end = on_end
        self._is_bridged = False
        self._waiting: deque[tuple[str, str]] = deque()
        self._park_timer: Timer | None = None

    # Queries for tests.

    @property
    def uuid(self) -> str:
        """The channel UUID of the A leg."""
        return self.channel.uuid

    @property
    def hangup_cause(self) -> str:
        """The hangup cause of the A leg; empty until it ends."""
        return self.channel.hangup_cause

    @property
    def invite(self) -> SimulatedInvite | None:
        """The INVITE sent to the far side; None before it."""
        return self.outgoing_leg.invite if self.outgoing_leg else None

    # Actions of the two parties.

    def hang_up(self) -> None:
        """The caller hangs up: BYE, or CANCEL before the answer."""
        if self.state is CallState.ANSWERED:
            self._note({"sip_term_status": "200", "proto_specific_hangup_cause": "sip:200", "sip_term_cause": "16"})
            self._end("NORMAL_CLEARING", "recv_bye")
        else:
            self._end("ORIGINATOR_CANCEL", "recv_cancel")

    def hang_up_callee(self) -> None:
        """The callee hangs up; before the answer this does nothing."""
        if self.state is CallState.ANSWERED:
            self._note({"sip_hangup_phrase": "OK", "last_bridge_hangup_cause": "NORMAL_CLEARING"})
            self._note({"last_bridge_proto_specific_hangup_cause": "sip:200"})
            self._end_with_b_leg("NORMAL_CLEARING")

    def lose(self) -> None:
        """Lose the call because FreeSWITCH crashed: no event is sent."""
        self._stop()
        self._become(CallState.ENDED)

    # Actions of FreeSWITCH.

    def refuse(self, status: int) -> None:
        """Send a final response, like the application ``respond``."""
        if self.state is not CallState.ENDED:
            self._respond(status)
            self._end(cause_of_status(status))

    def park(self) -> None:
        """Wait for the controller."""
        self.channel.start_application("park", "")
        self._fire("CHANNEL_PARK", PARK, self.channel.event)
        self._park_timer = self._switch.clock.after(PARK_TIMEOUT_S, lambda: self._end("NORMAL_TEMPORARY_FAILURE"))
        self._become(CallState.PARKED)

    def kill(self, cause: str, channel_uuid: str = "") -> None:
        """Hang up because of a command.

        Args:
            channel_uuid: the leg named in the command; by default the A leg.
        """
        if self.outgoing_leg and channel_uuid == self.outgoing_leg.channel.uuid:
            self._note({"last_bridge_hangup_cause": known_cause(cause)})
            self._end_with_b_leg(known_cause(cause), is_callees_end=False)
        else:
            self._end(known_cause(cause))

    def execute(self, application: str, argument: str) -> None:
        """Run an application as soon as the parked call is idle."""
        self._waiting.append((application, argument))
        self._switch.clock.after(0, self._execute_next)

    def _execute_next(self) -> None:
        if self.state is not CallState.PARKED or not self._waiting:
            return
        application, argument = self._waiting.popleft()
        expansion = expand(argument, lambda name: self.channel.get(name) or self._switch.variables.get(name))
        if argument != _CODECS:
            self.injections.extend(expansion.injections)
            self._switch.injections.extend(expansion.injections)
        self._note({"current_loop": "1", "total_loops": "1"})
        self.channel.scope, argument = split_scope(expansion.text)
        self.channel.start_application(application, argument)
        self._run(application, argument)

    def _run(self, application: str, argument: str) -> None:
        match application:
            case "bridge":
                self._bridge(argument)
            case "respond":
                status = argument.split(" ")[0]
                self.refuse(int(status) if status.isdigit() else 488)
            case "hangup":
                self._end(known_cause(argument))
            case "filter_codecs":
                self._note({"ep_codec_string": "CORE_PCM_MODULE.PCMU@8000h@20i@64000b"})
            case "set":
                name, _, value = argument.partition("=")
                self.channel.set(name, value)
            case _:
                self._end("DESTINATION_OUT_OF_ORDER")

    def _bridge(self, argument: str) -> None:
        if self._park_timer is not None:
            self._park_timer.cancel()
        # The values until the outcome is known.
        self._note({"originate_disposition": "failure", "DIALSTATUS": "INVALIDARGS"})
        try:
            self.dial_string = read_dial_string(argument)
            endpoint = self.dial_string.endpoints[0]
            invite, profile = plan_invite(endpoint, self.dial_string.variables, self.channel, self._switch.profiles)
        except (DialStringError, BridgeError) as error:
            self.take_failure(error.cause)
            return
        self._become(CallState.CALLING)
        leg = self.outgoing_leg = OutgoingLeg(self.channel, self, invite, profile, self._switch)
        number = leg.channel.destination
        self._note({"originate_signal_bond": leg.channel.uuid})
        self._note({"originated_legs": f"{leg.channel.uuid};Outbound Call;{number}"})
        leg.start()

    # Reports from the B leg.

    def take_progress(self, status: int) -> None:
        """Handle 180 or 183; 183 starts early media, which bridges the legs before an answer."""
        self.channel.note_progress(status)
        self._show_callee()
        self._respond(status)
        if status == 183 and not self._is_bridged:
            self._note({"endpoint_disposition": "EARLY MEDIA"})
            self._become_bridged()

    def take_answer(self) -> None:
        """Handle 200."""
        self._show_callee()
        self.channel.times.answered = now_us()
        self._note(media_variables())
        self._respond(200)
        self._fire("CHANNEL_ANSWER", ANSWER, lambda: self.channel.event(call_state="RINGING"))
        self._note({"endpoint_disposition": "ANSWER"})
        self._note(acknowledgement_variables(self.channel.variables))
        if not self._is_bridged:
            self._become_bridged()
        callee = self.channel.callee_number
        self._note({"last_sent_callee_id_name": "Outbound Call", "last_sent_callee_id_number": callee})
        self._become(CallState.ANSWERED)

    def take_failure(self, cause: str, status: int = 0, phrase: str = "") -> None:
        """Handle a failed B leg: with hangup_after_bridge, its cause becomes the A leg's."""
        if status >= 400:
            self._note({"sip_invite_failure_status": str(status), "sip_invite_failure_phrase": phrase})
            self._note({"sip_hangup_phrase": phrase})
        if status:
            self._note({"last_bridge_hangup_cause": cause})
            self._note({"last_bridge_proto_specific_hangup_cause": f"sip:{status}"})
        if not self._is_bridged:
            self._note_failed_bridge(cause)
        causes, _, destination = (self.channel.get("transfer_on_fail") or "").partition(" ")
        if cause in causes.split(",") and destination.startswith("respond:"):
            self._run("respond", destination.removeprefix("respond:"))
        else:
            self._end_with_b_leg(cause, status)

    def _note_failed_bridge(self, cause: str) -> None:
        self._note({"originate_disposition": cause, "DIALSTATUS": dialstatus_of_cause(cause)})
        if self.outgoing_leg:
            self._note({"originate_causes": f"{self.outgoing_leg.channel.uuid};{cause}"})
        self._note({"originate_failed_cause": cause})

    def _become_bridged(self) -> None:
        assert self.outgoing_leg is not None  # noqa: S101  # it is the one who says so
        b_leg = self.outgoing_leg.channel
        self._is_bridged = True
        self.channel.times.bridged = now_us()
        self._note({"originate_signal_bond": "", "originate_disposition": "SUCCESS", "DIALSTATUS": "SUCCESS"})
        self._note({"originate_causes": f"{b_leg.uuid};NONE", "signal_bond": b_leg.uuid})
        self._fire("CHANNEL_BRIDGE", BRIDGE, self._bridge_event)
        self._note({"last_bridge_to": b_leg.uuid, "bridge_channel": b_leg.name, "bridge_uuid": b_leg.uuid})
        self._note({"signal_bond": b_leg.uuid})

    def _bridge_event(self) -> Event:
        assert self.outgoing_leg is not None  # noqa: S101  # only bridged calls come here
        b_leg = self.outgoing_leg.channel
        event: Event = {"Bridge-A-Unique-ID": self.uuid, "Bridge-B-Unique-ID": b_leg.uuid}
        event.update(self.channel.event(b_leg, state=("CS_EXECUTE", "10" if self.hangup_cause else "4")))
        return event

    # The end.

    def _end(self, cause: str, disposition: str = "") -> None:
        """End the A leg and with it the B leg: a bridged B leg reports its end first, one still being called after it.

        Args:
            disposition: FreeSWITCH's word for how the caller ended the call; empty if the caller did not.
        """
        if self.state is CallState.ENDED:
            return
        self._stop()
        self.channel.hangup_cause = cause
        leg = self.outgoing_leg
        if leg and self._is_bridged:
            leg.end("NORMAL_CLEARING")
            self._note({"last_bridge_role": "originator", "sip_hangup_disposition": disposition or "send_bye"})
            self._unbridge(cause)
            self._report_end(cause)
            return
        self._note({"sip_hangup_disposition": disposition})
        if leg:
            self._note_failed_bridge("ORIGINATOR_CANCEL")
        self._report_end(cause)
        if leg:
            leg.end("ORIGINATOR_CANCEL")

    def _end_with_b_leg(self, cause: str, status: int = 0, is_callees_end: bool = True) -> None:
        """End the A leg after the B leg ended or failed: with hangup_after_bridge, its cause becomes the A leg's."""
        if self.state is CallState.ENDED:
            return
        self._stop()
        if self.outgoing_leg:
            self.outgoing_leg.end(cause, is_callees_end)
        if self._is_bridged:
            self._unbridge(cause)
        if self.state is CallState.ANSWERED:
            self._note({"sip_hangup_disposition": "send_bye"})
        self._report_end(cause, status)

    def _unbridge(self, cause: str) -> None:
        self._note({"bridge_hangup_cause": cause})
        self._fire("CHANNEL_UNBRIDGE", UNBRIDGE, self._bridge_event)

    def _report_end(self, cause: str, status: int = 0) -> None:
        if self.sip_status < 200:
            self._respond(status if status >= 300 else status_of_cause(cause))
        self.channel.hangup_cause = cause
        self.channel.times.hung_up = now_us()
        self._note({"current_loop": "", "total_loops": ""})
        other = self.outgoing_leg.channel if self.outgoing_leg and self._is_bridged else None
        self._fire("CHANNEL_HANGUP_COMPLETE", HANGUP_COMPLETE, lambda: self.channel.hangup_event(other))
        self._become(CallState.ENDED)

    def _stop(self) -> None:
        self._on_end()
        self._switch.remove_channel(self.channel)
        if self._park_timer is not None:
            self._park_timer.cancel()
        if self.outgoing_leg is not None:
            self._switch.remove_channel(self.outgoing_leg.channel)
            self.outgoing_leg.stop()

    def _show_callee(self) -> None:
        if self.outgoing_leg:
            self.channel.callee_number = self.outgoing_leg.channel.destination

    def _note(self, variables: dict[str, str]) -> None:
        for name, value in variables.items():
            self.channel.set(name, value)

    def _fire(self, name: str, origin: Origin, build: Callable[[], Event]) -> None:
        bus = self._switch.bus
        bus.fire(name, origin, build() if bus.is_heard(name) else {})

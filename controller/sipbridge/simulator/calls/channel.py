"""Keeps a channel's state and builds the headers and variables of its events. Pure.

Order and content follow the recordings; values that depend on real media are constant.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from sipbridge.simulator.calls.call_report import RTP_STATISTICS, Times, report_variables
from sipbridge.simulator.wire.events import Origin, now_us
from sipbridge.simulator.wire.protocol import Event

PARK = Origin("switch_ivr.c", "switch_ivr_park", 1002)
ANSWER = Origin("switch_channel.c", "switch_channel_perform_mark_answered", 3846)
BRIDGE = Origin("switch_ivr_bridge.c", "switch_ivr_multi_threaded_bridge", 1689)
UNBRIDGE = Origin("switch_ivr_bridge.c", "switch_ivr_multi_threaded_bridge", 1879)
HANGUP_COMPLETE = Origin("switch_core_state_machine.c", "switch_core_session_reporting_state", 943)

_ADDRESS = "127.0.0.1"
_EXPANDABLE = re.compile(r"\$\\*\{")

_CODEC = {
    f"Channel-{way}-Codec-{what}": value
    for way in ("Read", "Write")
    for what, value in (("Name", "PCMU"), ("Rate", "8000"), ("Bit-Rate", "64000"))
}
_PRIVACY = {"Screen-Bit": "true", "Privacy-Hide-Name": "false", "Privacy-Hide-Number": "false"}


@dataclass(slots=True, eq=False)
class Channel:
    """One leg of a call.

    Attributes:
        name: ``sofia/providers/alice@example.org``
        destination: the number that was dialled.
        variables: with their prefix ``variable_``, in the order they were set.
        application: the running or last application, and its argument.
        scope: variables that exist while the application runs.
        accountcode: as ``show channels`` knows it: FreeSWITCH updates that row when an application starts.
    """

    uuid: str
    direction: str
    profile: str
    name: str
    destination: str
    caller_name: str
    caller_number: str
    username: str
    context: str
    times: Times
    variables: Event = field(default_factory=dict)
    application: tuple[str, str] = ("park", "")
    accountcode: str = ""
    scope: dict[str, str] = field(default_factory=dict)
    hangup_cause: str = ""
    callee_number: str = ""

    def set(self, name: str, value: str | None) -> None:
        """Set a variable, which moves it to the end; None or an empty string removes it.

        A value that contains an expansion is not stored, as in FreeSWITCH.
        """
        self.variables.pop(f"variable_{name}", None)
        if value and not ("$" in value and _EXPANDABLE.search(value)):
            self.variables[f"variable_{name}"] = value

    def get(self, name: str) -> str | None:
        """Return a variable, or the first value of an array; the running application's variables take precedence."""
        if name in self.scope:
            return self.scope[name]
        value = self.variables.get(f"variable_{name}")
        return value[0] if isinstance(value, list) else value

    def start_application(self, name: str, argument: str) -> None:
        """Record the application that starts."""
        self.application = (name, argument)
        # These two are stored unchecked.
        for variable, value in (("current_application_data", argument), ("current_application", name)):
            self.set(variable, None)
            if value:
                self.variables[f"variable_{variable}"] = value
        self.accountcode = self.get("accountcode") or ""

    def note_progress(self, status: int) -> None:
        """Record the time of the first 180, or 183 with early media."""
        if status == 183:
            self.times.progress_media = self.times.progress_media or now_us()
        else:
            self.times.progress = self.times.progress or now_us()

    @property
    def _answer_state(self) -> str:
        if self.hangup_cause:
            return "hangup"
        if self.times.answered:
            return "answered"
        return "early" if self.times.progress_media else "ringing"

    @property
    def caller_id(self) -> str:
        """The caller's name and number."""
        return f'"{self.caller_name}" <{self.caller_number}>'

    @property
    def call_state(self) -> str:
        """``RINGING``, ``EARLY``, ``ACTIVE`` or ``HANGUP``."""
        if self.times.hung_up:
            return "HANGUP"
        if self.times.answered:
            return "ACTIVE"
        return "EARLY" if self.times.progress_media else "RINGING"

    def event(
        self, other: Channel | None = None, call_state: str = "", state: tuple[str, str] = ("CS_EXECUTE", "4")
    ) -> Event:
        """Return the headers and variables of every event about this channel.

        Args:
            other: the leg it is, or was, bridged to.
            call_state: for events in which it lags behind `Channel.call_state`.
            state: the channel state, name and number.
        """
        fields: Event = {
            "Channel-State": state[0],
            "Channel-Call-State": call_state or self.call_state,
            "Channel-State-Number": state[1],
            "Channel-Name": self.name,
            "Unique-ID": self.uuid,
            "Call-Direction": self.direction,
            "Presence-Call-Direction": self.direction,
            "Channel-HIT-Dialplan": "true" if self.direction == "inbound" else "false",
            "Channel-Call-UUID": self.get("call_uuid") or self.uuid,
            "Answer-State": self._answer_state,
        }
        if self.hangup_cause and state[0] != "CS_REPORTING":
            fields["Hangup-Cause"] = self.hangup_cause
        fields.update(_CODEC)
        fields.update(self._caller_headers())
        if other is not None:
            fields.update(self._other_leg_headers(other))
        fields.update(self.variables)
        return fields

    def _caller_headers(self) -> dict[str, str]:
        headers = {
            "Caller-Direction": self.direction,
            "Caller-Logical-Direction": self.direction,
            "Caller-Username": self.username,
            "Caller-Dialplan": "XML",
            "Caller-Caller-ID-Name": self.caller_name,
            "Caller-Caller-ID-Number": self.caller_number,
            "Caller-Orig-Caller-ID-Name": self.caller_name,
            "Caller-Orig-Caller-ID-Number": self.caller_number,
        }
        if self.callee_number:
            headers["Caller-Callee-ID-Name"] = "Outbound Call"
            headers["Caller-Callee-ID-Number"] = self.callee_number
        headers |= {
            "Caller-Network-Addr": _ADDRESS,
            "Caller-ANI": self.caller_number,
            "Caller-Destination-Number": self.destination,
            "Caller-Unique-ID": self.uuid,
            "Caller-Source": "mod_sofia",
            "Caller-Context": self.context,
            "Caller-Channel-Name": self.name,
            "Caller-Profile-Index": "1",
        }
        headers.update(_time_headers("Caller", self.times))
        headers.update({f"Caller-{name}": value for name, value in _PRIVACY.items()})
        return headers

    def _other_leg_headers(self, other: Channel) -> dict[str, str]:
        headers = {
            "Other-Type": "originatee",
            "Other-Leg-Direction": other.direction,
            "Other-Leg-Logical-Direction": "inbound",
            "Other-Leg-Username": other.username,
            "Other-Leg-Dialplan": "XML",
            "Other-Leg-Caller-ID-Name": other.caller_name,
            "Other-Leg-Caller-ID-Number": other.caller_number,
            "Other-Leg-Orig-Caller-ID-Name": other.caller_name,
            "Other-Leg-Orig-Caller-ID-Number": other.caller_number,
            "Other-Leg-Callee-ID-Name": "Outbound Call",
            "Other-Leg-Callee-ID-Number": other.destination,
            "Other-Leg-Network-Addr": _ADDRESS,
            "Other-Leg-ANI": other.caller_number,
            "Other-Leg-Destination-Number": other.destination,
            "Other-Leg-Unique-ID": other.uuid,
            "Other-Leg-Source": "mod_sofia",
            "Other-Leg-Context": other.context,
            "Other-Leg-Channel-Name": other.name,
        }
        # The copy of the other leg's times was made when it was answered.
        copied = Times(other.times.created, other.times.answered, other.times.progress, other.times.progress_media)
        headers.update(_time_headers("Other-Leg", copied))
        headers.update({f"Other-Leg-{name}": value for name, value in _PRIVACY.items()})
        return headers

    def hangup_event(self, other: Channel | None) -> Event:
        """Build CHANNEL_HANGUP_COMPLETE with the cause, all times and durations."""
        is_answered = bool(self.times.answered)
        self.variables.update(report_variables(self.times, self.hangup_cause, self.application, self.caller_id))
        if is_answered and self.direction == "inbound":
            self.variables.update(RTP_STATISTICS)
        # How a call ended is set before the report, how it was refused after it.
        self.variables.setdefault("variable_sip_hangup_disposition", "send_refuse")
        fields: Event = {"Hangup-Cause": self.hangup_cause}
        fields.update(self.event(other, state=("CS_REPORTING", "11")))
        return fields


def _time_headers(prefix: str, times: Times) -> dict[str, str]:
    headers = {
        f"{prefix}-Profile-Created-Time": str(times.created),
        f"{prefix}-Channel-Created-Time": str(times.created),
        f"{prefix}-Channel-Answered-Time": str(times.answered),
        f"{prefix}-Channel-Progress-Time": str(times.progress),
        f"{prefix}-Channel-Progress-Media-Time": str(times.progress_media),
        f"{prefix}-Channel-Hangup-Time": str(times.hung_up),
    }
    headers |= dict.fromkeys((f"{prefix}-Channel-Transfer-Time", f"{prefix}-Channel-Resurrect-Time"), "0")
    headers[f"{prefix}-Channel-Bridged-Time"] = str(times.bridged)
    headers |= dict.fromkeys((f"{prefix}-Channel-Last-Hold", f"{prefix}-Channel-Hold-Accum"), "0")
    return headers

"""Simulates one run of FreeSWITCH, with its calls. Uses timers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from sipbridge.core.freeswitch.version import FreeSwitchVersion
from sipbridge.simulator.calls.call import SimulatedCall
from sipbridge.simulator.calls.far_side import FarSide
from sipbridge.simulator.calls.incoming_invite import IncomingInvite
from sipbridge.simulator.calls.incoming_leg import make_incoming_leg
from sipbridge.simulator.calls.switch_core import CERTIFICATES, SwitchCore
from sipbridge.simulator.clock import Clock
from sipbridge.simulator.schedule import Schedule
from sipbridge.simulator.sofia.registrar import Registrar
from sipbridge.simulator.wire.events import Origin, now_us

HEARTBEAT_S = 20
"""Simulated seconds between two HEARTBEAT events."""

_HEARTBEAT = Origin("switch_core.c", "send_heartbeat", 94)
_SHUTDOWN = Origin("switch_core.c", "switch_core_destroy", 3023)


class Switch(SwitchCore):
    """Everything that a restart loses: the core's state, scheduled commands and calls.

    Attributes:
        calls: calls in progress, by the UUID of their A leg.
        is_paused: whether the SIP stack refuses new calls.
        files: those that ``file_exists`` finds.
        version: which FreeSWITCH it behaves like.
        configuration_error: what is wrong with its XML besides the spool: nothing of it is read anew until it is right.

    Args:
        admits_any_provider: whether the dialplan accepts calls that do not go to a gateway's contact.
    """

    def __init__(
        self,
        clock: Clock,
        profiles: Mapping[str, tuple[int, Path | None]],
        variables: Mapping[str, str],
        tick_s: float,
        registrar: Registrar,
        far_side: FarSide,
        injections: list[str],
        admits_any_provider: bool,
        version: FreeSwitchVersion,
    ) -> None:
        super().__init__(clock, profiles, variables, tick_s, registrar, far_side, injections)
        self.version = version
        self.files = {f"{CERTIFICATES}/dtls-srtp.pem"}
        self.schedule = Schedule(clock)
        self.started_us = now_us()
        self.calls: dict[str, SimulatedCall] = {}
        self.is_paused = False
        self.is_leaving = False
        self.configuration_error = ""
        self._is_running = False
        self._admits_any_provider = admits_any_provider

    def start(self) -> None:
        """Load the profiles and begin to tick."""
        self._is_running = True
        for profile in self.profiles.values():
            profile.start()
        self.clock.after(HEARTBEAT_S, self._beat)

    # Calls.

    def call_of(self, channel_uuid: str) -> SimulatedCall | None:
        """Return the call that has a leg with this UUID."""
        channel = self.channel(channel_uuid)
        return self.calls.get(channel.get("call_uuid") or channel.uuid) if channel else None

    def take_call(self, invite: IncomingInvite) -> SimulatedCall:
        """Handle an incoming INVITE: create its channel and run the dialplan.

        If FreeSWITCH or the profile is down, nothing answers; if it is paused, no channel is created.
        """
        profile = self.configured_profiles[invite.profile]
        channel = make_incoming_leg(invite, profile, self.session_count + 1)
        call = SimulatedCall(self, channel, on_end=lambda: self.calls.pop(channel.uuid, None))
        if not self._is_running or invite.profile not in self.profiles:
            call.responses = [408]
            call.lose()
            return call
        if self.is_paused:
            # Answered before a session exists, so no event is sent.
            call.responses.append(503)
            call.lose()
            return call
        self.calls[channel.uuid] = call
        self.add_channel(channel)
        self._run_dialplan(call)
        return call

    def _run_dialplan(self, call: SimulatedCall) -> None:
        """Refuse strangers, and refuse all calls without a lease; otherwise mark the call and park it."""
        is_outside = self.profiles[call.channel.profile].has_gateways
        is_ours = (call.channel.get("sip_gateway") or "").startswith("sipbridge.")
        if is_outside and not is_ours and not self._admits_any_provider:
            call.kill("OUTGOING_CALL_BARRED")
            return
        if self.variables.get("sipbridge_lease") != "true":
            call.refuse(503)
            return
        call.channel.set("sip_bridge", "true")
        call.channel.set("hangup_after_bridge", "true")
        call.channel.set("continue_on_fail", "false")
        call.channel.set("transfer_on_fail", "INVALID_GATEWAY,INVALID_PROFILE respond:503 inline")
        call.park()

    # The whole.

    def restart_profile(self, name: str, down_ticks: int) -> None:
        """Stop a profile, lose its gateways, and start it again from the configuration."""
        profile = self.profiles.pop(name)
        profile.stop()

        def start_again() -> None:
            self.profiles[name] = profile
            profile.start()

        self.clock.after_real(down_ticks * profile.tick_s, start_again)

    def begin_shutdown(self, *, takes_calls: bool) -> None:
        """Run ``fsctl shutdown``, with ``elegant``, which still accepts calls, or ``asap``, or neither."""
        self.is_leaving = True
        self.is_paused |= not takes_calls

    def cancel_shutdown(self) -> None:
        """``fsctl shutdown cancel``."""
        self.is_leaving = self.is_paused = False

    def announce_shutdown(self) -> None:
        """Send SHUTDOWN."""
        self.bus.fire("SHUTDOWN", _SHUTDOWN, {"Event-Info": "System Shutting Down"})

    def lose_calls(self) -> None:
        """Lose every call without an event."""
        for call in tuple(self.calls.values()):
            call.lose()
        self.calls.clear()
        self._channels.clear()

    def _beat(self) -> None:
        up_ms = (now_us() - self.started_us) // 1000
        fields = {
            "Event-Info": "System Ready",
            "Up-Time": format_uptime(now_us() - self.started_us),
            "FreeSWITCH-Version": f"{self.version}-release~64bit",
            "Uptime-msec": str(up_ms),
            "Session-Count": str(len(self._channels)),
            "Max-Sessions": "20000",
            "Session-Per-Sec": "10000",
            "Session-Per-Sec-Last": "0",
            "Session-Per-Sec-Max": "0",
            "Session-Per-Sec-FiveMin": "0",
            "Session-Since-Startup": str(self.session_count),
            "Session-Peak-Max": str(self.peak_calls),
            "Session-Peak-FiveMin": str(self.peak_calls),
            "Idle-CPU": "98.000000",
        }
        self.bus.fire("HEARTBEAT", _HEARTBEAT, fields)
        self.clock.after(HEARTBEAT_S, self._beat)


def format_uptime(us: int) -> str:
    """``0 years, 0 days, 0 hours, 2 minutes, 4 seconds, 463 milliseconds, 297 microseconds``."""
    ms, microseconds = divmod(us, 1000)
    seconds, milliseconds = divmod(ms, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    years, days = divmod(days, 365)
    numbers = {
        "year": years,
        "day": days,
        "hour": hours,
        "minute": minutes,
        "second": seconds,
        "millisecond": milliseconds,
        "microsecond": microseconds,
    }
    return ", ".join(f"{number} {unit}{'' if number == 1 else 's'}" for unit, number in numbers.items())

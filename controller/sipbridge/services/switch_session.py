"""What the switch tells goes to the service that it concerns; calls wait until the counts are right. Renews the lease.

After every (re)connection both services find out what they missed, and only then calls are decided and the lease is
taken: before that, a decision could oversell a line.
"""

from __future__ import annotations

import dataclasses
import logging
from typing import assert_never

from sipbridge.core.calls.events import (
    CallEnded,
    CallParked,
    GatewayAdded,
    GatewayDeleted,
    GatewayStateChanged,
    Heartbeat,
    ProfileStarted,
    SwitchEvent,
)
from sipbridge.core.freeswitch.version import FreeSwitchVersion, parse_freeswitch_version
from sipbridge.core.sip.call import ChannelUuid
from sipbridge.ports import Clock, CommandRefused, SwitchLease, SwitchLost
from sipbridge.services.calls.admission import Admission
from sipbridge.services.calls.call_control import CallControl
from sipbridge.services.gateways.gateway_keeper import GatewayKeeper

_log = logging.getLogger(__name__)

_FIRST_AUDIT_S = 2.0
"""FreeSWITCH's table of channels lags behind by up to a second: what it did not show at first, it shows then."""
_AUDIT_S = 60.0


class SwitchSession:
    """The listener of one switch.

    Args:
        lease_renewal_s: pause between two renewals, a fraction of the lease.

    Attributes:
        problem: why the switch is not connected; ``""`` while it is.
        since: when it was connected, or was no longer, by the clock.
    """

    def __init__(
        self,
        switch: SwitchLease,
        calls: CallControl,
        gateways: GatewayKeeper,
        admission: Admission,
        clock: Clock,
        lease_renewal_s: float,
    ) -> None:
        self._switch = switch
        self._calls = calls
        self._gateways = gateways
        self._admission = admission
        self._clock = clock
        self._lease_renewal_s = lease_renewal_s
        self._is_ready = False
        self._takes_calls = True
        self.problem = "not connected yet"
        self.since = clock.monotonic()
        self._heartbeat: tuple[Heartbeat, float] | None = None
        self._waiting: dict[ChannelUuid, CallParked] = {}
        self._renew_at = 0.0
        self._claim_at = 0.0
        self._audit_at = 0.0

    @property
    def is_ready(self) -> bool:
        """Whether calls are decided: the link is up and the counts are right."""
        return self._is_ready

    @property
    def takes_calls(self) -> bool:
        """Whether new calls are taken at all, as far as the operator is concerned."""
        return self._takes_calls

    @property
    def has_lease(self) -> bool:
        """Whether the switch lets calls through to us."""
        return self._is_ready and self._takes_calls

    @property
    def heartbeat(self) -> Heartbeat | None:
        """How the switch is, its uptime as it is now; None while it is not known."""
        if self._heartbeat is None:
            return None
        heartbeat, at = self._heartbeat
        return dataclasses.replace(heartbeat, uptime_s=heartbeat.uptime_s + self._clock.monotonic() - at)

    @property
    def switch_version(self) -> FreeSwitchVersion | None:
        """The version of the switch, asked for at each connection; None while it is not known."""
        return parse_freeswitch_version(self._heartbeat[0].version) if self._heartbeat else None

    @property
    def calls_waiting(self) -> int:
        """Parked calls that are decided as soon as the counts are right."""
        return len(self._waiting)

    def on_switch_up(self) -> None:
        """Reconcile, then decide the calls that arrived meanwhile, and take the lease."""
        self._gateways.reconcile()
        self._calls.look_for_dtls_certificate()
        found, gone = self._calls.reconcile()
        _log.info(
            "FreeSWITCH connected: %d calls in progress, %d of them new and %d gone since the last connection",
            self._calls.calls_in_progress,
            found,
            gone,
        )
        self._is_ready = True
        self.problem = ""
        self.since = self._clock.monotonic()
        waiting, self._waiting = self._waiting, {}
        for call in waiting.values():
            self._decide(call)
        now = self._clock.monotonic()
        self._audit_at = now + _FIRST_AUDIT_S
        self._renew_at = now
        if not self._takes_calls:
            # The lease of the connection before may still stand.
            self._switch.end_lease()
        self.step()

    def on_switch_down(self, reason: str) -> None:
        """Stop deciding; FreeSWITCH ends parked calls by itself. Who lost the connection has logged it."""
        self._is_ready = False
        self._note_heartbeat(None)
        if not self.problem:
            self.since = self._clock.monotonic()
        self.problem = reason
        self._waiting.clear()
        self._admission.forget()
        self._gateways.disconnect()

    def on_switch_event(self, event: SwitchEvent) -> None:
        """Tell the service that it concerns."""
        match event:
            case CallParked():
                if self._is_ready:
                    self._decide(event)
                else:
                    self._waiting[event.channel_uuid] = event
            case CallEnded():
                self._waiting.pop(event.channel_uuid, None)
                self._calls.on_call_ended(event)
            case GatewayStateChanged() | GatewayAdded() | GatewayDeleted():
                self._gateways.on_gateway_event(event)
            case ProfileStarted():
                self._gateways.on_profile_started(event)
            case Heartbeat():
                self._note_heartbeat(event)
            case unknown:
                assert_never(unknown)

    def step(self) -> None:
        """Let calls in again, renew the lease, and hold the counts against the switch, when it is time to."""
        if not self._is_ready:
            return
        if self._takes_calls:
            self._admission.step()
        now = self._clock.monotonic()
        if now >= self._claim_at:
            self._claim_at = now + self._lease_renewal_s
            self._switch.keep_claim()
        # To renew the lease opens the door, too.
        if self._takes_calls and now >= self._renew_at and not self._admission.is_shut:
            self._renew_at = now + self._lease_renewal_s
            self._switch.renew_lease()
        if now >= self._audit_at:
            self._audit_at = now + _AUDIT_S
            if self._audit():
                # What was found may itself have been a call that was just ending.
                self._audit_at = now + _FIRST_AUDIT_S

    def stop_taking_calls(self) -> None:
        """Let FreeSWITCH answer new calls with 503; those in progress go on."""
        self._takes_calls = False
        self._admission.forget()
        self._switch.end_lease()

    def take_calls_again(self) -> None:
        """Let FreeSWITCH take new calls again, as soon as they can be decided."""
        self._takes_calls = True
        self._renew_at = self._clock.monotonic()
        self.step()

    def _note_heartbeat(self, heartbeat: Heartbeat | None) -> None:
        self._heartbeat = (heartbeat, self._clock.monotonic()) if heartbeat is not None else None
        self._calls.use_switch_version(self.switch_version)

    def _decide(self, call: CallParked) -> None:
        try:
            self._calls.on_call_parked(call, is_admitted=self._admission.let_in())
        except Exception:  # noqa: BLE001 - one call that we fail at must not cost the others; FreeSWITCH ends it
            _log.exception("deciding call %s (%s) failed", call.channel_uuid, call.call_id)

    def _audit(self) -> bool:
        """Hold the counts against the switch; whether to do so once more soon."""
        try:
            found, gone = self._calls.reconcile()
        except SwitchLost as error:
            _log.info("call audit skipped until the next connection: %s", error)
            return False
        except CommandRefused as error:
            _log.warning("call audit postponed: %s", error)
            return False
        if found or gone:
            _log.warning("call audit corrected %d calls without a line and %d lines of ended calls", found, gone)
        return bool(found or gone) or self._calls.misses_some

"""Manages the session with the switch: reconciles after each connection, routes events to services, renews the lease.

After every connection, calls and gateways are reconciled first; only then are calls decided and the lease taken. Before
that, a decision could exceed an account's limit.
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
"""FreeSWITCH's table of channels lags behind by up to a second; by the first audit it is complete."""
_AUDIT_S = 60.0


class SwitchSession:
    """The listener of one switch.

    Args:
        lease_renewal_s: pause between two renewals, a fraction of the lease.

    Attributes:
        problem: why the switch is not connected; ``""`` while it is.
        since: the time of the last connection or loss, in monotonic seconds.
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
        """Whether calls are decided: the link is up and the call counts are known."""
        return self._is_ready

    @property
    def takes_calls(self) -> bool:
        """Whether new calls are accepted, as far as the operator is concerned."""
        return self._takes_calls

    @property
    def has_lease(self) -> bool:
        """Whether the daemon holds the lease."""
        return self._is_ready and self._takes_calls

    @property
    def heartbeat(self) -> Heartbeat | None:
        """The last heartbeat, with the current uptime; None while unknown."""
        if self._heartbeat is None:
            return None
        heartbeat, at = self._heartbeat
        return dataclasses.replace(heartbeat, uptime_s=heartbeat.uptime_s + self._clock.monotonic() - at)

    @property
    def switch_version(self) -> FreeSwitchVersion | None:
        """The version of the switch, queried at each connection; None while unknown."""
        return parse_freeswitch_version(self._heartbeat[0].version) if self._heartbeat else None

    @property
    def calls_waiting(self) -> int:
        """The number of parked calls waiting until the call counts are known."""
        return len(self._waiting)

    def on_switch_up(self) -> None:
        """Reconcile, then decide the calls that arrived in the meantime, and take the lease."""
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
            # The lease of the previous connection may still be valid.
            self._switch.end_lease()
        self.step()

    def on_switch_down(self, reason: str) -> None:
        """Stop deciding; FreeSWITCH ends parked calls by itself. The link has logged the loss."""
        self._is_ready = False
        self._note_heartbeat(None)
        if not self.problem:
            self.since = self._clock.monotonic()
        self.problem = reason
        self._waiting.clear()
        self._admission.forget()
        self._gateways.disconnect()

    def on_switch_event(self, event: SwitchEvent) -> None:
        """Route an event to the service that handles it."""
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
        """When due: accept calls again, renew the lease, and compare the call counts with the switch."""
        if not self._is_ready:
            return
        if self._takes_calls:
            self._admission.step()
        now = self._clock.monotonic()
        if now >= self._claim_at:
            self._claim_at = now + self._lease_renewal_s
            self._switch.keep_claim()
        # Renewing the lease would also make the switch accept calls again.
        if self._takes_calls and now >= self._renew_at and not self._admission.is_shut:
            self._renew_at = now + self._lease_renewal_s
            self._switch.renew_lease()
        if now >= self._audit_at:
            self._audit_at = now + _AUDIT_S
            if self._audit():
                # A corrected call may just have been ending, so check again soon.
                self._audit_at = now + _FIRST_AUDIT_S

    def stop_taking_calls(self) -> None:
        """Make FreeSWITCH answer new calls with 503; calls in progress continue."""
        self._takes_calls = False
        self._admission.forget()
        self._switch.end_lease()

    def take_calls_again(self) -> None:
        """Make FreeSWITCH accept new calls again, as soon as they can be decided."""
        self._takes_calls = True
        self._renew_at = self._clock.monotonic()
        self.step()

    def _note_heartbeat(self, heartbeat: Heartbeat | None) -> None:
        self._heartbeat = (heartbeat, self._clock.monotonic()) if heartbeat is not None else None
        self._calls.use_switch_version(self.switch_version)

    def _decide(self, call: CallParked) -> None:
        try:
            self._calls.on_call_parked(call, is_admitted=self._admission.let_in())
        except Exception:  # noqa: BLE001 - one call that cannot be decided must not affect the others; FreeSWITCH ends it
            _log.exception("deciding call %s (%s) failed", call.channel_uuid, call.call_id)

    def _audit(self) -> bool:
        """Compare the call counts with the switch; return whether to repeat it soon."""
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

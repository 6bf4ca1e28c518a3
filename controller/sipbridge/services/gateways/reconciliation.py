"""Reconciles the roster with FreeSWITCH's gateways, yielding so that calls are not delayed. Queries the switch."""

from __future__ import annotations

import logging

from sipbridge.core.gateways.gateway import GATEWAY_PREFIX, GatewayName
from sipbridge.ports import CommandRefused, Scheduler, SwitchGateways, SwitchLost
from sipbridge.services.gateways.gateway_roster import GatewayRoster
from sipbridge.services.gateways.registrations import Registrations, SwitchGatewayEvent
from sipbridge.services.gateways.wanted_gateways import WantedGateways
from sipbridge.services.slices import Slices

_log = logging.getLogger(__name__)

_SLICE = 500
"""Gateways handled without yielding: about 5 ms if they are renamed, else less."""


class Reconciliation:
    """Finds out which gateways exist, after a connection or a start of a profile.

    Events report what changes while that is under way. They are noted at once, and again afterwards: every change has
    its event, so the last one is right, whichever of answer and events was the older.
    """

    def __init__(
        self,
        switch: SwitchGateways,
        scheduler: Scheduler,
        roster: GatewayRoster,
        registrations: Registrations,
        wanted: WantedGateways,
    ) -> None:
        self._switch = switch
        self._scheduler = scheduler
        self._roster = roster
        self._registrations = registrations
        self._wanted = wanted
        # The events since it began; None while no reconciliation is running.
        self._meanwhile: list[SwitchGatewayEvent] | None = None

    def note(self, event: SwitchGatewayEvent) -> None:
        """Keep an event that arrives during a reconciliation."""
        if self._meanwhile is not None:
            self._meanwhile.append(event)

    def abandon(self) -> None:
        """Stop, because the link is lost and its answers are stale."""
        self._meanwhile = None

    def run(self) -> None:
        """Query the gateways, and record the answer.

        Raises:
            SwitchLost: the link was lost.
        """
        meanwhile: list[SwitchGatewayEvent] = []
        self._meanwhile = meanwhile

        def check_link() -> None:
            if self._meanwhile is not meanwhile:
                raise SwitchLost("the connection was lost in the meantime")

        slices = Slices(self._scheduler, _SLICE, check_link)
        try:
            self._wanted.rename(self._switch.gateway_salt(), slices, self._registrations.is_backing_off)
            self._compare(*self._ask(), slices)
        finally:
            if self._meanwhile is meanwhile:
                self._meanwhile = None
        for event in meanwhile:
            self._registrations.note(event)

    def _ask(self) -> tuple[set[str], set[str]]:
        try:
            return self._switch.gateways()
        except CommandRefused as error:
            _log.warning("provider profile is not running: %s", error.reply.strip())
            return set(), set()

    def _compare(self, up: set[str], down: set[str], slices: Slices) -> None:
        known = self._roster.names
        strays = [name for listed in (up, down) for name in listed if name not in known]
        ours = (GatewayName(name) for name in strays if name.startswith(GATEWAY_PREFIX))
        for name in slices.each([*known, *ours]):
            self._registrations.note_listed(name, is_up=name in up, is_down=name in down)
        wanted = self._roster.wanted
        present = sum(name in up or name in down for name in wanted)
        _log.info("%d of %d gateways are in FreeSWITCH", present, len(wanted))

"""What is known of the gateways becomes what the switch has, while calls are decided in between. Asks the switch."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import TypeVar

from sipbridge.core.gateways.gateway import GATEWAY_PREFIX, GatewayName
from sipbridge.core.pools.account_pool import Line
from sipbridge.ports import CommandRefused, Scheduler, Switch, SwitchLost
from sipbridge.services.gateways.desired_gateways import DesiredGateways
from sipbridge.services.gateways.gateway_changes import GatewayChanges
from sipbridge.services.gateways.gateway_states import GatewayEvent

_T = TypeVar("_T")
_log = logging.getLogger(__name__)

_SLICE = 500
"""Gateways that are looked at in one go: some 5 ms when they are named, less otherwise."""


class Reconciliation:
    """Finds out which gateways there are, after a link is up or a profile has started.

    What changes while that is under way is told by events. Those are noted and told again afterwards: every change has
    its event, so that the last one told is right, whichever of answer and events was the older.

    Args:
        miss: told of each line whose gateway should be there and is not.
    """

    def __init__(
        self,
        switch: Switch,
        scheduler: Scheduler,
        desired: DesiredGateways,
        changes: GatewayChanges,
        miss: Callable[[Line], None],
    ) -> None:
        self._switch = switch
        self._scheduler = scheduler
        self._desired = desired
        self._changes = changes
        self._miss = miss
        # The events since it began; None while none is under way.
        self._meanwhile: list[GatewayEvent] | None = None

    def note(self, event: GatewayEvent) -> None:
        """Something happens to a gateway."""
        if self._meanwhile is not None:
            self._meanwhile.append(event)

    def abandon(self) -> None:
        """The link is lost: what was asked over it is worth nothing."""
        self._meanwhile = None

    def run(self) -> list[GatewayEvent]:
        """Ask, and note what is there.

        Returns:
            The events to be told again.

        Raises:
            SwitchLost: the link broke.
        """
        meanwhile: list[GatewayEvent] = []
        self._meanwhile = meanwhile
        try:
            for _ in self._slices(self._desired.use_salt(self._switch.gateway_salt()), meanwhile):
                pass
            up, down = self._ask()
            self._compare(up, down, meanwhile)
        finally:
            if self._meanwhile is meanwhile:
                self._meanwhile = None
        return meanwhile

    def _ask(self) -> tuple[set[str], set[str]]:
        try:
            return self._switch.gateways()
        except CommandRefused as error:
            _log.warning("the provider profile is not running: %s", error.reply.strip())
            return set(), set()

    def _compare(self, up: Collection[str], down: Collection[str], meanwhile: list[GatewayEvent]) -> None:
        plan = self._changes.start_from({GatewayName(name) for name in (*up, *down) if name.startswith(GATEWAY_PREFIX)})
        for name in self._slices(plan.remove, meanwhile):
            if name not in self._desired:
                self._changes.remove(name)
        lines = self._desired.lines()
        for line in self._slices(lines, meanwhile):
            gateway = line.gateway
            if gateway is not None:
                if not self._changes.is_present(gateway):
                    self._miss(line)
                self._desired.note_listed(line, gateway in up, gateway in down)
        _log.info("%d of %d gateways are in FreeSWITCH", len(lines) - len(plan.add), len(lines))

    def _slices(self, steps: Iterable[_T], meanwhile: list[GatewayEvent]) -> Iterator[_T]:
        """Take the steps, and let others run after every few; as long as the link is the same."""
        for number, step in enumerate(steps, 1):
            yield step
            if number % _SLICE == 0:
                self._scheduler.breathe()
                if self._meanwhile is not meanwhile:
                    raise SwitchLost("the connection was lost meanwhile")

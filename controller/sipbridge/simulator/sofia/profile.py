"""Simulates a sofia profile: its gateways, its timer and its spool file. Reads that file, uses timers."""

from __future__ import annotations

from pathlib import Path

from sipbridge.simulator.clock import Clock, Timer
from sipbridge.simulator.sofia.gateways import GatewayTable
from sipbridge.simulator.sofia.registrar import Registrar
from sipbridge.simulator.sofia.spool import load_spool
from sipbridge.simulator.wire.events import EventBus, Origin

_START = Origin("sofia.c", "config_sofia", 6352)


class Profile:
    """One profile.

    Args:
        spool: the file that its ``<gateways>`` includes; None for a profile without gateways.
        tick_s: real seconds between two ticks of its timer.
    """

    def __init__(
        self, name: str, port: int, spool: Path | None, bus: EventBus, clock: Clock, registrar: Registrar, tick_s: float
    ) -> None:
        self.name = name
        self.port = port
        self.tick_s = tick_s
        self.gateways = GatewayTable(name, bus, clock, registrar)
        self._spool = spool
        self._bus = bus
        self._clock = clock
        self._timer: Timer | None = None

    @property
    def has_gateways(self) -> bool:
        """Whether it is the providers' profile."""
        return self._spool is not None

    @property
    def url(self) -> str:
        """``sip:mod_sofia@127.0.0.1:5080``."""
        return f"sip:mod_sofia@127.0.0.1:{self.port}"

    def start(self) -> None:
        """Load the gateways, announce the start, and start the timer."""
        self.rescan()
        fields = {"module_name": "mod_sofia", "profile_name": self.name, "profile_uri": self.url}
        self._bus.fire("CUSTOM", _START, fields, "sofia::profile_start")
        self._timer = self._clock.after_real(self.tick_s, self._tick)

    def stop(self) -> None:
        """Unregister and drop the gateways, and stop the timer."""
        if self._timer is not None:
            self._timer.cancel()
        self.gateways.close()

    def rescan(self) -> str:
        """Read the configuration again and add the gateways that are new; returns what ``Reload XML`` says."""
        if self._spool is None:
            return "Success"
        spool = load_spool(self._spool)
        self.gateways.add_new(spool.gateways)
        return spool.outcome

    def _tick(self) -> None:
        self.gateways.tick()
        self._timer = self._clock.after_real(self.tick_s, self._tick)

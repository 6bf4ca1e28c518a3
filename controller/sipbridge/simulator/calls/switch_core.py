"""The shared core of a simulated FreeSWITCH: events, time, variables, profiles, channels. Uses timers."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path

from sipbridge.simulator.calls.channel import Channel
from sipbridge.simulator.calls.far_side import FarSide
from sipbridge.simulator.clock import Clock
from sipbridge.simulator.sofia.profile import Profile
from sipbridge.simulator.sofia.registrar import Registrar
from sipbridge.simulator.wire.events import EventBus

CERTIFICATES = "/etc/freeswitch/tls"


class SwitchCore:
    """The core that modules and sessions of FreeSWITCH share.

    Attributes:
        profiles: the running profiles.
        configured_profiles: the running and the restarting profiles.

    Args:
        clock: runs scheduled actions; each run of the switch needs a new one.
        profiles: by name, each with its port and, if it has gateways, the file they come from.
        variables: global variables set by the configuration.
        injections: collects every ``${…}`` evaluated in the controller's commands.
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
    ) -> None:
        self.core_uuid = str(uuid.uuid4())
        self.clock = clock
        self.far_side = far_side
        self.injections = injections
        self.variables = {
            "hostname": "simulator",
            "local_ip_v4": "127.0.0.1",
            "certs_dir": CERTIFICATES,
            "core_uuid": self.core_uuid,
            **variables,
        }
        self.bus = EventBus(self.core_uuid)
        self.session_count = 0
        self.peak_calls = 0
        self._channels: dict[str, Channel] = {}
        self.profiles = {
            name: Profile(name, port, spool, self.bus, clock, registrar, tick_s)
            for name, (port, spool) in profiles.items()
        }
        self.configured_profiles = dict(self.profiles)

    @property
    def channels(self) -> Iterator[Channel]:
        """Every leg, oldest first."""
        return iter(self._channels.values())

    def channel(self, channel_uuid: str) -> Channel | None:
        """Return the leg with this UUID."""
        return self._channels.get(channel_uuid)

    def add_channel(self, channel: Channel) -> None:
        """Add a new leg."""
        self.session_count += 1
        self._channels[channel.uuid] = channel
        self.peak_calls = max(self.peak_calls, len(self._channels))

    def remove_channel(self, channel: Channel) -> None:
        """Remove an ended leg."""
        self._channels.pop(channel.uuid, None)

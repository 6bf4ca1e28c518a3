"""Estimates the memory FreeSWITCH leaks per deleted gateway, and warns when it adds up. Logs.

FreeSWITCH takes the memory of a gateway from its profile's memory pool, which is freed only when the profile restarts:
an account that changes, or unregisters when the daemon stops, costs as much again. The number of deleted gateways is
stored in FreeSWITCH, so that it survives restarts of the daemon.

Source: mod_sofia, sofia.c (parse_gateways) and sofia_glue.c; measured, 4.6 KB a gateway.
"""

from __future__ import annotations

import logging

from sipbridge.ports import SwitchGateways

_log = logging.getLogger(__name__)

GATEWAY_BYTES = 4_700
_MB = 1_000_000


class ProfileMemory:
    """Counts the gateways that were deleted since their profile started.

    Args:
        profile: the sofia profile of the gateways.
        warning_mb: the amount at which a warning is logged, and again at each doubling.

    Attributes:
        lost_gateways: the number of deleted gateways that still take memory.
    """

    def __init__(self, switch: SwitchGateways, profile: str, warning_mb: int) -> None:
        self._switch = switch
        self._profile = profile
        self._warning_bytes = warning_mb * _MB
        self.lost_gateways = 0
        self._kept = 0
        self._warn_at = self._warning_bytes

    @property
    def lost_bytes(self) -> int:
        """Estimated memory kept for deleted gateways."""
        return self.lost_gateways * GATEWAY_BYTES

    @property
    def is_much(self) -> bool:
        """Whether the amount is large enough for a warning."""
        return self.lost_bytes >= self._warning_bytes

    def recall(self) -> None:
        """Read the stored count after a connection.

        Raises:
            SwitchLost: the link was lost again.
        """
        self.lost_gateways = self._kept = self._switch.lost_gateways()
        self._warn_at = self._warning_bytes

    def note_deleted(self) -> None:
        """Count a deleted gateway."""
        self.lost_gateways += 1

    def note_started(self, profile: str) -> None:
        """Reset the count if this profile has started, because its memory was freed."""
        if profile == self._profile:
            self.lost_gateways = 0
            self._warn_at = self._warning_bytes

    def step(self) -> None:
        """Store the count in FreeSWITCH, and warn if necessary."""
        if self.lost_gateways != self._kept:
            self._switch.keep_lost_gateways(self.lost_gateways)
            self._kept = self.lost_gateways
        if self.lost_bytes < self._warn_at:
            return
        while self.lost_bytes >= self._warn_at:
            self._warn_at *= 2
        _log.warning(
            "FreeSWITCH holds some %d MB for %d gateways that are gone: restart its profile in a quiet hour, with "
            "fs_cli -x 'sofia profile %s restart'; that ends the calls of the profile, and all accounts register again",
            self.lost_bytes // _MB,
            self.lost_gateways,
            self._profile,
        )

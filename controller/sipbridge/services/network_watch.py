"""Changes of the host's network become new registrations, and profiles bound to the addresses that are there now.

FreeSWITCH alone does neither in time. A link that was down leaves gateways waiting for their next try, or registered
with a far side that has forgotten them. An address that changes is noticed within a minute; a profile is then started
again with the configuration in memory, which still has the old address, fails three times and is gone for good.
Source: switch_core.c, check_ip; sofia.c, sofia_profile_thread_run; tried with 1.10.12.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from sipbridge.core.network import HostNetwork
from sipbridge.ports import Clock, CommandRefused, SofiaProfiles, SwitchLost

_log = logging.getLogger(__name__)

_RETRY_S = 1.0
"""FreeSWITCH refuses to restart a profile that has been up for less than ten seconds."""
_START_S = 15.0
"""How long a profile that is told to restart may take to be bound again: it waits for its calls to end."""


class NetworkWatch:
    """Follows the network of one host with the FreeSWITCH on it.

    Args:
        names: the profiles that are used; the first one has the gateways.
        register_again: lets every account register once more, at the pace of its pool; gives back how many they are.
        stable_s: how long the network has to stay as it is before anything is done about it.
    """

    def __init__(
        self,
        profiles: SofiaProfiles,
        names: Sequence[str],
        register_again: Callable[[], int],
        clock: Clock,
        stable_s: float,
    ) -> None:
        self._profiles = profiles
        self._names = names
        self._register_again = register_again
        self._clock = clock
        self._stable_s = stable_s
        self._network = HostNetwork()
        self._settled: HostNetwork | None = None
        # Addresses that were gone for a moment since then.
        self._lost: set[str] = set()
        self._due_at: float | None = None
        self._bound: dict[str, str] = {}
        self._restarting: dict[str, float] = {}
        self._problem = ""

    def on_network(self, network: HostNetwork) -> None:
        """Note how the network is."""
        if network == self._network:
            return
        self._lost |= self._network.addresses - network.addresses
        self._network = network
        self._due_at = self._clock.monotonic() + self._stable_s

    def step(self) -> None:
        """Do what is due; may wait for the switch."""
        now = self._clock.monotonic()
        if self._due_at is None or now < self._due_at:
            return
        self._due_at = None
        network = self._network
        try:
            # All of them are asked, whatever comes of the first.
            pending = [name for name in self._names if not self._follow(name, network)]
        except SwitchLost:
            pending = list(self._names)
        except CommandRefused as error:
            pending = list(self._names)
            self._say(f"a profile cannot follow the network yet: {error}")
        if self._network is not network:
            # It changed again while the switch was asked: that is due later.
            return
        if pending:
            self._due_at = now + _RETRY_S
            return
        self._settled = network
        self._lost.clear()

    def _follow(self, profile: str, network: HostNetwork) -> bool:
        """Have a profile bound to an address of the host; whether there is nothing more to do about it for now."""
        bound = self._profiles.address(profile)
        if bound is None and profile not in self._bound:
            # It has never run, as far as we know: that is not about the network.
            return True
        if bound is None or not network.has(bound):
            return self._bind(profile, bound or self._bound[profile], network)
        self._bound[profile] = bound
        restarted = self._restarting.pop(profile, None) is not None
        if profile == self._names[0] and not restarted and (reason := self._why_again(bound, network)):
            self._problem = ""
            count = self._register_again()
            _log.warning("%s: %d accounts of sofia profile %s register again", reason, count, profile)
        return True

    def _why_again(self, bound: str, network: HostNetwork) -> str:
        """Why the far sides may no longer reach us as they did; empty when they do."""
        if self._settled is None:
            return ""
        if bound in self._lost or not self._settled.has(bound):
            return f"{bound} is back"
        family = "inet6 " if ":" in bound else "inet "
        gained = sorted(network.default_routes - self._settled.default_routes)
        return "; ".join(f"default route {route} is new" for route in gained if route.startswith(family))

    def _bind(self, profile: str, gone: str, network: HostNetwork) -> bool:
        """Restart a profile that is bound to an address of the past, if its configuration has another one now."""
        now = self._clock.monotonic()
        if now < self._restarting.get(profile, now):
            return False
        self._profiles.follow_host(network, gone)
        configured = self._profiles.configured_address(profile)
        if configured is None or not network.has(configured):
            self._say(
                f"sofia profile {profile} is bound to {gone}, which this host no longer has, and configured for "
                f"{configured or 'what FreeSWITCH finds'}: it carries no calls until that is back"
            )
            return True
        self._profiles.restart(profile)
        self._restarting[profile] = now + _START_S
        self._problem = ""
        _log.warning("sofia profile %s restarts: this host no longer has %s, but %s", profile, gone, configured)
        return False

    def _say(self, problem: str) -> None:
        """Log a problem once, not at each attempt."""
        if problem != self._problem:
            self._problem = problem
            _log.error("%s", problem)

"""Follows changes of the host's network: registers accounts again, and rebinds profiles to current addresses.

FreeSWITCH alone does neither in time. After a link was down, gateways wait for their next retry, or believe that they
are registered although the far side has forgotten them. FreeSWITCH notices a changed address within a minute; it then
restarts the profile with the configuration in memory, which still has the old address, fails three times and gives up.
Source: switch_core.c, check_ip; sofia.c, sofia_profile_thread_run; tried with 1.10.12.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import NamedTuple

from sipbridge.core.network import HostNetwork
from sipbridge.ports import Clock, CommandRefused, SofiaProfiles, SwitchLost

_log = logging.getLogger(__name__)

_RETRY_S = 1.0
"""FreeSWITCH refuses to restart a profile that has been up for less than ten seconds."""
_START_S = 15.0
"""How long a restarting profile may take until it is bound again: it waits for its calls to end."""


class _Outcome(NamedTuple):
    """The result of adapting a profile to the network.

    Attributes:
        is_done: whether nothing is left to do until the next change.
        problem: why the profile carries no calls.
    """

    is_done: bool
    problem: str = ""


_DONE = _Outcome(True)


class NetworkWatch:
    """Follows the network of one host with the FreeSWITCH on it.

    Args:
        names: the profiles in use; the first one has the gateways.
        register_again: makes every account register again, at the pace of its pool; returns the number of gateways.
        stable_s: how long the network must be stable before anything is done.
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
        self._renewed: HostNetwork | None = None
        # Addresses that were gone at some moment since then.
        self._lost: set[str] = set()
        self._due_at: float | None = None
        self._bound: dict[str, str] = {}
        self._restarting: dict[str, float] = {}
        self._problems: list[str] = []

    @property
    def problem(self) -> str:
        """Why a profile carries no calls now; empty if all do."""
        return "; ".join(self._problems)

    def on_network(self, network: HostNetwork) -> None:
        """Record the state of the network."""
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
            # Try every profile, even if the first one fails.
            outcomes = [self._try_to_follow(name, network) for name in self._names]
        except SwitchLost:
            self._due_at = now + _RETRY_S
            return
        self._tell([outcome.problem for outcome in outcomes if outcome.problem])
        if self._network is not network:
            # The network changed again in the meantime: handle that later.
            return
        if not all(outcome.is_done for outcome in outcomes):
            self._due_at = now + _RETRY_S
            return
        self._settled = network
        self._lost.clear()

    def _try_to_follow(self, profile: str, network: HostNetwork) -> _Outcome:
        try:
            return self._follow(profile, network)
        except CommandRefused as error:
            return _Outcome(False, f"sofia profile {profile} cannot follow the network yet: {error}")

    def _follow(self, profile: str, network: HostNetwork) -> _Outcome:
        """Make sure that a profile is bound to an address of the host."""
        address = self._profiles.address(profile)
        known = address or self._bound.get(profile)
        if known is None or (address is None and not self._was_lost(known, network)):
            # The profile is not running, presumably for another reason.
            return _DONE
        if address is None or not network.has(address):
            return self._bind(profile, known, network)
        self._bound[profile] = address
        if self._restarting.pop(profile, None) is None and profile == self._names[0]:
            self._renew(profile, address, network)
        return _DONE

    def _renew(self, profile: str, bound: str, network: HostNetwork) -> None:
        """Make the accounts register again if necessary, once per change."""
        if network is self._renewed or not (reason := self._why_again(bound, network)):
            return
        self._renewed = network
        count = self._register_again()
        _log.warning("%s: registering %d gateways of sofia profile %s again", reason, count, profile)

    def _why_again(self, bound: str, network: HostNetwork) -> str:
        """Return why the far sides may no longer reach this host; empty if they still can."""
        if self._settled is None:
            return ""
        if self._was_lost(bound, network):
            return f"{bound} is back"
        family = "inet6 " if ":" in bound else "inet "
        gained = sorted(network.default_routes - self._settled.default_routes)
        return "; ".join(f"new default route {route}" for route in gained if route.startswith(family))

    def _was_lost(self, address: str, network: HostNetwork) -> bool:
        """Return whether an address is gone, or was at some moment since the last stable state."""
        before = self._settled or network
        return address in self._lost or not before.has(address) or not network.has(address)

    def _bind(self, profile: str, gone: str, network: HostNetwork) -> _Outcome:
        """Restart a profile that is bound to a lost address, if its configuration now has a valid one."""
        now = self._clock.monotonic()
        restarts = _Outcome(False, f"restarting sofia profile {profile}: this host no longer has {gone}")
        if now < self._restarting.get(profile, now):
            return restarts
        self._profiles.follow_host(network, gone)
        configured = self._profiles.configured_address(profile)
        if configured is None or not network.has(configured):
            return _Outcome(
                True,
                f"sofia profile {profile} is bound to {gone}, which this host no longer has; its configured address is "
                f"{configured or 'chosen by FreeSWITCH'}: no calls until the address is back",
            )
        self._profiles.restart(profile)
        self._restarting[profile] = now + _START_S
        return restarts

    def _tell(self, problems: list[str]) -> None:
        """Log new problems, but do not repeat them at each attempt."""
        for problem in problems:
            if problem not in self._problems:
                _log.error("%s", problem)
        self._problems = problems

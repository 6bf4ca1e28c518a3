"""What is to be known of FreeSWITCH: the way to it, its SIP profiles, its gateways. Pure."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from sipbridge.core.accounts.next_hops import Networks
from sipbridge.settings.kinds import Host
from sipbridge.settings.reading.setting_values import AreNetworks, Between, Matches, Password

_Profile = Annotated[str, Matches(r"[A-Za-z0-9_.\-]+", "the name of a sofia profile: letters, digits and _ . -")]


@dataclass(frozen=True, slots=True)
class EventSocketSettings:
    """``[event_socket]``: the connection to FreeSWITCH's mod_event_socket, and its timeouts."""

    host: Host = "127.0.0.1"
    """The address on which FreeSWITCH listens. The Event Socket has neither encryption nor limits on what a client
    may do. Therefore one controller runs beside each FreeSWITCH and uses loopback."""

    port: Annotated[int, Between(1, 65535)] = 8021
    """TCP port. The default is FreeSWITCH's own."""

    password: Password = field(default="", repr=False)
    """The password in ``event_socket.conf.xml``. Either this or `password_file` is required to run. There is no
    default, because everybody knows FreeSWITCH's."""

    password_file: Path | None = None
    """A file that contains only the password, so that it is neither here nor in the environment; for example a
    systemd credential. It should not be readable by everybody."""

    connect_timeout_s: Annotated[float, Between(0.1, 300)] = 5.0
    """Timeout for connecting and logging in. On loopback this takes milliseconds. If it takes seconds, FreeSWITCH
    hangs, and the only thing to do is to try again."""

    command_timeout_s: Annotated[float, Between(0.1, 300)] = 10.0
    """Timeout for the answer to a command; after it the connection counts as broken. The slowest command, a rescan
    that adds hundreds of gateways, takes well under a second. Commands that take longer with more gateways get
    twelve times as long."""

    heartbeat_timeout_s: Annotated[float, Between(25, 600)] = 45.0
    """Longest silence on the event connection; after it the connection counts as broken. FreeSWITCH sends a
    HEARTBEAT every 20 s, so by default two of them must be missing."""

    backoff_min_s: Annotated[float, Between(0.05, 60)] = 0.2
    """Pause before the first reconnect. It doubles with every failure. It is short because FreeSWITCH is often back
    at once, and no call is taken until then."""

    backoff_max_s: Annotated[float, Between(0.05, 600)] = 30.0
    """Longest pause before a reconnect: long enough to cost nothing, short enough that nobody waits for it after a
    repair."""


@dataclass(frozen=True, slots=True)
class SofiaSettings:
    """``[sofia]``: the names of FreeSWITCH's SIP profiles."""

    provider_profile: _Profile = "providers"
    """The profile from which accounts register and calls leave. The default is its name in
    ``freeswitch/sip_profiles``."""

    inside_profile: _Profile = "inside"
    """The profile at which calls from your proxy arrive. The default is its name in ``freeswitch/sip_profiles``."""


@dataclass(frozen=True, slots=True)
class GatewaySettings:
    """``[gateways]``: how accounts become gateways of FreeSWITCH, and how they register."""

    spool_file: Path = Path("/etc/freeswitch/spool/gateways.xml")
    """The file through which gateways are added: the one that ``sipbridge_spool`` in FreeSWITCH's ``vars.xml``
    names. It contains passwords while FreeSWITCH reads it. Only sipbridge and FreeSWITCH should be able to read its
    folder."""

    expires_s: Annotated[int, Between(60, 86400)] = 3600
    """Longest lifetime that is requested for a registration; the default is the usual hour. A shorter lifetime finds a
    lost registration sooner and costs more REGISTERs. Each account requests its own lifetime: up to two fifths less,
    but at least a minute, so that accounts that were added together do not refresh together. This costs a quarter more
    REGISTERs than if all accounts requested the longest lifetime.

    FreeSWITCH refreshes at a random moment between a quarter and three quarters of the lifetime that the registrar
    grants (30 to 60 s before its end, if the lifetime is between 90 s and 5 minutes). It knows the granted lifetime
    only if the answer repeats our Contact. Otherwise it uses the requested lifetime, and refreshes 15 s before its
    end at the latest."""

    retry_s: Annotated[int, Between(1, 3600)] = 30
    """Pause before a failed registration is tried again. FreeSWITCH multiplies it by the number of failures. The
    default is FreeSWITCH's own."""

    max_registrations_per_s: Annotated[int, Between(1, 2000)] = 300
    """Most gateways that a pool adds in a second, if its `registrationThrottlingRateMs` does not ask for fewer.
    FreeSWITCH sends everything that is due in one burst a second. With 300 in a burst all of them register; 3,000 at
    once time out."""

    lost_memory_warning_mb: Annotated[int, Between(1, 1_000_000)] = 256
    """sipbridge logs a warning when deleted gateways hold this much memory, and again at each doubling. FreeSWITCH
    frees the memory only when the profile restarts: 4.7 KB for each account that was changed or deleted, or
    unregistered when the daemon stopped. ``sipbridge status`` shows how much it is."""

    confirm_timeout_s: Annotated[float, Between(1, 600)] = 10.0
    """How long sipbridge waits for the event that confirms that a gateway was added or removed, at most; then it
    asks FreeSWITCH. A gateway that unregisters is removed when the far side has answered, or after a few seconds
    without an answer."""

    unregister_timeout_s: Annotated[float, Between(0, 600)] = 10.0
    """How long a stop waits for accounts to unregister, at most. The remaining ones expire at the far side. Keep
    this below the stop timeout of systemd, which is 90 s."""

    refused_next_hops: Annotated[str, AreNetworks()] = ""
    """Addresses and networks, separated by commas, to which no account of a database may send its calls and REGISTERs,
    such as ``192.0.2.10,10.0.0.0/24``. Name FreeSWITCH's own addresses, your proxy, and the network inside: a call that
    an account sends there may come back as a call of another user, with that user's line and digest. Rows whose
    outbound proxy, registrar, or domain (if it is the next hop) is such an address are skipped, with a warning. If any
    is named, rows with 0.0.0.0, ``::`` or an unusual form of an address (``127.1``) are skipped too. In the providers
    file, such addresses are used, and ``sipbridge check`` warns. Names are not resolved: FreeSWITCH's access list
    alone (``sipbridge_inside_refused``) stops those. Leave out a proxy that your accounts really use, even on loopback.
    The way through the edge is not affected."""

    @property
    def refused_networks(self) -> Networks:
        """`refused_next_hops` as networks."""
        texts = self.refused_next_hops.split(",") if self.refused_next_hops.strip() else ()
        return tuple(ipaddress.ip_network(text.strip()) for text in texts)

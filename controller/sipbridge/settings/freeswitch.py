"""What is to be known of FreeSWITCH: the way to it, its SIP profiles, its gateways. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from sipbridge.settings.kinds import Host
from sipbridge.settings.reading.setting_values import Between, Matches, Password

_Profile = Annotated[str, Matches(r"[A-Za-z0-9_.\-]+", "the name of a sofia profile: letters, digits and _ . -")]


@dataclass(frozen=True, slots=True)
class EventSocketSettings:
    """``[event_socket]``: the way to FreeSWITCH's mod_event_socket, and how patient to be with it."""

    host: Host = "127.0.0.1"
    """Where FreeSWITCH listens. The Event Socket is neither encrypted nor limited in what it may do: one controller
    runs beside each FreeSWITCH and uses loopback."""

    port: Annotated[int, Between(1, 65535)] = 8021
    """TCP port; FreeSWITCH's own default."""

    password: Password = field(default="", repr=False)
    """The password of ``event_socket.conf.xml``. This or `password_file` is required to run; there is no default,
    because FreeSWITCH's is known to everyone."""

    password_file: Path | None = None
    """A file that holds the password alone, so that it is neither here nor in the environment; for example a
    credential of systemd. It should not be readable by everyone."""

    connect_timeout_s: Annotated[float, Between(0.1, 300)] = 5.0
    """Longest time for a connection to be made and the password to be accepted. On loopback it takes milliseconds;
    seconds mean that FreeSWITCH hangs, and then trying again is all there is to do."""

    command_timeout_s: Annotated[float, Between(0.1, 300)] = 10.0
    """Longest time for the answer to a command. The slowest one, a rescan that adds hundreds of gateways, takes well
    under a second; after this time the connection counts as broken. What takes longer the more gateways there are gets
    twelve times as long."""

    heartbeat_timeout_s: Annotated[float, Between(25, 600)] = 45.0
    """Longest silence on the event connection. FreeSWITCH sends a HEARTBEAT every 20 s, so two of them are missing
    before the connection counts as broken."""

    backoff_min_s: Annotated[float, Between(0.05, 60)] = 0.2
    """Pause before the first attempt to connect again; it doubles with every failure. Short, because FreeSWITCH is
    often back at once, and no call is taken until then."""

    backoff_max_s: Annotated[float, Between(0.05, 600)] = 30.0
    """Longest such pause. Long enough to cost nothing, short enough that nobody waits for it after a repair."""


@dataclass(frozen=True, slots=True)
class SofiaSettings:
    """``[sofia]``: the SIP profiles of FreeSWITCH that are used."""

    provider_profile: _Profile = "providers"
    """The profile that accounts register from and calls go out on. The name in ``freeswitch/sip_profiles``."""

    inside_profile: _Profile = "inside"
    """The profile that the calls of the own proxy come in on. The name in ``freeswitch/sip_profiles``."""


@dataclass(frozen=True, slots=True)
class GatewaySettings:
    """``[gateways]``: how accounts become gateways of FreeSWITCH, and how these register."""

    spool_file: Path = Path("/etc/freeswitch/spool/gateways.xml")
    """The file through which gateways are added: the one that ``sipbridge_spool`` in FreeSWITCH's ``vars.xml`` names.
    It holds passwords while FreeSWITCH reads it: nobody but the two should be able to read its folder."""

    expires_s: Annotated[int, Between(60, 86400)] = 3600
    """Longest lifetime of a registration to ask for; the usual hour. Shorter finds a lost registration sooner and costs
    more REGISTERs. Each account asks for its own, up to two fifths less but no less than a minute, so that those that
    were added together are not refreshed together; that is a quarter more REGISTERs than if all asked for the most.

    FreeSWITCH refreshes at a random moment between a quarter and three quarters of what the registrar grants (30 to
    60 s before its end, when that is between 90 s and 5 minutes). It knows what was granted only if the answer repeats
    our Contact; without that it goes by what it asked for, and refreshes 15 s before its end at the latest."""

    retry_s: Annotated[int, Between(1, 3600)] = 30
    """Pause before a failed registration is tried again; FreeSWITCH multiplies it by the number of failures.
    FreeSWITCH's own default."""

    max_registrations_per_s: Annotated[int, Between(1, 2000)] = 300
    """Most gateways that a pool adds in a second, where its ``registrationThrottlingRateMs`` does not ask for fewer.
    FreeSWITCH sends what is due in one burst a second: at 300 all of them register, 3,000 at once time out."""

    lost_memory_warning_mb: Annotated[int, Between(1, 1_000_000)] = 256
    """From how much memory of deleted gateways on there is a warning in the log, and again at each doubling. FreeSWITCH
    gives it back when the profile restarts, not before: 4.7 KB for each account that was changed or removed, or
    unregistered when the daemon stopped. ``sipbridge status`` tells how much it is."""

    confirm_timeout_s: Annotated[float, Between(1, 600)] = 10.0
    """Longest time for the event that confirms that a gateway was added or is gone, before FreeSWITCH is asked. A
    gateway that unregisters is gone when the far side has answered, or has not answered for a few seconds."""

    unregister_timeout_s: Annotated[float, Between(0, 600)] = 10.0
    """Longest time that stopping waits for accounts to unregister. Those that are left expire at the far side; keep
    it below the stop timeout of systemd, which is 90 s."""

"""``sipbridge.toml`` and ``SIPBRIDGE_*`` variables become `Settings`. Reads the file and the password file.

A table of the file is a dataclass here (``[redis]`` in `config`), a key is a field: ``port`` in ``[event_socket]`` is
`EventSocketSettings.port`, and the variable ``SIPBRIDGE_EVENT_SOCKET__PORT``, which goes before the file. Units are in
the names: ``_s`` is seconds.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Annotated, Any

from sipbridge.config.diagnostic import Diagnostic, Severity
from sipbridge.config.json_text import Path as KeyPath
from sipbridge.config.redis_settings import RedisSettings, holds_password
from sipbridge.config.setting_files import read_password_file, read_settings_file
from sipbridge.config.setting_sources import SettingSources
from sipbridge.config.setting_values import Between, IsAddressAndPort, Matches, Password, build, settings_of
from sipbridge.core.edge import Edge, EdgeReason
from sipbridge.core.errors import SipBridgeError
from sipbridge.core.media import MediaEncryption, media_offer, why_not_offered
from sipbridge.core.routing import DeclineReason, MediaDefaults
from sipbridge.core.uri import parse_sip_uri

PREFIX = "SIPBRIDGE_"
"""Variables of the environment that begin so are settings."""

FILE_VARIABLE = "SIPBRIDGE_SETTINGS"
"""The one variable that is not: it names the settings file, for the command line."""

_SipStatus = Annotated[
    str,
    # FreeSWITCH expands ${…} in what it executes, a response included.
    Matches(
        r"[4-6][0-9]{2} (?! )[^\x00-\x1f\x7f-\x9f\u2028\u2029${}\\]+",
        'a SIP status from 400 to 699 and its phrase, such as "503 Service Unavailable"',
    ),
]
_Profile = Annotated[str, Matches(r"[A-Za-z0-9_.\-]+", "the name of a sofia profile: letters, digits and _ . -")]
_Host = Annotated[str, Matches(r"[A-Za-z0-9_.:%\-]+", "a host name or an IP address")]
# No name: FreeSWITCH compares addresses to know whose challenges it may answer.
_AddressAndPort = Annotated[str, IsAddressAndPort()]


class LogLevel(Enum):
    """The least serious message that is logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class LogFormat(Enum):
    """How a line of the log looks."""

    AUTO = "auto"
    CONSOLE = "console"
    JSON = "json"


@dataclass(frozen=True, slots=True)
class EventSocketSettings:
    """``[event_socket]``: the way to FreeSWITCH's mod_event_socket, and how patient to be with it."""

    host: _Host = "127.0.0.1"
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


@dataclass(frozen=True, slots=True)
class DeclineSettings:
    """``[calls.decline]``: the SIP status of a declined call, by reason.

    All but the last two are 488 unless set, as in the reference. A proxy in front that tries other ways on 5xx wants
    other ones.
    """

    no_provider: _SipStatus = "488 Not Acceptable Here"
    """No provider takes the call."""

    account_not_found: _SipStatus = "488 Not Acceptable Here"
    """The provider's pool has no account for the call, and ``onAccountNotFound`` is ``decline``."""

    not_registered: _SipStatus = "488 Not Acceptable Here"
    """The account was found, but is not registered although it has to be."""

    lines_taken: _SipStatus = "488 Not Acceptable Here"
    """The account was found, but carries ``maxCallsPerLine`` calls already."""

    bad_address: _SipStatus = "488 Not Acceptable Here"
    """What a template comes to, or an address of the call, is no SIP URI."""

    media_not_offered: _SipStatus = "488 Not Acceptable Here"
    """FreeSWITCH cannot offer the media protection that is asked for."""

    draining: _SipStatus = "503 Service Unavailable"
    """The provider or the account is drained (``sipbridge drain``). 503, so that the proxy in front goes elsewhere."""

    overload: _SipStatus = "503 Service Unavailable"
    """There are more calls than `max_calls_per_s`. The few that FreeSWITCH has taken before it is told to refuse them
    itself, always with 503, get this one."""


@dataclass(frozen=True, slots=True)
class CallSettings:
    """``[calls]``: what calls get.

    How long a call waits parked for a decision is not set here but in FreeSWITCH's dialplan (``park_timeout``), because
    it matters just when there is no controller.
    """

    lease_s: Annotated[int, Between(2, 60)] = 6
    """How long FreeSWITCH goes on parking calls after the last sign of life of the controller; then it answers 503
    itself. Renewed three times in this span. Shorter refuses calls after a short pause, longer lets calls wait in
    vain."""

    max_calls_per_s: Annotated[float, Between(1, 10_000)] = 100.0
    """New calls that are let in each second, from both sides together, and as many at once after a rest. While there
    are more, FreeSWITCH answers the excess with 503 and Retry-After before it costs anything, so that those that were
    let in are carried as well as ever. A FreeSWITCH with two cores carries about 150 a second: beyond what it can carry
    it takes twice as long for every call, and all callers wait."""

    drain_timeout_s: Annotated[float, Between(0, 86400)] = 0.0
    """Longest time that stopping waits for calls to end, while new ones get 503. None by default: calls go on in
    FreeSWITCH without the controller, so a restart of the controller alone should be short. Where FreeSWITCH is
    stopped after it, set what calls usually take, and systemd's stop timeout higher."""

    media_encryption: MediaEncryption = MediaEncryption.NONE
    """How RTP is protected when a provider does not say (``mediaEncryption``). None, as in the reference."""

    enable_avpf: bool | None = None
    """Whether RTP feedback is offered when a provider does not say (``enableAvpf``). Unset, it follows from the
    encryption."""

    decline: DeclineSettings = DeclineSettings()
    """The SIP status of a declined call, by reason."""

    @property
    def status_lines(self) -> Mapping[DeclineReason, str]:
        """The status line for each reason to decline."""
        return {reason: getattr(self.decline, reason.value.replace("-", "_")) for reason in DeclineReason}


class EdgeAccounts(Enum):
    """Which accounts go through the edge."""

    NEEDED = "needed"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class EdgeSettings:
    """``[edge]``: the Kamailio and the rtpengine beside FreeSWITCH, for what FreeSWITCH alone cannot do.

    It answers challenges for accounts with a digest hash, and offers AVPF, SDES with AVPF, and DTLS-SRTP without AVPF.
    Its configuration is in ``freeswitch/edge``.
    """

    enabled: bool = False
    """Whether there is one. Without it, accounts and media that need it are refused when the providers file is
    checked."""

    address: _AddressAndPort = "127.0.0.1:5090"
    """Where Kamailio takes requests from FreeSWITCH, over UDP: its inside socket."""

    rpc_socket: Path = Path("/run/sipbridge-edge/rpc.sock")
    """Kamailio's UNIX datagram socket for JSON-RPC. Whoever may write to it reads and sets the accounts' secrets: only
    the group that the two have in common should."""

    accounts: EdgeAccounts = EdgeAccounts.NEEDED
    """Which accounts go through it. ``needed``: those with a digest hash, those with a password that FreeSWITCH cannot
    send, and those of a pool with a provider that asks for media that needs the edge. ``all``: all of them. An account
    has one path, for registration and calls alike."""

    @property
    def edge(self) -> Edge | None:
        """What pools are made with; None when there is no edge."""
        if not self.enabled:
            return None
        takes_all = EdgeReason.ALL if self.accounts is EdgeAccounts.ALL else None
        return Edge(parse_sip_uri(f"sip:{self.address}"), takes_all)


@dataclass(frozen=True, slots=True)
class NetworkSettings:
    """``[network]``: what is done when an address, a link or a default route of this host changes."""

    watch: bool = True
    """Whether it is watched. When the address of the provider profile is back, or a default route is new, all accounts
    register again, at the pace of their pools; a profile that is bound to an address of the past, and configured for
    another one now (``$${local_ip_v4}``), is started again. Only where FreeSWITCH is reached over loopback."""

    stable_s: Annotated[float, Between(0.1, 60)] = 1.0
    """How long the network has to stay as it is before anything is done. A link that flaps should not make thousands of
    accounts register each time; a second is more than the changes take that belong together."""


@dataclass(frozen=True, slots=True)
class ControlSettings:
    """``[control]``: how commands such as ``sipbridge info`` reach the daemon."""

    socket: Path = Path("/run/sipbridge/control.sock")
    """The UNIX socket, which owner and group may use (mode 0660). In /run, because it is worth nothing after a
    restart."""


@dataclass(frozen=True, slots=True)
class HttpSettings:
    """``[http]``: metrics and health, for Prometheus and whoever watches services."""

    host: _Host = "127.0.0.1"
    """Where ``/metrics``, ``/healthz`` and ``/readyz`` are served. They can only be read, but by everyone who reaches
    them, and name providers and pools: loopback, or an address of the network that Prometheus is in."""

    port: Annotated[int, Between(0, 65535)] = 9461
    """TCP port; 0 serves none of it."""

    ready_registered_percent: Annotated[float, Between(0, 100)] = 50.0
    """How many of the accounts that have to register must be registered for ``/readyz`` to answer 200. Half: below
    that something is wrong with all of them rather than with some."""


@dataclass(frozen=True, slots=True)
class LoggingSettings:
    """``[logging]``: what is logged; it goes to standard error."""

    level: LogLevel = LogLevel.INFO
    """The least serious message that is logged. ``info`` has a line or two for each call, ``debug`` every event."""

    format: LogFormat = LogFormat.AUTO
    """``console`` is text with key=value, ``json`` a JSON object a line. ``auto`` is ``json`` where standard error
    leads to journald, which is where machines look for it, and ``console`` elsewhere."""

    @property
    def as_json(self) -> bool | None:
        """Whether a line is a JSON object; None for "it depends"."""
        return {LogFormat.AUTO: None, LogFormat.CONSOLE: False, LogFormat.JSON: True}[self.format]


@dataclass(frozen=True, slots=True)
class CdrSettings:
    """``[cdr]``: call detail records."""

    file: Path | None = None
    """Where a line of JSON is added for each call that is over, such as ``/var/log/sipbridge/cdr.jsonl``; none by
    default, because it says who called whom. It may be moved away at any time, as logrotate does."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of one daemon.

    Attributes:
        warnings: what was found that does not keep it from running.
    """

    providers_file: Path | None = None
    """The providers file: JSON, as the Flexisip B2BUA reads it. Required to run. A path in the settings file that is
    not absolute begins at the folder of that file; this holds for all paths."""

    event_socket: EventSocketSettings = EventSocketSettings()
    """The way to FreeSWITCH."""

    sofia: SofiaSettings = SofiaSettings()
    """The SIP profiles that are used."""

    gateways: GatewaySettings = GatewaySettings()
    """How accounts become gateways."""

    calls: CallSettings = CallSettings()
    """What calls get."""

    edge: EdgeSettings = EdgeSettings()
    """What FreeSWITCH alone cannot do."""

    redis: RedisSettings = field(default_factory=RedisSettings)
    """Who tells which accounts have changed."""

    network: NetworkSettings = NetworkSettings()
    """What is done when the host's network changes."""

    control: ControlSettings = ControlSettings()
    """How commands reach the daemon."""

    http: HttpSettings = HttpSettings()
    """Metrics and health."""

    cdr: CdrSettings = CdrSettings()
    """Call detail records."""

    logging: LoggingSettings = LoggingSettings()
    """What is logged."""

    warnings: tuple[Diagnostic, ...] = field(default=(), metadata={"not_a_setting": True})

    @property
    def media_defaults(self) -> MediaDefaults:
        """What a provider that says nothing about media gets."""
        return MediaDefaults(self.calls.media_encryption, self.calls.enable_avpf)


class SettingsError(SipBridgeError):
    """The settings cannot be used; each diagnostic says where and why.

    Attributes:
        diagnostics: all errors and warnings.
    """

    def __init__(self, diagnostics: Iterable[Diagnostic]) -> None:
        self.diagnostics = tuple(diagnostics)
        super().__init__("\n".join(map(str, self.diagnostics)))


def load_settings(
    path: Path | None, environ: Mapping[str, str], *, for_run: bool = False, passwords: bool = True
) -> Settings:
    """Read the settings; the environment goes before the file.

    Args:
        path: the TOML file; None for the environment and the defaults alone.
        environ: such as `os.environ`.
        for_run: whether everything that the daemon cannot do without has to be there.
        passwords: whether the files that hold one are read; not everyone who may use the control socket may do that.

    Raises:
        SettingsError: with everything that is wrong.
    """
    sources = SettingSources(dict(settings_of(Settings)), PREFIX)
    if path is not None:
        read_settings_file(path, sources, _is_secret)
    for password_and_file in _PASSWORDS:
        # The one in the environment goes before the other in the file.
        if environ.keys() & map(sources.variable, password_and_file):
            sources.drop(*password_and_file)
    sources.read_environment(environ, ignored=FILE_VARIABLE)
    for password, file in _PASSWORDS if passwords else ():
        read_password_file(sources, password, file)
    _check_together(sources, for_run)
    found = tuple(sorted(sources.diagnostics, key=lambda one: (one.line == 0, one.line, one.column)))
    if any(diagnostic.is_error for diagnostic in found):
        raise SettingsError(found)
    return dataclasses.replace(build(Settings, sources.values), warnings=found)


_PROVIDERS_FILE: KeyPath = ("providers_file",)
_PASSWORD: KeyPath = ("event_socket", "password")
_PASSWORD_FILE: KeyPath = ("event_socket", "password_file")
_PASSWORDS: Sequence[tuple[KeyPath, KeyPath]] = (
    (_PASSWORD, _PASSWORD_FILE),
    (("redis", "password"), ("redis", "password_file")),
)


def _is_secret(setting: KeyPath, value: Any) -> bool:
    return setting[-1] == "password" or (setting == ("redis", "url") and holds_password(value))


def _check_together(sources: SettingSources, for_run: bool) -> None:
    """Check what no setting can be checked for alone."""
    # Made with defaults in the place of what is wrong: the checks below then say nothing more about that.
    settings = build(Settings, sources.values)
    link, media = settings.event_socket, settings.media_defaults
    if link.backoff_min_s > link.backoff_max_s:
        message = f"must not be more than backoff_max_s, which is {link.backoff_max_s}"
        sources.tell(("event_socket", "backoff_min_s"), Severity.ERROR, message)
    if media_offer(media.encryption, media.enable_avpf, has_edge=settings.edge.enabled) is None:
        key = "enable_avpf" if ("calls", "enable_avpf") in sources.values else "media_encryption"
        sources.tell(("calls", key), Severity.ERROR, why_not_offered(media.encryption))
    for name, fault in settings.redis.faults():
        sources.tell(("redis", name), Severity.ERROR, fault)
    if for_run and not sources.has(_PROVIDERS_FILE):
        sources.tell(_PROVIDERS_FILE, Severity.ERROR, 'missing: set it, or "providers_file" in the settings file')
    if for_run and not sources.has(_PASSWORD) and not sources.has(_PASSWORD_FILE):
        message = 'missing: set it, or "password" or "password_file" in [event_socket] of the settings file'
        sources.tell(_PASSWORD, Severity.ERROR, message)

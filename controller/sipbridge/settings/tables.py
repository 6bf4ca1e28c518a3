"""The settings of one daemon, a dataclass for each table of the file. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from sipbridge.config.text.diagnostic import Diagnostic, Severity
from sipbridge.core.providers.media_defaults import MediaDefaults
from sipbridge.settings.calls import CallSettings
from sipbridge.settings.daemon import CdrSettings, ControlSettings, HttpSettings, LoggingSettings, NetworkSettings
from sipbridge.settings.edge import EdgeSettings
from sipbridge.settings.freeswitch import EventSocketSettings, GatewaySettings, SofiaSettings
from sipbridge.settings.redis import RedisSettings


class UnknownFields(Enum):
    """How an unknown field in the providers file is treated."""

    ERROR = "error"
    WARN = "warn"

    @property
    def severity(self) -> Severity:
        """The severity that the check of the file reports."""
        return Severity.WARNING if self is UnknownFields.WARN else Severity.ERROR


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of one daemon.

    Attributes:
        warnings: what was found that does not keep it from running.
    """

    providers_file: Path | None = None
    """The providers file: JSON in the format of the Flexisip B2BUA. Required to run. A relative path begins at the
    folder of the settings file, like every path in it."""

    unknown_fields: UnknownFields = UnknownFields.ERROR
    """How an unknown field in the providers file is treated. ``error`` finds misspelt names. ``warn`` allows comments
    and fields of other programs."""

    event_socket: EventSocketSettings = field(default_factory=EventSocketSettings)
    """The way to FreeSWITCH."""

    sofia: SofiaSettings = field(default_factory=SofiaSettings)
    """The SIP profiles that are used."""

    gateways: GatewaySettings = field(default_factory=GatewaySettings)
    """How accounts become gateways."""

    calls: CallSettings = field(default_factory=CallSettings)
    """What calls get."""

    edge: EdgeSettings = field(default_factory=EdgeSettings)
    """What FreeSWITCH alone cannot do."""

    redis: RedisSettings = field(default_factory=RedisSettings)
    """The server that announces changed accounts."""

    network: NetworkSettings = field(default_factory=NetworkSettings)
    """What is done when the host's network changes."""

    control: ControlSettings = field(default_factory=ControlSettings)
    """How commands reach the daemon."""

    http: HttpSettings = field(default_factory=HttpSettings)
    """Metrics and health."""

    cdr: CdrSettings = field(default_factory=CdrSettings)
    """Call detail records."""

    logging: LoggingSettings = field(default_factory=LoggingSettings)
    """What is logged."""

    warnings: tuple[Diagnostic, ...] = field(default=(), metadata={"not_a_setting": True})

    @property
    def media_defaults(self) -> MediaDefaults:
        """What a provider that says nothing about media gets."""
        return MediaDefaults(self.calls.media_encryption, self.calls.enable_avpf, self.calls.accept_unverified_dtls)

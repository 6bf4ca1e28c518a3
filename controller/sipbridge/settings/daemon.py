"""The daemon on its host: the network that it watches, where it listens, and what it writes. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Annotated

from sipbridge.settings.kinds import Host
from sipbridge.settings.reading.setting_values import Between


@dataclass(frozen=True, slots=True)
class NetworkSettings:
    """``[network]``: what happens when an address, a link or a default route of this host changes."""

    watch: bool = True
    """Whether sipbridge follows these changes. When the address of the provider profile is back, or there is a new
    default route, all accounts register again, at the pace of their pools. A profile that is bound to an old address
    and configured for the new one (``$${local_ip_v4}``) is restarted. Works only if FreeSWITCH is reached over
    loopback."""

    stable_s: Annotated[float, Between(0.1, 60)] = 1.0
    """How long the network must stay unchanged before sipbridge acts. A link that flaps should not make thousands of
    accounts register each time. Changes that belong together take less than a second."""


@dataclass(frozen=True, slots=True)
class ControlSettings:
    """``[control]``: how commands such as ``sipbridge info`` reach the daemon."""

    socket: Path = Path("/run/sipbridge/control.sock")
    """The UNIX socket. Its owner and its group may use it (mode 0660). It is in /run because it has no value after a
    restart."""


@dataclass(frozen=True, slots=True)
class HttpSettings:
    """``[http]``: metrics and health, for Prometheus and other monitoring systems."""

    host: Host = "127.0.0.1"
    """The address that serves ``/metrics``, ``/healthz`` and ``/readyz``. They are read-only, but anybody who
    reaches the address can read them, and they contain the names of providers and pools. Use loopback, or an address
    in the network of Prometheus."""

    port: Annotated[int, Between(0, 65535)] = 9461
    """TCP port. 0 switches metrics and health off."""

    ready_registered_percent: Annotated[float, Between(0, 100)] = 50.0
    """``/readyz`` answers 200 only if this share of the accounts that must register is registered. With less than
    half, something is wrong with all of them rather than with some."""


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
class LoggingSettings:
    """``[logging]``: what is logged. The log goes to standard error."""

    level: LogLevel = LogLevel.INFO
    """The least serious level that is logged. ``info`` has a line or two for each call, ``debug`` has every event."""

    format: LogFormat = LogFormat.AUTO
    """``console`` is text with key=value; ``json`` is one JSON object per line. ``auto`` is ``json`` if standard
    error goes to journald, where programs read it, and ``console`` otherwise."""

    @property
    def as_json(self) -> bool | None:
        """Whether a line is a JSON object; None for "it depends"."""
        return {LogFormat.AUTO: None, LogFormat.CONSOLE: False, LogFormat.JSON: True}[self.format]


@dataclass(frozen=True, slots=True)
class CdrSettings:
    """``[cdr]``: call detail records."""

    file: Path | None = None
    """The file that gets a line of JSON for each call that is over, such as ``/var/log/sipbridge/cdr.jsonl``. None
    by default, because it records who called whom. It may be moved away at any time, as logrotate does."""

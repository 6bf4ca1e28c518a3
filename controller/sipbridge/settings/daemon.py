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

    host: Host = "127.0.0.1"
    """Where ``/metrics``, ``/healthz`` and ``/readyz`` are served. They can only be read, but by everyone who reaches
    them, and name providers and pools: loopback, or an address of the network that Prometheus is in."""

    port: Annotated[int, Between(0, 65535)] = 9461
    """TCP port; 0 serves none of it."""

    ready_registered_percent: Annotated[float, Between(0, 100)] = 50.0
    """How many of the accounts that have to register must be registered for ``/readyz`` to answer 200. Half: below
    that something is wrong with all of them rather than with some."""


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

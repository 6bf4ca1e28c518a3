"""The settings: what an operator writes into ``sipbridge.toml``, or into variables of the environment.

A table of the file is a dataclass (``[redis]`` is in `config`), a key is a field: ``port`` in ``[event_socket]`` is
`EventSocketSettings.port`, and the variable ``SIPBRIDGE_EVENT_SOCKET__PORT``, which goes before the file. Units are in
the names: ``_s`` is seconds.
"""

from __future__ import annotations

from sipbridge.settings.calls import CallSettings, DeclineSettings
from sipbridge.settings.daemon import LogLevel
from sipbridge.settings.edge import EdgeSettings
from sipbridge.settings.freeswitch import EventSocketSettings
from sipbridge.settings.load import FILE_VARIABLE, PREFIX, SettingsError, load_settings
from sipbridge.settings.tables import Settings

__all__ = [
    "FILE_VARIABLE",
    "PREFIX",
    "CallSettings",
    "DeclineSettings",
    "EdgeSettings",
    "EventSocketSettings",
    "LogLevel",
    "Settings",
    "SettingsError",
    "load_settings",
]

"""``sipbridge.toml`` and ``SIPBRIDGE_*`` variables become `Settings`. Reads the file and the password files."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sipbridge.config.text.diagnostic import Diagnostic, Severity
from sipbridge.config.text.source_text import Path as KeyPath
from sipbridge.core.errors import SipBridgeError
from sipbridge.core.providers.media import media_offer, why_not_offered
from sipbridge.settings.reading.setting_files import read_password_file, read_settings_file
from sipbridge.settings.reading.setting_sources import SettingSources
from sipbridge.settings.reading.setting_values import build, settings_of
from sipbridge.settings.redis import holds_password
from sipbridge.settings.tables import Settings

PREFIX = "SIPBRIDGE_"
"""Variables of the environment that begin so are settings."""

FILE_VARIABLE = "SIPBRIDGE_SETTINGS"
"""The one variable that is not: it names the settings file, for the command line."""


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

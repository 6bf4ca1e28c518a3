"""The files that settings are in are read: the settings file, and the one that holds a password. Reads files."""

from __future__ import annotations

import pathlib
import stat
from collections.abc import Callable
from typing import Any

from sipbridge.config.text.diagnostic import Diagnostic, Severity
from sipbridge.config.text.source_text import Path
from sipbridge.settings.reading.setting_sources import SettingSources


def read_settings_file(path: pathlib.Path, sources: SettingSources, is_secret: Callable[[Path, Any], bool]) -> None:
    """Take the settings from a TOML file.

    Args:
        is_secret: whether a setting with this value makes the file a secret.
    """
    try:
        text = path.read_text("utf-8")
    except OSError as error:
        sources.diagnostics.append(Diagnostic(str(path), 0, 0, Severity.ERROR, f"cannot be read: {error.strerror}"))
    except UnicodeDecodeError:
        sources.diagnostics.append(Diagnostic(str(path), 0, 0, Severity.ERROR, "is not UTF-8: save it as UTF-8"))
    else:
        sources.read_toml(text, path)
        if _is_world_readable(path):
            advice = f"every user can read this password: chmod o-r {path}, or use password_file"
            for setting, value in sources.values.items():
                if is_secret(setting, value):
                    sources.tell(setting, Severity.WARNING, advice)


def read_password_file(sources: SettingSources, password: Path, password_file: Path) -> None:
    """Put what the password file holds in the place of the password.

    Args:
        password: the setting for the password.
        password_file: the setting for the file; nothing is done when it was not given.
    """
    path = sources.values.get(password_file)
    if path is None:
        return
    if password in sources.values:
        sources.tell(password_file, Severity.ERROR, "the password is set too: keep one of the two")
        return
    try:
        sources.values[password] = sources.convert(password, path.read_text("utf-8").rstrip("\r\n"))
    except OSError as error:
        sources.tell(password_file, Severity.ERROR, f"{path} cannot be read: {error.strerror}")
    except UnicodeDecodeError:
        sources.tell(password_file, Severity.ERROR, f"{path} is not UTF-8")
    except ValueError as error:
        sources.tell(password_file, Severity.ERROR, f"the content of {path} {error}")
    else:
        if _is_world_readable(path):
            sources.tell(password_file, Severity.WARNING, f"every user can read the password: chmod o-r {path}")


def _is_world_readable(path: pathlib.Path) -> bool:
    return bool(path.stat().st_mode & stat.S_IROTH)

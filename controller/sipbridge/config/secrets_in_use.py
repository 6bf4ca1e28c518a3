"""Collects the secrets of settings and providers, for the filter that hides them. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from urllib.parse import unquote, urlsplit

from sipbridge.core.bridge_config import BridgeConfig
from sipbridge.core.errors import SipBridgeError
from sipbridge.core.providers.provider import SqlLoader


def secrets_of_settings(settings: object) -> Iterator[str]:
    """Yield the settings that are hidden in ``repr``, and the passwords in URLs."""
    if not dataclasses.is_dataclass(settings):
        return
    for field in dataclasses.fields(settings):
        value = getattr(settings, field.name)
        if isinstance(value, str):
            if not field.repr:
                yield value
            if (password := _password_of(value)) is not None:
                yield from {password, unquote(password)}
        else:
            yield from secrets_of_settings(value)


def secrets_of_providers(config: BridgeConfig) -> Iterator[str]:
    """Yield the passwords of databases. Accounts have too many: their secrets are never put into messages."""
    for pool in config.pools.values():
        if isinstance(pool.loader, SqlLoader) and (password := _password_of_loader(pool.loader)):
            yield password


def _password_of_loader(loader: SqlLoader) -> str | None:
    # Imported here because it imports SQLAlchemy; without it, the daemon starts a quarter of a second faster.
    from sipbridge.config.connection.connection_string import parse_connection

    try:
        return parse_connection(loader.backend, loader.connection).url.password
    except SipBridgeError:
        # The error is reported when the accounts are read.
        return None


def _password_of(text: str) -> str | None:
    try:
        return urlsplit(text).password
    except ValueError:
        return None

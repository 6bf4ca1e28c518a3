"""Settings and providers become the secrets in them, so that a filter can know what must not be shown. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from urllib.parse import unquote, urlsplit

from sipbridge.core.bridge_config import BridgeConfig
from sipbridge.core.errors import SipBridgeError
from sipbridge.core.providers.provider import SqlLoader


def secrets_of_settings(settings: object) -> Iterator[str]:
    """What no dataclass of the settings shows in its ``repr``, and the passwords in their URLs."""
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
    """The passwords of databases. Those of accounts are too many to know: they are kept out of texts to begin with."""
    for pool in config.pools.values():
        if isinstance(pool.loader, SqlLoader) and (password := _password_of_loader(pool.loader)):
            yield password


def _password_of_loader(loader: SqlLoader) -> str | None:
    # Not above: it brings SQLAlchemy, which a bridge without databases starts a quarter of a second sooner without.
    from sipbridge.config.connection_string import parse_connection

    try:
        return parse_connection(loader.backend, loader.connection).url.password
    except SipBridgeError:
        # Whoever reads the accounts says what is wrong with it.
        return None


def _password_of(text: str) -> str | None:
    try:
        return urlsplit(text).password
    except ValueError:
        return None

"""Every secret of settings and databases is known to the filter."""

from __future__ import annotations

import json

from sipbridge.config.load import parse_providers
from sipbridge.config.secrets_in_use import secrets_of_providers, secrets_of_settings
from sipbridge.core.providers.media_defaults import MediaDefaults
from sipbridge.settings import EventSocketSettings, Settings
from sipbridge.settings.redis import RedisSettings


def test_passwords_of_settings_are_found_wherever_they_are() -> None:
    settings = Settings(
        event_socket=EventSocketSettings(password="clue-con"),
        redis=RedisSettings(url="redis://user:p%40ss@host", password="hush"),
    )
    assert {"clue-con", "p%40ss", "p@ss", "hush"} <= set(secrets_of_settings(settings))
    assert "127.0.0.1" not in set(secrets_of_settings(settings))


def test_settings_without_passwords_have_no_secrets() -> None:
    assert set(secrets_of_settings(Settings())) <= {""}


def test_passwords_of_databases_are_found() -> None:
    pool = {"outboundProxy": "sip:example.org", "registrationRequired": False, "maxCallsPerLine": 1}
    loader = {"dbBackend": "mysql", "initQuery": "SELECT 1", "updateQuery": "SELECT :identifier"}
    connections = {"A": "db=x user='u' password='correct horse' host=h", "B": "mysql://u:p%40ss@h/db", "C": "db=x"}
    providers = {
        "schemaVersion": 2,
        "providers": [],
        "accountPools": {
            name: pool | {"loader": loader | {"connection": connection}} for name, connection in connections.items()
        },
    }
    config = parse_providers(json.dumps(providers).encode(), "providers.json", MediaDefaults()).config
    assert config is not None
    assert list(secrets_of_providers(config)) == ["correct horse", "p@ss"]

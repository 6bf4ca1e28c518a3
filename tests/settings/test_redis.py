"""``[redis]``: valid settings, and errors about invalid ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from sipbridge.settings import SettingsError, load_settings
from sipbridge.settings.redis import RedisSettings


def redis_settings(**settings: str) -> RedisSettings:
    return load_settings(None, {f"SIPBRIDGE_REDIS__{name.upper()}": value for name, value in settings.items()}).redis


def test_off_unless_there_is_a_url() -> None:
    assert not load_settings(None, {}).redis.is_used
    assert not redis_settings(url="").is_used
    assert not redis_settings(password="Mellon").is_used
    assert redis_settings(url="redis://127.0.0.1").is_used


@pytest.mark.parametrize(
    "url",
    [
        "redis://127.0.0.1:6379/0",
        "redis://redis.example/",
        "redis://[::1]:6379",
        "redis://user@redis.example",
        "redis://:Mellon@redis.example",
        "rediss://user:Mel%40lon@redis.example:6380",
        "unix:///run/redis/redis.sock",
        "unix://user:Mellon@/run/redis/redis.sock",
    ],
)
def test_url(url: str) -> None:
    settings = redis_settings(url=url)
    assert settings.url == url
    assert settings.uses_tls == url.startswith("rediss")
    assert "Mel" not in repr(settings)


@pytest.mark.parametrize(
    "url",
    [
        "127.0.0.1:6379",
        "redis:",
        "redis://",
        "redis:///0",
        "http://redis.example",
        "redis://:Mellon@redis.example:99999",
        "redis://redis.example:0",
        "redis://:Mellon@redis.example:port",
        "redis://:Mel@lon@redis.example",
        "redis://:Mellon@[::1",
        "redis://redis.example?ssl_cert_reqs=none",
        "redis://redis.example/a",
        "unix://run/redis.sock",
        "unix:///run/redis.sock?db=1",
        "redis://redis.example\n",
    ],
)
def test_what_is_no_url(url: str) -> None:
    with pytest.raises(SettingsError) as caught:
        redis_settings(url=url)
    assert str(caught.value) == (
        'SIPBRIDGE_REDIS__URL: error: must be a URL such as "redis://host:6379", "rediss://host" or "unix:///path", '
        "or empty"
    )


def test_sentinels() -> None:
    settings = redis_settings(url="rediss://user@Jabiru-1", sentinels="a.example, b.example:26380,[::1]:26381")
    assert settings.sentinel_service == "Jabiru-1"
    assert settings.sentinel_addresses == [("a.example", 26379), ("b.example", 26380), ("::1", 26381)]
    assert redis_settings(url="redis://127.0.0.1", sentinels="").sentinel_addresses == []


@pytest.mark.parametrize(
    ("settings", "name", "fault"),
    [
        pytest.param({"sentinels": "a.example,"}, "SENTINELS", "must be addresses such as", id="comma at the end"),
        pytest.param({"sentinels": "a.example:99999"}, "SENTINELS", "must be addresses such as", id="no port"),
        pytest.param({"sentinels": "a.example b"}, "SENTINELS", "must be addresses such as", id="no comma"),
        pytest.param({"sentinels": "a.example"}, "SENTINELS", 'with Sentinels, "url" must be', id="no service"),
        pytest.param(
            {"url": "redis://jabiru:6379", "sentinels": "a.example"},
            "SENTINELS",
            "with Sentinels",
            id="service with port",
        ),
        pytest.param(
            {"url": "unix:///run/redis.sock", "sentinels": "a.example"},
            "SENTINELS",
            "with Sentinels",
            id="unix and sentinels",
        ),
        pytest.param(
            {"url": "redis://:a@b.example", "password": "a"},
            "URL",
            "the password is set here and in the URL",
            id="passwords",
        ),
        pytest.param({"url": "redis://b.example", "ca_file": "ca.pem"}, "CA_FILE", "is only for TLS", id="no TLS"),
        pytest.param(
            {"url": "unix:///redis.sock", "cert_file": "a.pem"}, "CERT_FILE", "is only for TLS", id="unix and TLS"
        ),
        pytest.param(
            {"url": "rediss://b.example", "key_file": "a.pem"}, "KEY_FILE", "needs a certificate", id="key alone"
        ),
        pytest.param({"channel": ""}, "CHANNEL", "must be the name of a channel", id="no channel"),
        pytest.param({"password": ""}, "PASSWORD", "must be a non-empty string without control", id="empty password"),
        pytest.param({"backoff_min_s": "40"}, "BACKOFF_MIN_S", "must not be more than backoff_max_s", id="backoff"),
    ],
)
def test_faults(settings: dict[str, str], name: str, fault: str) -> None:
    with pytest.raises(SettingsError) as caught:
        redis_settings(**settings)
    assert str(caught.value).startswith(f"SIPBRIDGE_REDIS__{name}: error: {fault}")
    assert len(caught.value.diagnostics) == 1


class TestPasswordOfRedis:
    """From one place, and never shown."""

    def test_from_a_file(self, tmp_path: Path) -> None:
        (tmp_path / "password").write_text("Mellon\n")
        (tmp_path / "password").chmod(0o600)
        settings = redis_settings(url="redis://b.example", password_file=str(tmp_path / "password"))
        assert settings.password == "Mellon"

    def test_environment_replaces_the_file_in_the_settings_file(self, tmp_path: Path) -> None:
        path = self.settings_file(tmp_path, '[redis]\npassword_file = "none"')
        assert load_settings(path, {"SIPBRIDGE_REDIS__PASSWORD": "Mellon"}).redis.password == "Mellon"

    @pytest.mark.parametrize(
        ("line", "column"),
        [
            pytest.param('password = "Mellon"', 12, id="password"),
            pytest.param('url = "redis://:Mellon@b.example"', 7, id="in the URL"),
        ],
    )
    def test_settings_file_that_everyone_can_read(self, tmp_path: Path, line: str, column: int) -> None:
        path = self.settings_file(tmp_path, f"[redis]\n{line}")
        path.chmod(0o644)
        (warning,) = load_settings(path, {}).warnings
        assert str(warning).startswith(f"{path}:2:{column}: warning: every user can read this password")
        assert "Mellon" not in str(warning)

    def test_url_without_a_password_is_no_secret(self, tmp_path: Path) -> None:
        path = self.settings_file(tmp_path, '[redis]\nurl = "redis://user@b.example"')
        path.chmod(0o644)
        assert load_settings(path, {}).warnings == ()

    @staticmethod
    def settings_file(folder: Path, text: str) -> Path:
        path = folder / "sipbridge.toml"
        path.write_text(text)
        path.chmod(0o600)
        return path

"""``[redis]`` of the settings file, and what its settings have to be, alone and together. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from sipbridge.settings.reading.setting_values import Between, Matches, Password

_NAME = r"[A-Za-z0-9_.\-]+"
_HOST = rf"(?:{_NAME}|\[[0-9A-Fa-f:.]+\])"
_USER_INFO = r"(?:[^\s/?#@]*@)?"
_URL = re.compile(rf"rediss?://{_USER_INFO}{_HOST}(?::[0-9]+)?(?:/[0-9]*)?|unix://{_USER_INFO}/[^\s?#]+")
_SENTINEL = re.compile(rf"{_HOST}(?::[0-9]+)?")


class _RedisUrl:
    """A URL of a Redis server, or no text at all."""

    def check(self, value: Any) -> None:
        """See `Check`; the URL is not shown, because there may be a password in it."""
        if value and not (_URL.fullmatch(value) and _has_valid_port(value)):
            raise ValueError('must be a URL such as "redis://host:6379", "rediss://host" or "unix:///path", or empty')


class _Sentinels:
    """Addresses with commas between them, or no text at all."""

    def check(self, value: Any) -> None:
        """See `Check`."""
        for address in _split(value):
            if not (_SENTINEL.fullmatch(address) and _has_valid_port(f"//{address}")):
                raise ValueError(f'must be addresses such as "a.example:26379, b.example:26379", not {address!r}')


_Channel = Annotated[str, Matches(r"[^\s\x00-\x1f\x7f]+", "the name of a channel, without spaces")]


@dataclass(frozen=True, slots=True)
class RedisSettings:
    """``[redis]``: the Redis server that announces which accounts of the database have changed.

    Without one, accounts are loaded from their databases only at the start and at ``sipbridge reload``.
    """

    url: Annotated[str, _RedisUrl()] = field(default="", repr=False)
    """The server: ``redis://[user@]host[:port]``, ``rediss://…`` for TLS, ``unix://[user@]/path`` for a UNIX socket.
    A database number may follow; it has no effect, because channels belong to no database. Empty: no Redis. With
    `sentinels`, the name of the service takes the place of host and port: ``redis://mymaster``."""

    sentinels: Annotated[str, _Sentinels()] = ""
    """The Sentinels that know which server of the service is the master: ``a.example:26379, b.example:26379``.
    sipbridge asks them in this order, without a password, and with TLS if the URL begins with ``rediss``."""

    channel: Annotated[str, Matches(r"[^\s\x00-\x1f\x7f]+", "the name of a channel, without spaces")] = (
        "flexisip/B2BUA/account"
    )
    """The channel of the notifications. The default is the reference's, so that the program that writes to the
    database need not change."""

    password: Password = field(default="", repr=False)
    """The password, if Redis requires one. It may also be in the URL: ``redis://user:password@host``."""

    password_file: Path | None = None
    """A file that contains only the password, so that it is neither here nor in the environment; for example a
    systemd credential. It should not be readable by everybody."""

    ca_file: Path | None = None
    """The certificates (PEM) of the authorities that may have signed Redis's certificate, instead of those of the
    system. With ``rediss`` the certificate and the host name in it are always checked."""

    cert_file: Path | None = None
    """Our certificate (PEM), if Redis requires one (``tls-auth-clients``)."""

    key_file: Path | None = None
    """The key of `cert_file`, if that file does not contain it."""

    connect_timeout_s: Annotated[float, Between(0.1, 300)] = 5.0
    """Timeout for each step of connecting: the connection, the password, the subscription. They take milliseconds."""

    ping_interval_s: Annotated[float, Between(0.1, 3600)] = 10.0
    """After this much silence sipbridge asks whether Redis still answers: a connection can be lost without either
    side noticing. What is published until then is lost, and so all accounts are loaded again afterwards."""

    ping_timeout_s: Annotated[float, Between(0.1, 300)] = 5.0
    """Timeout for the answer. Redis does one thing at a time, and a large one may take seconds."""

    backoff_min_s: Annotated[float, Between(0.05, 60)] = 0.2
    """Pause before the first reconnect. It doubles with every failure. It is short because a restarted server is
    back at once."""

    backoff_max_s: Annotated[float, Between(0.05, 600)] = 30.0
    """Longest pause before a reconnect: long enough to cost nothing, short enough that nobody waits for it after a
    repair."""

    @property
    def is_used(self) -> bool:
        """Whether there is a Redis."""
        return bool(self.url)

    @property
    def uses_tls(self) -> bool:
        """Whether the URL asks for TLS."""
        return self.url.startswith("rediss:")

    @property
    def sentinel_addresses(self) -> Sequence[tuple[str, int]]:
        """Host and port of each Sentinel."""
        parts = (urlsplit(f"//{address}") for address in _split(self.sentinels))
        return [(part.hostname or "", part.port or 26379) for part in parts]

    @property
    def sentinel_service(self) -> str:
        """The name by which Sentinels know the service."""
        # Not `hostname`, which is in small letters.
        return urlsplit(self.url).netloc.rpartition("@")[2]

    def faults(self) -> Iterator[tuple[str, str]]:
        """What is wrong with the settings together: the name of one, and why."""
        if self.password and holds_password(self.url):
            yield "url", "the password is set here and in the URL: keep one of the two"
        if self.sentinels and not re.fullmatch(rf"rediss?://{_USER_INFO}{_NAME}/?[0-9]*", self.url):
            yield "sentinels", 'with Sentinels, "url" must be "redis://" or "rediss://" and the service name'
        if self.is_used and not self.uses_tls:
            for name in ("ca_file", "cert_file", "key_file"):
                if getattr(self, name):
                    yield name, 'is only for TLS, but "url" does not begin with "rediss://"'
        if self.key_file and not self.cert_file:
            yield "key_file", 'needs a certificate: set "cert_file" too'
        if self.backoff_min_s > self.backoff_max_s:
            yield "backoff_min_s", f"must not be more than backoff_max_s, which is {self.backoff_max_s}"


def holds_password(url: str) -> bool:
    """Whether there is a password in a URL."""
    return bool(urlsplit(url).password)


def _split(addresses: str) -> list[str]:
    return [address.strip() for address in addresses.split(",")] if addresses else []


def _has_valid_port(url: str) -> bool:
    try:
        return urlsplit(url).port != 0
    except ValueError:
        return False

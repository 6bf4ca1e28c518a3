"""Converts a providers file of version 1, a bare array of providers, to version 2. Pure."""

from __future__ import annotations

from typing import Any

from sipbridge.config.text.source_text import Path
from sipbridge.core.providers.provider import UNLIMITED_CALLS

_TO = "sip:{incoming.requestUri.user}@{account.uri.hostport}{incoming.requestUri.uriParameters}"
_POOL_FIELDS = ("outboundProxy", "maxCallsPerLine")
_INVITE_FIELDS = ("enableAvpf", "mediaEncryption")
_PROVIDER_PATHS: dict[Path, Path] = {
    ("triggerCondition", "pattern"): ("pattern",),
    ("outgoingInvite", "enableAvpf"): ("enableAvpf",),
    ("outgoingInvite", "mediaEncryption"): ("mediaEncryption",),
    ("accountPool",): ("name",),
}


def to_version2(providers: list[Any]) -> dict[str, Any]:
    """Convert the providers to version 2; each gets its own pool.

    Args:
        providers: checked against the schema; invalid values are missing or None.
    """
    present = [provider or {} for provider in providers]
    return {
        "schemaVersion": 2,
        "providers": [_provider(provider, index) for index, provider in enumerate(present)],
        "accountPools": {_pool_name(provider, index): _pool(provider) for index, provider in enumerate(present)},
    }


def to_version1_path(path: Path) -> Path:
    """Map a path in the result of `to_version2` to the path in the file of version 1."""
    match path:
        case ("providers", int(index), *inside):
            way = tuple(inside)
            return (index, *_PROVIDER_PATHS.get(way, way))
        case ("accountPools", str(name), "loader", *inside):
            return (_index(name), "accounts", *("password" if step == "secret" else step for step in inside))
        case ("accountPools", str(name), *inside):
            return (_index(name), *inside)
        case _:
            return ()


def _provider(provider: dict[str, Any], index: int) -> dict[str, Any]:
    return _present(provider, "name") | {
        "accountPool": _pool_name(provider, index),
        "triggerCondition": {"strategy": "MatchRegex", "source": "{requestUri}"} | _present(provider, "pattern"),
        "accountToUse": {"strategy": "Random"},
        "onAccountNotFound": "decline",
        "outgoingInvite": {"to": _TO} | _present(provider, *_INVITE_FIELDS),
    }


def _pool(provider: dict[str, Any]) -> dict[str, Any]:
    pool: dict[str, Any] = {"registrationRequired": False, "maxCallsPerLine": UNLIMITED_CALLS}
    pool |= _present(provider, "registrationRequired", *_POOL_FIELDS)
    pool["loader"] = [account and _account(account) for account in provider.get("accounts", ())]
    return pool


def _account(account: dict[str, Any]) -> dict[str, Any]:
    converted = {"secretType": "clrtxt"} | _present(account, "uri", "userid")
    return converted | {"secret": account["password"]} if "password" in account else converted


def _pool_name(provider: dict[str, Any], index: int) -> str:
    """Return a unique pool name, because names may repeat; the number also leads back to the provider."""
    return f"{provider.get('name', 'provider')} #{index + 1}"


def _index(pool_name: str) -> int:
    return int(pool_name.rpartition("#")[2]) - 1


def _present(value: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value[name] for name in names if name in value}

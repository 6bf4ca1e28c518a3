"""Treats null or empty optional members of a providers file as missing, and lower-cases keywords. Pure."""

from __future__ import annotations

from functools import cache
from typing import Any

from sipbridge.config.schema import providers_schema

_WORDS = ("secretType", "protocol")
"""Members of an account whose values are copied from foreign databases, in any case."""
_INSIDE_PROVIDER = {
    "triggerCondition": "Always",  # what is optional in a MatchRegex is so in this, too
    "outgoingInvite": "OutgoingInvite",
    "outgoingNotify": "OutgoingNotify",
}


def leave_out_absent(root: Any) -> Any:
    """Remove every optional member that is null or ``""`` from a file of either version.

    Args:
        root: any value, not checked yet; modified in place.

    Source: Flexisip's SIP bridge, which treats both as a missing member.
    """
    if isinstance(root, list):
        for provider in _objects(root):
            _tidy(provider, "Version1Provider")
            for account in _objects(provider.get("accounts")):
                _tidy(account, "Version1Account")
    elif isinstance(root, dict):
        for provider in _objects(root.get("providers")):
            _tidy_provider(provider)
        for pool in _objects(root.get("accountPools")):
            _tidy_pool(pool)
    return root


def _tidy_provider(provider: dict[str, Any]) -> None:
    _tidy(provider, "Provider")
    for name, definition in _INSIDE_PROVIDER.items():
        for value in _objects([provider.get(name)]):
            _tidy(value, definition)


def _tidy_pool(pool: dict[str, Any]) -> None:
    _tidy(pool, "AccountPool")
    loader = pool.get("loader")
    for value in _objects([loader]):
        _tidy(value, "SqlLoader")
    for account in _objects(loader if isinstance(loader, list) else None):
        for name in _WORDS:
            if isinstance(word := account.get(name), str):
                account[name] = word.strip().lower()
        _tidy(account, "Account")


def _objects(values: Any) -> list[dict[str, Any]]:
    """Return the objects among the items of an array or the members of an object."""
    values = values.values() if isinstance(values, dict) else values if isinstance(values, list) else ()
    return [value for value in values if isinstance(value, dict)]


def _tidy(value: dict[str, Any], definition: str) -> None:
    optional = _optional(definition)
    for name in [name for name, member in value.items() if (member is None or member == "") and name in optional]:
        del value[name]


@cache
def _optional(definition: str) -> frozenset[str]:
    schema = providers_schema()["$defs"][definition]
    return frozenset(schema["properties"]) - frozenset(schema.get("required", ()))

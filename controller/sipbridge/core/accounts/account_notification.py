"""Parses a message of the Redis channel as a notification of a changed account. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, NoReturn

from sipbridge.core.errors import SipBridgeError

MAX_BYTES = 4096
"""Longest accepted message: three short strings, and room for fields of later versions."""

_SHOWN = 200


@dataclass(frozen=True, slots=True)
class AccountNotification:
    """An account was added, changed or deleted in the database; the database shows which.

    Attributes:
        username: the user part of the account's URI.
        domain: the host of the account's URI, with the port if it has one.
        identifier: the value of ``:identifier`` in ``updateQuery``.
    """

    username: str
    domain: str
    identifier: str


class NotificationError(SipBridgeError, ValueError):
    """A message is not a valid notification; says why, and shows the start of the message."""

    def __init__(self, payload: bytes, fault: str) -> None:
        super().__init__(f"{fault}: {repr(payload[:_SHOWN])[:_SHOWN]}")


def parse_notification(payload: bytes) -> AccountNotification:
    """Parse ``{"username": "alice", "domain": "jabiru.example.org", "identifier": 7}``.

    The identifier is a string or a number; a number is kept as written. Unknown fields are ignored.

    Raises:
        NotificationError: the payload is not such an object.

    Source: Flexisip's SIP bridge, which subscribes to ``flexisip/B2BUA/account``.
    """
    if len(payload) > MAX_BYTES:
        raise NotificationError(payload, f"{len(payload)} bytes; the limit is {MAX_BYTES}")
    try:
        fields = json.loads(payload.decode(), parse_int=_Number, parse_float=_Number, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise NotificationError(payload, "not JSON") from error
    if not isinstance(fields, dict):
        raise NotificationError(payload, "not a JSON object")
    identifier = fields.get("identifier")
    return AccountNotification(
        username=_text(payload, fields, "username"),
        domain=_text(payload, fields, "domain"),
        identifier=str(identifier) if isinstance(identifier, _Number) else _text(payload, fields, "identifier"),
    )


class _Number(str):
    """A number as written, so that no digits are lost if a float cannot hold it."""

    __slots__ = ()


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def _text(payload: bytes, fields: dict[str, Any], name: str) -> str:
    value = fields.get(name)
    if type(value) is not str:
        raise NotificationError(payload, f'"{name}" must be a string' if name in fields else f'missing "{name}"')
    if not value:
        raise NotificationError(payload, f'"{name}" is empty')
    if not value.isprintable():
        raise NotificationError(payload, f'"{name}" contains unprintable characters')
    return value

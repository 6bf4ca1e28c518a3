"""A message of the Redis channel becomes the notification that an account has changed. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, NoReturn

from sipbridge.core.errors import SipBridgeError

MAX_BYTES = 4096
"""Longest message that is read: three short texts, and whatever else a later version may put beside them."""

_SHOWN = 200


@dataclass(frozen=True, slots=True)
class AccountNotification:
    """An account was added, changed or deleted in the database; which of them, the database tells.

    Attributes:
        username: that of the account's URI.
        domain: its host, with the port if it has one.
        identifier: what ``updateQuery`` finds the account by, as ``:identifier``.
    """

    username: str
    domain: str
    identifier: str


class NotificationError(SipBridgeError, ValueError):
    """A message is no notification; says why, and shows as much of the message as fits on a line."""

    def __init__(self, payload: bytes, fault: str) -> None:
        super().__init__(f"{fault}: {repr(payload[:_SHOWN])[:_SHOWN]}")


def parse_notification(payload: bytes) -> AccountNotification:
    """Parse ``{"username": "alice", "domain": "jabiru.example.org", "identifier": 7}``.

    The identifier is a text or a number, which is taken as it is spelt. Fields that are not known are ignored.

    Raises:
        NotificationError: it is something else.

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
    """A number, as it is spelt: nothing is lost of one that no float can hold."""

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

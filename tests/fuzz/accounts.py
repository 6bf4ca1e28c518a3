"""What a database and Redis tell of accounts. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fuzz.caller import URI_TOKENS, check_parsed
from fuzz.target import SEPARATOR, Target, texts
from sipbridge.core.accounts.account_notification import NotificationError, parse_notification
from sipbridge.core.accounts.account_row import RowError, account_from_row


def check_notification(data: bytes) -> None:
    try:
        told = parse_notification(data)
    except NotificationError as error:
        assert len(str(error)) < 1000
        assert "\n" not in str(error)
        return
    assert all(isinstance(text, str) for text in (told.username, told.domain, told.identifier))


_COLUMNS = (
    "username",
    "hostport",
    "user_id",
    "alias_username",
    "alias_hostport",
    "outbound_proxy",
    "realm",
    "protocol",
)
_SECRET = "Mellon-7f3a"


def check_row(data: bytes) -> None:
    row: Mapping[str, Any] = {**dict(zip(_COLUMNS, texts(data, len(_COLUMNS)), strict=True)), "secret": _SECRET}
    try:
        account = account_from_row(row)
    except RowError as error:
        assert _SECRET not in str(error)
        return
    check_parsed(account.uri)
    assert _SECRET not in repr(account)


TARGETS: Mapping[str, Target] = {
    "notification": Target(
        check_notification,
        (b'{"username":"alice","domain":"example.org:5070","identifier":7}',),
        (b'"', b"{", b"}", b"username", b"domain", b"identifier", b"1e999", b"NaN", b"[" * 50, b"\\ud800"),
    ),
    "row": Target(
        check_row,
        (b"alice\x1eexample.org\x1eal\x1e+33\x1eexample.org\x1e<sip:p;transport=tcp>\x1erealm",),
        (*URI_TOKENS, SEPARATOR),
    ),
}

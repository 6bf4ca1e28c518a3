"""Converts a row of the accounts query to an account, or to an error that never contains the secret. Pure."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Mapping
from decimal import Decimal
from functools import lru_cache

from sipbridge.core.accounts.account import PROTOCOLS, SECRET_TYPES, Account, SecretType
from sipbridge.core.errors import SipBridgeError, UriError
from sipbridge.core.sip.uri import SipUri, parse_sip_uri
from sipbridge.core.sip.written_uri import parse_written_uri, why_no_uri

REQUIRED_COLUMNS = (
    ("username",),
    ("hostport", "domain"),
    ("user_id",),
    ("secret_type",),
    ("secret",),
    ("alias_username",),
    ("alias_hostport", "alias_domain"),
)
"""The columns that a query must return; one name per group is enough, and the first takes precedence. Others may be
missing: ``outbound_proxy``, ``realm``, ``registrar``, ``protocol``, ``mwi_server_uri``.

Source: the specification, "SQL Query"; the second names are those of Flexisip's own examples.
"""

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class RowError(SipBridgeError, ValueError):
    """A row is not a valid account. The message says whose and why, and never contains a possible secret."""


def missing_columns(columns: Iterable[str]) -> list[str]:
    """Return the required columns that are missing: ``["secret", "hostport or domain"]``."""
    present = set(columns)
    return [" or ".join(names) for names in REQUIRED_COLUMNS if present.isdisjoint(names)]


def account_from_row(row: Mapping[str, object]) -> Account:
    """Convert a row to an account; NULL and ``""`` mean absent.

    Args:
        row: by column: ``username``, ``hostport`` (or ``domain``), ``user_id``, ``secret_type``, ``secret``,
            ``alias_username``, ``alias_hostport`` (or ``alias_domain``), and optionally ``outbound_proxy``, ``realm``,
            ``registrar``, ``protocol``, ``mwi_server_uri``. User parts are escaped as in a URI. Half an alias counts as
            none. The default protocol is ``udp``; the default type of a secret is an HA1 hash.

    Raises:
        RowError: the username is missing, or a value is invalid.
    """
    username = _text(row, "username")
    hostport = _text(row, "hostport") or _text(row, "domain")
    if username is None:
        raise RowError(f"an account of {hostport or 'no domain'!r} has no username")
    try:
        return _account(row, username, hostport)
    except RowError as error:
        # Not the text after a colon: in a URI that is a password.
        raise RowError(f"account {username.partition(':')[0]!r} of {hostport or 'no domain'!r}: {error}") from None


def _account(row: Mapping[str, object], username: str, hostport: str | None) -> Account:
    if hostport is None:
        raise RowError("missing hostport")
    alias_username = _text(row, "alias_username")
    if alias_username == username:
        alias_username = username  # share one string: there may be a hundred thousand of them
    protocol = _word(row, "protocol") or PROTOCOLS[0]
    if protocol not in PROTOCOLS:
        raise RowError(f"protocol must be one of {', '.join(PROTOCOLS)}")
    return Account(
        uri=_uri("username and hostport", username, hostport),
        alias=_alias(alias_username, row),
        user_id=_credential(row, "user_id"),
        secret=_credential(row, "secret"),
        secret_type=_secret_type(row),
        realm=_text(row, "realm"),
        outbound_proxy=_next_hop(row, "outbound_proxy", protocol),
        registrar=_next_hop(row, "registrar", protocol),
        protocol=sys.intern(protocol),
        mwi_server_uri=_next_hop(row, "mwi_server_uri", protocol),
    )


def _text(row: Mapping[str, object], column: str) -> str | None:
    value = row.get(column)
    # The most frequent case first: this runs a million times for a hundred thousand accounts.
    if value is None:
        return None
    if isinstance(value, bytes):
        try:
            value = value.decode("utf-8")
        except UnicodeDecodeError:
            raise RowError(f"{column} is not UTF-8") from None
    elif not isinstance(value, str):
        value = _number_as_text(column, value)
    return value or None


def _number_as_text(column: str, value: object) -> str:
    match value:
        # bool is an int, but nobody's name is True.
        case int() if not isinstance(value, bool):
            return str(value)
        case Decimal():
            return f"{value:f}"
        case _:
            raise RowError(f"{column} must be a string, not {type(value).__name__}")


def _uri(columns: str, user: str, hostport: str) -> SipUri:
    if ":" in user:
        raise RowError(f"{columns} do not form a SIP URI: a colon would start a password")
    text = f"sip:{user}@{hostport}"
    try:
        uri = parse_sip_uri(text)
    except UriError:
        raise RowError(f"{columns} together are {why_no_uri(text)}") from None
    # Thousands of accounts have the same domain: share the string.
    return SipUri("sip", user, sys.intern(uri.hostport), uri.parameters, uri.headers)


def _alias(username: str | None, row: Mapping[str, object]) -> SipUri | None:
    hostport = _text(row, "alias_hostport") or _text(row, "alias_domain")
    if username is None or hostport is None:
        return None
    return _uri("alias_username and alias_hostport", username, hostport)


def _credential(row: Mapping[str, object], column: str) -> str | None:
    text = _text(row, column)
    if text is not None and _CONTROL.search(text):
        raise RowError(f"{column} contains a control character, which SIP names and passwords cannot contain")
    return text


def _secret_type(row: Mapping[str, object]) -> SecretType:
    word = _word(row, "secret_type")
    if not word:
        return SecretType.HA1
    try:
        return SECRET_TYPES[word]
    except KeyError:
        # The invalid value is not shown: it may be the secret.
        raise RowError(f"secret_type must be one of {', '.join(SECRET_TYPES)}") from None


def _word(row: Mapping[str, object], column: str) -> str:
    """Normalize a keyword from foreign data, which may have any case and the padding of a fixed-width column."""
    return (_text(row, column) or "").strip().lower()


def _next_hop(row: Mapping[str, object], column: str, protocol: str) -> SipUri | None:
    text = _text(row, column)
    if text is None or text.isspace():
        return None
    try:
        return _parse_next_hop(text, protocol)
    except UriError:
        raise RowError(f"{column} is {why_no_uri(text)}") from None


# Cached and shared: many accounts have the same proxy.
_parse_next_hop = lru_cache(maxsize=1024)(parse_written_uri)

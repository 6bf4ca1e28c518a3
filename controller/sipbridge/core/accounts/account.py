"""An account: an identity at a provider, and what is needed to use it. Pure."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple, NewType

from sipbridge.core.sip.uri import SipUri

AccountId = NewType("AccountId", str)
"""Identifies an account of a pool, across restarts: 16 hexadecimal digits."""


class SecretType(Enum):
    """The type of an account's secret, in the words of the providers file."""

    HA1 = "ha1"
    SHA256 = "sha256"
    CLEAR_TEXT = "clrtxt"


PROTOCOLS = ("udp", "tcp", "tls")
"""The transports that an account may name, in lower case; the first is the default."""

SECRET_TYPES = {
    "ha1": SecretType.HA1,
    "md5": SecretType.HA1,
    "sha256": SecretType.SHA256,
    "sha-256": SecretType.SHA256,
    "clrtxt": SecretType.CLEAR_TEXT,
}
"""Every accepted spelling of a secret type in a file or database, in lower case."""


class AccountFault(NamedTuple):
    """Why an account cannot be used.

    Attributes:
        field: the field of the account at fault, by its name in the providers file.
        message: never contains the secret.
    """

    field: str
    message: str


@dataclass(frozen=True, slots=True)
class Account:
    """An account at a provider.

    Attributes:
        uri: the identity at the provider, and the key within the pool.
        alias: the identity of the same person in our own domain.
        user_id: the name for authentication, if it differs from the user part of `uri`.
        realm: the digest realm; None means the domain of `uri`.
        outbound_proxy: next hop of this account's calls; overrides the pool's.
        registrar: next hop of REGISTER; overrides the pool's registrar and the outbound proxy.
        protocol: the transport to the domain of `uri`, if neither the account nor its pool has an outbound proxy.
        mwi_server_uri: where to subscribe to message-waiting indications; has no effect yet.
    """

    uri: SipUri
    alias: SipUri | None = None
    user_id: str | None = None
    secret: str | None = field(default=None, repr=False)
    secret_type: SecretType = SecretType.HA1
    realm: str | None = None
    outbound_proxy: SipUri | None = None
    registrar: SipUri | None = None
    protocol: str = PROTOCOLS[0]
    mwi_server_uri: SipUri | None = None


def account_id(pool_name: str, uri: SipUri) -> AccountId:
    """Return the id of the account `uri` in the pool `pool_name`."""
    # Not for security: it only has to be stable, short, and safe in a channel variable.
    digest = hashlib.blake2b(f"{pool_name}\0{uri.lookup_key}".encode("utf-8", "surrogateescape"), digest_size=8)
    return AccountId(digest.hexdigest())

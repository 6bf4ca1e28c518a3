"""An account: an identity on the far side, and what it takes to use it. Pure."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from enum import Enum
from typing import NewType

from sipbridge.core.sip.uri import SipUri

AccountId = NewType("AccountId", str)
"""Names one account of one pool, the same after every restart: 16 hexadecimal digits."""


class SecretType(Enum):
    """How the secret of an account is to be read, in the words of the providers file."""

    HA1 = "ha1"
    SHA256 = "sha256"
    CLEAR_TEXT = "clrtxt"


PROTOCOLS = ("udp", "tcp", "tls")
"""The transports that an account may name, in small letters; the first is the default."""

SECRET_TYPES = {
    "ha1": SecretType.HA1,
    "md5": SecretType.HA1,
    "sha256": SecretType.SHA256,
    "sha-256": SecretType.SHA256,
    "clrtxt": SecretType.CLEAR_TEXT,
}
"""Every word that a file or a database may have for one, in small letters."""


@dataclass(frozen=True, slots=True)
class Account:
    """One line on the far side.

    Attributes:
        uri: the identity there, and the key within the pool.
        alias: the identity of the same person on our side.
        user_id: the name for authentication, where it differs from the user part of `uri`.
        realm: the digest realm; None means the domain of `uri`.
        outbound_proxy: next hop of this account's calls, before the pool's.
        registrar: where REGISTER goes, before the pool's registrar and the outbound proxy.
        protocol: the transport to the domain of `uri`, for an account that has no outbound proxy, nor its pool.
        mwi_server_uri: where to subscribe to message-waiting indications; without effect yet.
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
    """The id of the account `uri` in the pool `pool_name`."""
    # Not for security: it only has to be stable, short, and safe in a channel variable.
    digest = hashlib.blake2b(f"{pool_name}\0{uri.lookup_key}".encode("utf-8", "surrogateescape"), digest_size=8)
    return AccountId(digest.hexdigest())

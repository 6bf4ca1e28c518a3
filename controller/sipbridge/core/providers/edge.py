"""Whether an account goes straight to its provider or through the edge, and what the edge has to know of it. Pure.

The edge is a Kamailio beside FreeSWITCH, with an rtpengine: it answers challenges for which FreeSWITCH lacks the means,
and makes media of FreeSWITCH's plain RTP that FreeSWITCH alone cannot offer. An account has one path, for REGISTER and
calls alike; everything that does not need the edge stays on the direct one.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from sipbridge.core.accounts.account import Account, SecretType
from sipbridge.core.accounts.credentials import fits_freeswitch
from sipbridge.core.sip.uri import SipUri


class EdgeReason(Enum):
    """Why an account goes through the edge; the value tells a person."""

    HASH = "the secret is a digest hash, with which FreeSWITCH cannot authenticate"
    PASSWORD = "FreeSWITCH cannot authenticate with the password"  # noqa: S105 - a message
    MEDIA = "a provider of the pool needs media that FreeSWITCH alone cannot offer"
    ALL = "the settings send every account through the edge"


@dataclass(frozen=True, slots=True)
class Edge:
    """The edge, as the accounts of a pool use it.

    Attributes:
        address: where it takes requests from FreeSWITCH: ``sip:127.0.0.1:5090``.
        takes_all: why it takes all accounts of the pool; None when it takes those alone that need it.
    """

    address: SipUri
    takes_all: EdgeReason | None = None


def edge_reason(account: Account, edge: Edge | None) -> EdgeReason | None:
    """Why an account goes through the edge; None when it goes straight to its provider.

    Args:
        edge: the one of its pool; None when there is none.
    """
    if edge is None:
        return None
    if edge.takes_all is not None:
        return edge.takes_all
    if fits_freeswitch(account):
        return None
    return EdgeReason.PASSWORD if account.secret_type is SecretType.CLEAR_TEXT else EdgeReason.HASH


_ALGORITHMS = {SecretType.CLEAR_TEXT: "clear", SecretType.HA1: "md5", SecretType.SHA256: "sha256"}


def edge_entry(account: Account, registrar: SipUri) -> str:
    """What the edge has to know of an account, as it reads it: ``md5|sip:proxy.example.org;transport=tls|0f3a…``.

    Args:
        registrar: next hop of REGISTER.
    """
    if account.secret is None:
        return f"none|{registrar.text}|"
    # A hash is hashed once more, as text, for which RFC 7616 §3.4 has small letters.
    secret = account.secret if account.secret_type is SecretType.CLEAR_TEXT else account.secret.lower()
    return f"{_ALGORITHMS[account.secret_type]}|{registrar.text}|{secret}"


@dataclass(frozen=True, slots=True)
class EdgeState:
    """The edge beside FreeSWITCH, for what FreeSWITCH alone cannot do.

    Attributes:
        problem: why it cannot be told its accounts; ``""`` when it can.
        accounts: how many go through it.
        known: how many of these it is sure to know; the others cannot register or call.
    """

    problem: str
    accounts: int
    known: int

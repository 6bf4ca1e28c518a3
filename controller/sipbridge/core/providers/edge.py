"""Decides whether an account goes directly to its provider or through the edge, and what the edge must know. Pure.

The edge is a Kamailio beside FreeSWITCH, with an rtpengine. It answers challenges that FreeSWITCH cannot answer, and
converts FreeSWITCH's plain RTP to media that FreeSWITCH cannot offer. An account has one path for REGISTER and calls;
an account that does not need the edge stays on the direct path.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from sipbridge.core.accounts.account import Account, SecretType
from sipbridge.core.accounts.credentials import fits_freeswitch
from sipbridge.core.sip.uri import SipUri


class EdgeReason(Enum):
    """Why an account goes through the edge; the value is for people."""

    HASH = "the secret is a digest hash, with which FreeSWITCH cannot authenticate"
    PASSWORD = "FreeSWITCH cannot authenticate with the password"  # noqa: S105 - a message
    MEDIA = "a provider of the pool needs media that FreeSWITCH alone cannot offer"
    ALL = "the settings send every account through the edge"


@dataclass(frozen=True, slots=True)
class Edge:
    """The edge, as the accounts of a pool use it.

    Attributes:
        address: where it accepts requests from FreeSWITCH: ``sip:127.0.0.1:5090``.
        takes_all: why all accounts of the pool use it; None if only those that need it do.
    """

    address: SipUri
    takes_all: EdgeReason | None = None


def edge_reason(account: Account, edge: Edge | None) -> EdgeReason | None:
    """Return why an account goes through the edge; None if it goes directly to its provider.

    Args:
        edge: the edge of its pool; None if there is none.
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
    """Format the edge's table entry for an account: ``md5|sip:proxy.example.org;transport=tls|0f3a…``.

    Args:
        registrar: next hop of REGISTER.
    """
    if account.secret is None:
        return f"none|{registrar.text}|"
    # The hash is hashed again as text, for which RFC 7616 §3.4 uses lower case.
    secret = account.secret if account.secret_type is SecretType.CLEAR_TEXT else account.secret.lower()
    return f"{_ALGORITHMS[account.secret_type]}|{registrar.text}|{secret}"


@dataclass(frozen=True, slots=True)
class EdgeState:
    """The state of the edge.

    Attributes:
        problem: why it cannot be updated; ``""`` if it can.
        accounts: the number of accounts that go through it.
        known: how many of them the edge has confirmed; the others cannot register or call.
    """

    problem: str
    accounts: int
    known: int

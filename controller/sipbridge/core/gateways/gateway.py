"""An account becomes a FreeSWITCH gateway. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Set
from dataclasses import dataclass, field
from typing import NewType

from sipbridge.core.accounts.account import Account, AccountId, SecretType
from sipbridge.core.providers.edge import Edge, edge_entry, edge_reason
from sipbridge.core.providers.provider import PoolPolicy
from sipbridge.core.sip.uri import SipUri

GatewayName = NewType("GatewayName", str)
"""Names a gateway across all profiles: ``sipbridge.alice.4f0c…``."""

GATEWAY_PREFIX = "sipbridge."
"""Gateways whose names start so are ours; all others are left alone."""

_UNSAFE = re.compile(r"[^A-Za-z0-9_-]+")
_HASH_BYTES = 10
_EXPIRES_SPREAD = 0.4
_SHORTEST_EXPIRES_S = 60
"""Registrars refuse less (423 Interval Too Brief)."""


@dataclass(frozen=True, slots=True)
class Gateway:
    """What FreeSWITCH needs to know to register an account and to call with it.

    Attributes:
        username: the user part of the account's URI.
        domain: host and port of the account's URI, and of the Request-URI of its REGISTER.
        outbound_proxy: next hop of calls; the edge's address for one that goes through the edge.
        registrar: next hop of REGISTER, likewise.
        expires_s: lifetime of a registration to ask for.
        edge_entry: what the edge has to know before the gateway is of any use; None for one that does without.
    """

    name: GatewayName
    account_id: AccountId
    pool: str
    username: str
    domain: str
    auth_username: str
    password: str = field(repr=False)
    outbound_proxy: SipUri
    registrar: SipUri
    register: bool
    expires_s: int
    edge_entry: str | None = field(default=None, repr=False)


def gateway_name(account: Account, policy: PoolPolicy, salt: bytes, expires_s: int) -> GatewayName:
    """The name of an account's gateway, which holds a keyed hash of everything in it.

    A gateway of that name in FreeSWITCH is this very gateway, and a changed account has another one. So what is present
    can be told from names alone, and nobody outside can guess a contact to call. The key lives in FreeSWITCH as long as
    its gateways do, and never leaves it.

    Args:
        salt: the key of the hash.
        expires_s: longest lifetime of a registration.
    """
    definition = (*gateway_definition(account, policy), expires_s)
    digest = hashlib.blake2b(repr(definition).encode("utf-8", "surrogateescape"), key=salt, digest_size=_HASH_BYTES)
    return GatewayName(f"{gateway_stem(account)}.{digest.hexdigest()}")


def gateway_for(id_: AccountId, account: Account, policy: PoolPolicy, salt: bytes, expires_s: int) -> Gateway:
    """The gateway of an account; the arguments are those of `gateway_name`."""
    name = gateway_name(account, policy, salt, expires_s)
    user = account.uri.user
    edge = _edge(account, policy)
    registrar = policy.registrar_of(account)
    return Gateway(
        name=name,
        account_id=id_,
        pool=policy.name,
        username=user,
        domain=account.uri.hostport,
        auth_username=account.user_id or user,
        password=_stand_in(name, salt) if edge else _password(account),
        outbound_proxy=edge.address if edge else policy.next_hop(account),
        registrar=edge.address if edge else registrar,
        register=policy.registration_required,
        expires_s=_own_expires_s(name, expires_s),
        edge_entry=edge_entry(account, registrar) if edge else None,
    )


def _own_expires_s(name: GatewayName, longest_s: int) -> int:
    """A lifetime of its own for each gateway, the same for the same name: those added together refresh apart.

    Downwards only, because a registrar cuts off what is longer than it likes, and all would be the same again. For
    the busiest second to have no more than three times the mean, they have to be spread over a third of their time.
    """
    spread = int(name[-2 * _HASH_BYTES :][:4], 16) / 0xFFFF
    return max(_SHORTEST_EXPIRES_S, round(longest_s * (1 - _EXPIRES_SPREAD * spread)))


def gateway_definition(account: Account, policy: PoolPolicy) -> tuple[object, ...]:
    """What makes the gateway of an account another one when it changes; the password is in it."""
    edge = _edge(account, policy)
    return (
        policy.name,
        account.uri.text,
        account.user_id,
        account.secret,
        account.secret_type.value,
        policy.next_hop(account).text,
        policy.registrar_of(account).text,
        policy.registration_required,
        edge.address.text if edge else None,
    )


def _edge(account: Account, policy: PoolPolicy) -> Edge | None:
    """The edge, for an account that goes through it."""
    return policy.edge if edge_reason(account, policy.edge) else None


def _password(account: Account) -> str:
    # A hash is no password: to send one as such gets accounts locked.
    return (account.secret or "") if account.secret_type is SecretType.CLEAR_TEXT else ""


def _stand_in(name: GatewayName, salt: bytes) -> str:
    """The password of a gateway whose digests the edge makes anew: FreeSWITCH needs one, and any will do."""
    return hashlib.blake2b(name.encode("ascii"), key=salt, digest_size=16).hexdigest()


def gateway_stem(account: Account) -> str:
    """What the names of an account's gateways begin with, whatever becomes of it: ``sipbridge.alice``."""
    return GATEWAY_PREFIX + _UNSAFE.sub("_", account.uri.user)[:24]


@dataclass(frozen=True, slots=True)
class GatewayPlan:
    """What has to change so that FreeSWITCH has the gateways it should have.

    Attributes:
        remove: present and ours, but not wanted; these go first.
        add: wanted, but not present.
    """

    remove: tuple[GatewayName, ...]
    add: tuple[GatewayName, ...]

    def __bool__(self) -> bool:
        return bool(self.remove or self.add)


def plan_gateways(desired: Set[GatewayName], present: Set[str]) -> GatewayPlan:
    """Compare what should be with what is; some 20 ms for a hundred thousand of each.

    Args:
        present: names of all gateways in FreeSWITCH, others' included.
    """
    return GatewayPlan(
        remove=tuple(GatewayName(name) for name in sorted(present - desired) if name.startswith(GATEWAY_PREFIX)),
        add=tuple(name for name in desired if name not in present),
    )

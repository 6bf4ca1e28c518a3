"""Converts an account to a FreeSWITCH gateway. Pure."""

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
"""The name of a gateway, unique across all profiles: ``sipbridge.alice.4f0c…``."""

GATEWAY_PREFIX = "sipbridge."
"""Prefix of the gateways that sipbridge manages; it leaves all others alone."""

_UNSAFE = re.compile(r"[^A-Za-z0-9_-]+")
_HASH_BYTES = 10
_EXPIRES_SPREAD = 0.4
_SHORTEST_EXPIRES_S = 60
"""Registrars refuse shorter lifetimes (423 Interval Too Brief)."""


@dataclass(frozen=True, slots=True)
class Gateway:
    """What FreeSWITCH needs to register an account and to place calls with it.

    Attributes:
        username: the user part of the account's URI.
        domain: host and port of the account's URI, and of the Request-URI of its REGISTER.
        outbound_proxy: next hop of calls; the edge's address for an account that goes through the edge.
        registrar: next hop of REGISTER; the edge's address for an account that goes through the edge.
        expires_s: requested lifetime of a registration.
        edge_entry: the edge's table entry, which it needs before the gateway can be used; None without the edge.
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
    """Return the name of an account's gateway, which contains a keyed hash of all its parameters.

    A gateway of that name in FreeSWITCH has exactly these parameters, and a changed account gets a new name. So the
    state of FreeSWITCH is known from names alone, and nobody outside can guess a contact to call. The key lives in
    FreeSWITCH as long as its gateways, and never leaves it.

    Args:
        salt: the key of the hash.
        expires_s: longest lifetime of a registration.
    """
    definition = (*gateway_definition(account, policy), expires_s)
    digest = hashlib.blake2b(repr(definition).encode("utf-8", "surrogateescape"), key=salt, digest_size=_HASH_BYTES)
    return GatewayName(f"{gateway_stem(account)}.{digest.hexdigest()}")


def gateway_for(id_: AccountId, account: Account, policy: PoolPolicy, salt: bytes, expires_s: int) -> Gateway:
    """Return the gateway of an account; the arguments are those of `gateway_name`."""
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
    """Derive a lifetime from the gateway's name, so that gateways added together refresh at different times.

    The lifetime is only ever shortened: a registrar would cut longer ones to the same value. Spreading over a third of
    the lifetime keeps the busiest second below three times the mean.
    """
    spread = int(name[-2 * _HASH_BYTES :][:4], 16) / 0xFFFF
    return max(_SHORTEST_EXPIRES_S, round(longest_s * (1 - _EXPIRES_SPREAD * spread)))


def gateway_definition(account: Account, policy: PoolPolicy) -> tuple[object, ...]:
    """Return everything whose change makes a new gateway necessary, including the password."""
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
    """Return the edge if the account goes through it."""
    return policy.edge if edge_reason(account, policy.edge) else None


def _password(account: Account) -> str:
    # A hash is not a password: using it as one gets accounts locked.
    return (account.secret or "") if account.secret_type is SecretType.CLEAR_TEXT else ""


def _stand_in(name: GatewayName, salt: bytes) -> str:
    """Return a placeholder password for a gateway behind the edge, because FreeSWITCH does not register without one."""
    return hashlib.blake2b(name.encode("ascii"), key=salt, digest_size=16).hexdigest()


def gateway_stem(account: Account) -> str:
    """Return the stable beginning of the names of an account's gateways: ``sipbridge.alice``."""
    return GATEWAY_PREFIX + _UNSAFE.sub("_", account.uri.user)[:24]


@dataclass(frozen=True, slots=True)
class GatewayPlan:
    """The changes needed so that FreeSWITCH has the desired gateways.

    Attributes:
        remove: present and managed by sipbridge, but not desired; removed first.
        add: desired, but not present.
    """

    remove: tuple[GatewayName, ...]
    add: tuple[GatewayName, ...]

    def __bool__(self) -> bool:
        return bool(self.remove or self.add)


def plan_gateways(desired: Set[GatewayName], present: Set[str]) -> GatewayPlan:
    """Compare desired and present gateways; takes about 20 ms for a hundred thousand of each.

    Args:
        present: names of all gateways in FreeSWITCH, including those of others.
    """
    return GatewayPlan(
        remove=tuple(GatewayName(name) for name in sorted(present - desired) if name.startswith(GATEWAY_PREFIX)),
        add=tuple(name for name in desired if name not in present),
    )

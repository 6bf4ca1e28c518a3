"""Converts the account pools of a providers file to core types, and checks what the schema cannot. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import PurePath
from typing import Any

from sipbridge.config.connection.keyword_values import ConnectionStringError
from sipbridge.config.credentials import AccountChecks, is_of_use
from sipbridge.config.next_hops import ITS_CALLS, warn_of_next_hop
from sipbridge.config.text.diagnostic import Report, Severity
from sipbridge.config.text.source_text import Path
from sipbridge.config.uris import NO_MESSAGE_WAITING, read_uri
from sipbridge.core.accounts.account import PROTOCOLS, SECRET_TYPES, Account, SecretType
from sipbridge.core.accounts.credentials import DIGEST_HASH
from sipbridge.core.accounts.next_hops import Networks, next_hop_fault
from sipbridge.core.bridge_config import PoolConfig
from sipbridge.core.providers.edge import Edge
from sipbridge.core.providers.provider import PoolPolicy, SqlLoader

_DEFAULT_SECRET_TYPE = "ha1"  # noqa: S105 - not a secret
_NO_SECRET = "no secret: registration works only if the registrar does not ask for one"  # noqa: S105 - a message


def read_pools(
    root: Mapping[str, Any], edge_of: Callable[[str], Edge | None], report: Report, refused: Networks = ()
) -> dict[str, PoolConfig]:
    """Read the account pools of a file.

    Args:
        root: a file of version 2, checked against the schema; invalid values are missing or None.
        edge_of: returns the edge of a pool, by the pool's name.
        refused: where no account of a database may send its calls.

    Returns:
        The complete pools by name, in the order of the file.
    """
    pools = {}
    for name, value in root.get("accountPools", {}).items():
        if pool := _pool(name, value or {}, ("accountPools", name), edge_of(name), report, refused):
            pools[name] = pool
    return pools


def _pool(
    name: str, value: Mapping[str, Any], path: Path, edge: Edge | None, report: Report, refused: Networks
) -> PoolConfig | None:
    proxy = read_uri(value, path, "outboundProxy", report, protocol=PROTOCOLS[0])
    registrar = read_uri(value, path, "registrar", report, protocol=PROTOCOLS[0])
    warn_of_next_hop(proxy, (*path, "outboundProxy"), refused, report)
    warn_of_next_hop(registrar, (*path, "registrar"), refused, report)
    if read_uri(value, path, "mwiServerUri", report, protocol=PROTOCOLS[0]) is not None:
        report.warning((*path, "mwiServerUri"), NO_MESSAGE_WAITING)
    max_calls = value.get("maxCallsPerLine")
    if max_calls == 0:
        report.warning((*path, "maxCallsPerLine"), "with 0, these accounts never carry a call")
    required = value.get("registrationRequired")
    checks = AccountChecks(registers=bool(required), has_edge=edge is not None)
    loader = _loader(value.get("loader"), (*path, "loader"), checks, report)
    if max_calls is None or required is None or loader is None:
        return None
    policy = PoolPolicy(
        name=name,
        outbound_proxy=proxy,
        registration_required=required,
        max_calls_per_line=int(max_calls),
        registration_interval_ms=int(value.get("registrationThrottlingRateMs", 0)),
        unregister_on_shutdown=value.get("unregisterOnServerShutdown", True),
        registrar=registrar,
        edge=edge,
        refresh_s=_refresh_s(value, loader, path, report),
        refused_next_hops=refused if isinstance(loader, SqlLoader) else (),
    )
    if not isinstance(loader, SqlLoader):
        _warn_of_refused(loader, refused, pool_has_proxy=proxy is not None, path=(*path, "loader"), report=report)
    skipped = 0 if isinstance(loader, SqlLoader) else len(value["loader"]) - len(loader)
    return PoolConfig(policy, loader, skipped)


def _warn_of_refused(
    accounts: tuple[Account, ...], refused: Networks, *, pool_has_proxy: bool, path: Path, report: Report
) -> None:
    faults = [
        (account, fault)
        for account in accounts
        if (fault := next_hop_fault(account, refused, pool_has_proxy=pool_has_proxy)) is not None
    ]
    if faults:
        account, fault = faults[0]
        report.warning(path, f"account {account.uri}{_and_others(faults)}: {fault.message}: {ITS_CALLS}")


def _refresh_s(
    value: Mapping[str, Any], loader: tuple[Account, ...] | SqlLoader, path: Path, report: Report
) -> float | None:
    refresh_s: float | None = value.get("refreshS")
    if refresh_s is not None and not isinstance(loader, SqlLoader):
        report.warning((*path, "refreshS"), "has no effect: these accounts are in no database")
        return None
    return refresh_s


def _loader(value: Any, path: Path, checks: AccountChecks, report: Report) -> tuple[Account, ...] | SqlLoader | None:
    if isinstance(value, list):
        return _accounts(value, path, checks, report)
    if value is None or not {"dbBackend", "initQuery", "updateQuery", "connection"} <= value.keys():
        return None
    _check_connection(value["dbBackend"], value["connection"], path, report)
    threads = value.get("threadPoolSize")
    return SqlLoader(
        backend=value["dbBackend"],
        init_query=value["initQuery"],
        update_query=value["updateQuery"],
        connection=value["connection"],
        thread_pool_size=None if threads is None else int(threads),
        folder=PurePath(report.file).parent,
    )


def _check_connection(backend: str, connection: str, path: Path, report: Report) -> None:
    # Imported here because it imports SQLAlchemy; without it, a file that lists its accounts loads in half the time.
    from sipbridge.config.connection.connection_string import BackendError, parse_connection

    try:
        ignored = parse_connection(backend, connection).ignored
    except BackendError as error:
        report.error((*path, "dbBackend"), str(error))
    except ConnectionStringError as error:
        report.error((*path, "connection"), str(error), offset=error.offset)
    else:
        if ignored:
            report.warning(
                (*path, "connection"), f'ignored, because "{backend}" does not support it: {", ".join(ignored)}'
            )


def _accounts(values: list[Any], path: Path, checks: AccountChecks, report: Report) -> tuple[Account, ...]:
    """Return the usable accounts, and report why each of the others is not usable."""
    accounts = []
    hashed: list[int] = []
    without_secret: list[int] = []
    with_mwi: list[int] = []
    first: dict[str, int] = {}
    aliases: set[str] = set()
    same_alias: list[int] = []
    for index, value in enumerate(values):
        where = (*path, index)
        account = None if value is None else _account(value, where, report)
        if account is None:
            continue
        key = account.uri.lookup_key
        if key in first:
            line = report.line_of((*path, first[key], "uri"))
            report.skip((*where, "uri"), f"{account.uri.text} is already an account of this pool, on line {line}")
            continue
        if not is_of_use(account, value, where, checks, report):
            continue
        first[key] = index
        accounts.append(account)
        if checks.registers and account.secret is None:
            without_secret.append(index)
        elif account.secret and account.secret_type is not SecretType.CLEAR_TEXT and not checks.has_edge:
            hashed.append(index)
        if account.mwi_server_uri is not None:
            with_mwi.append(index)
        if account.alias is not None:
            if account.alias.lookup_key in aliases:
                same_alias.append(index)
            aliases.add(account.alias.lookup_key)
    if same_alias:
        message = f"an account above has this alias, and takes the calls of this one{_and_others(same_alias)}"
        report.warning((*path, same_alias[0], "alias"), message)
    if hashed:
        message = f"cannot be used when a call is challenged{_and_others(hashed)}: {DIGEST_HASH}"
        report.warning((*path, hashed[0], "secret"), message)
    if without_secret:
        report.warning((*path, without_secret[0]), _NO_SECRET + _and_others(without_secret))
    if with_mwi:
        report.warning((*path, with_mwi[0], "mwiServerUri"), NO_MESSAGE_WAITING + _and_others(with_mwi))
    return tuple(accounts)


def _and_others(found: Sequence[object]) -> str:
    """Shorten a message about thousands of accounts to one about the first."""
    more = len(found) - 1
    return f" (and {more} more account{'s' if more > 1 else ''} of the pool)" if more else ""


def _account(value: Mapping[str, Any], path: Path, report: Report) -> Account | None:
    protocol = value.get("protocol", PROTOCOLS[0])
    read = partial(read_uri, value, path, report=report, severity=Severity.SKIPPED)
    uris = {name: read(name) for name in ("uri", "alias")}
    uris |= {name: read(name, protocol=protocol) for name in ("outboundProxy", "registrar", "mwiServerUri")}
    uri = uris["uri"]
    if uri is None or any(uris[name] is None and name in value for name in uris):
        return None
    return Account(
        uri=uri,
        alias=uris["alias"],
        user_id=value.get("userid"),
        secret=value.get("secret"),
        secret_type=SECRET_TYPES[value.get("secretType", _DEFAULT_SECRET_TYPE)],
        realm=value.get("realm"),
        outbound_proxy=uris["outboundProxy"],
        registrar=uris["registrar"],
        protocol=protocol,
        mwi_server_uri=uris["mwiServerUri"],
    )

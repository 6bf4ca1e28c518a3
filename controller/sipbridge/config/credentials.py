"""Reports unusable credentials of accounts in the file, with their positions. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sipbridge.config.text.diagnostic import Report
from sipbridge.config.text.source_text import Path
from sipbridge.core.accounts.account import Account, SecretType
from sipbridge.core.accounts.credentials import DIGEST_HASH, credential_fault


@dataclass(frozen=True, slots=True)
class AccountChecks:
    """The requirements of a pool for its accounts.

    Attributes:
        registers: whether they must register.
        has_edge: whether there is an edge for credentials that FreeSWITCH cannot use.
    """

    registers: bool
    has_edge: bool


def is_of_use(account: Account, value: Mapping[str, Any], path: Path, checks: AccountChecks, report: Report) -> bool:
    """Return whether an account meets its pool's requirements; report why not, and report useless secrets."""
    if checks.registers and not account.uri.user:
        report.skip((*path, "uri"), "an account that registers needs a user, as in sip:user@example.org")
        return False
    if account.secret_type is not SecretType.CLEAR_TEXT and not checks.has_edge:
        # For accounts that need not register, one message covers all of them.
        return not checks.registers or account.secret is None or _skip_hash(value, path, report)
    fault = credential_fault(account, has_edge=checks.has_edge)
    if fault is not None:
        say = report.skip if checks.registers else report.warning
        say((*path, fault.field), fault.message)
    return fault is None or not checks.registers


def _skip_hash(value: Mapping[str, Any], path: Path, report: Report) -> bool:
    if "secretType" not in value:
        report.skip((*path, "secret"), f'a secret without "secretType" is read as "ha1", but {DIGEST_HASH}')
    else:
        message = f'"{value["secretType"]}" cannot be used for an account that registers: {DIGEST_HASH}'
        report.skip((*path, "secretType"), message)
    return False

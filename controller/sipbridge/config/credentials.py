"""Credentials of accounts in the file that nobody can authenticate with, told where they stand. Pure."""

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
    """What the accounts of a pool have to be good for.

    Attributes:
        registers: whether they have to register.
        has_edge: whether there is an edge for those with which FreeSWITCH cannot authenticate.
    """

    registers: bool
    has_edge: bool


def check_can_register(
    account: Account, value: Mapping[str, Any], path: Path, checks: AccountChecks, report: Report
) -> None:
    """Report what keeps the account from being registered."""
    if not account.uri.user:
        report.error((*path, "uri"), "an account that registers needs a user, as in sip:user@example.org")
    if account.secret is None or account.secret_type is SecretType.CLEAR_TEXT or checks.has_edge:
        return
    if "secretType" not in value:
        name, message = "secret", f'a secret without "secretType" is read as "ha1", but {DIGEST_HASH}'
    else:
        name = "secretType"
        message = f'"{value[name]}" does not do for an account that registers, as {DIGEST_HASH}'
    # One that is missing because the schema refused it was told about already.
    if not report.knows((*path, "secret")) and not report.knows((*path, "secretType")):
        report.error((*path, name), message)


def check_credentials(account: Account, path: Path, checks: AccountChecks, report: Report) -> None:
    """Report a name, a password or a hash that is of no use: an error for an account that has to register."""
    if account.secret_type is not SecretType.CLEAR_TEXT and not checks.has_edge:
        return  # told about for all of them at once, or with what the field should be
    fault = credential_fault(account, has_edge=checks.has_edge)
    if fault is not None and not report.knows((*path, "secretType")):
        say = report.error if checks.registers else report.warning
        say((*path, fault.field), fault.message)

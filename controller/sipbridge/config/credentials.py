"""Credentials of accounts in the file that FreeSWITCH cannot use, told where they stand. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sipbridge.config.diagnostic import Report
from sipbridge.config.json_text import Path
from sipbridge.core.account import Account, SecretType
from sipbridge.core.credentials import DIGEST_HASH, credential_fault


def check_can_register(account: Account, value: Mapping[str, Any], path: Path, report: Report) -> None:
    """Report what keeps FreeSWITCH from registering the account."""
    if not account.uri.user:
        report.error((*path, "uri"), "an account that registers needs a user, as in sip:user@example.org")
    if account.secret is None:
        return
    if "secretType" not in value:
        name, message = "secret", f'a secret without "secretType" is read as "ha1", but {DIGEST_HASH}'
    elif account.secret_type is not SecretType.CLEAR_TEXT:
        name = "secretType"
        message = f'"{value[name]}" does not do for an account that registers, as {DIGEST_HASH}'
    else:
        return
    # One that is missing because the schema refused it was told about already.
    if not report.knows((*path, "secret")) and not report.knows((*path, "secretType")):
        report.error((*path, name), message)


def check_credentials(account: Account, path: Path, registers: bool, report: Report) -> None:
    """Report a name or a password that FreeSWITCH cannot authenticate with: an error for an account that has to."""
    fault = credential_fault(account)
    if fault is not None and account.secret_type is SecretType.CLEAR_TEXT:
        say = report.error if registers else report.warning
        say((*path, fault.field), fault.message)

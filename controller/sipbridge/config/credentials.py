"""What FreeSWITCH can authenticate with, and what an account brings, compared. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from sipbridge.config.diagnostic import Report
from sipbridge.config.json_text import Path
from sipbridge.core.account import Account, SecretType

DIGEST_HASH = (
    'FreeSWITCH cannot authenticate with a digest hash: put the password in "secret" and set "secretType": "clrtxt"'
)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_LONGEST = 255


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
    """Report a name or a password that FreeSWITCH cannot authenticate with.

    It hands them on as ``scheme:realm:user:password`` in 256 bytes, which sofia-sip cuts at the colons.

    Source: mod_sofia sofia_reg.c; sofia-sip iptsec auth_client.c.
    """
    secret = account.secret if account.secret_type is SecretType.CLEAR_TEXT else None
    for name, text in (("userid", account.user_id), ("secret", secret)):
        if text and _CONTROL.search(text):
            report.error((*path, name), f'"{name}" has a control character in it, which FreeSWITCH cannot be told')
        elif text and ":" in text:
            say = report.error if registers else report.warning
            say((*path, name), f'FreeSWITCH cannot authenticate with a colon in "{name}": it is cut there')
    realm, user = account.realm or account.uri.host, account.user_id or account.uri.user
    if secret and len(f'Digest:"{realm}":{user}:{secret}'.encode()) > _LONGEST:
        message = f"FreeSWITCH cannot authenticate with more than {_LONGEST} bytes of realm, name and password together"
        report.error((*path, "secret"), message)

"""What FreeSWITCH can authenticate with, and what an account brings, compared. Pure."""

from __future__ import annotations

import re
from typing import NamedTuple

from sipbridge.core.account import Account, SecretType

DIGEST_HASH = (
    'FreeSWITCH cannot authenticate with a digest hash: put the password in "secret" and set "secretType": "clrtxt"'
)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_LONGEST = 255


class CredentialFault(NamedTuple):
    """Why a challenge cannot be answered.

    Attributes:
        field: which field of the account is to blame, as the providers file names it.
    """

    field: str
    message: str


def credential_fault(account: Account) -> CredentialFault | None:
    """What keeps FreeSWITCH from authenticating as this account; None for one that can, or that has no secret.

    FreeSWITCH hands the credentials on as ``scheme:realm:user:password`` in 256 bytes, which sofia-sip cuts at the
    colons. The message never holds the secret.

    Source: mod_sofia sofia_reg.c; sofia-sip iptsec auth_client.c.
    """
    if account.secret is None:
        return None
    if account.secret_type is not SecretType.CLEAR_TEXT:
        return CredentialFault("secretType", DIGEST_HASH)
    for name, text in (("userid", account.user_id or ""), ("secret", account.secret)):
        if _CONTROL.search(text):
            return CredentialFault(name, f'"{name}" has a control character in it, which FreeSWITCH cannot be told')
        if ":" in text:
            return CredentialFault(name, f'FreeSWITCH cannot authenticate with a colon in "{name}": it is cut there')
    realm, user = account.realm or account.uri.host, account.user_id or account.uri.user
    if len(f'Digest:"{realm}":{user}:{account.secret}'.encode()) > _LONGEST:
        message = f"FreeSWITCH cannot authenticate with more than {_LONGEST} bytes of realm, name and password together"
        return CredentialFault("secret", message)
    return None

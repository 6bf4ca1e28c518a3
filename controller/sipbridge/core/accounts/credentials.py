"""Checks whether FreeSWITCH, or the edge for it, can authenticate with an account's credentials. Pure."""

from __future__ import annotations

import re

from sipbridge.core.accounts.account import Account, AccountFault, SecretType

DIGEST_HASH = (
    'FreeSWITCH cannot authenticate with a digest hash: put the password in "secret" and set "secretType": "clrtxt",'
    " or enable [edge] in the settings"
)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_LONGEST = 255
_HASHES = {
    SecretType.HA1: (re.compile("[0-9A-Fa-f]{32}"), "32 hexadecimal digits, the MD5 of user:realm:password"),
    SecretType.SHA256: (re.compile("[0-9A-Fa-f]{64}"), "64 hexadecimal digits, the SHA-256 of user:realm:password"),
}


def credential_fault(account: Account, *, has_edge: bool) -> AccountFault | None:
    """Return why sipbridge cannot authenticate as this account; None if it can, or if there is no secret.

    The message never contains the secret.

    Args:
        has_edge: whether the edge answers challenges for accounts for which FreeSWITCH cannot (`fits_freeswitch`).
    """
    if account.secret is None:
        return None
    if account.secret_type is not SecretType.CLEAR_TEXT and not has_edge:
        return AccountFault("secretType", DIGEST_HASH)
    user_id = account.user_id or ""
    # A file of version 1 calls the secret "password".
    for name, called, text in (("userid", '"userid"', user_id), ("secret", "the secret", account.secret)):
        if _CONTROL.search(text):
            return AccountFault(name, f"{called} contains a control character, which cannot be passed to FreeSWITCH")
    if ":" in user_id:
        return AccountFault("userid", 'FreeSWITCH cannot authenticate with a colon in "userid": it cuts the text there')
    if account.secret_type is not SecretType.CLEAR_TEXT:
        return _hash_fault(account.secret_type, account.secret)
    return None if has_edge else _password_fault(account, account.secret)


def fits_freeswitch(account: Account) -> bool:
    """Return whether FreeSWITCH itself can authenticate with the account's secret, or there is no secret."""
    if account.secret is None:
        return True
    return account.secret_type is SecretType.CLEAR_TEXT and _password_fault(account, account.secret) is None


def _password_fault(account: Account, password: str) -> AccountFault | None:
    """Check a password. FreeSWITCH passes ``scheme:realm:user:password`` in 256 bytes; sofia-sip splits at the colons.

    Source: mod_sofia sofia_reg.c; sofia-sip iptsec auth_client.c.
    """
    if ":" in password:
        return AccountFault(
            "secret", "FreeSWITCH cannot authenticate with a colon in a password: it cuts the text there"
        )
    realm, user = account.realm or account.uri.host, account.user_id or account.uri.user
    if len(f'Digest:"{realm}":{user}:{password}'.encode()) > _LONGEST:
        message = f"FreeSWITCH cannot authenticate with more than {_LONGEST} bytes of realm, name and password together"
        return AccountFault("secret", message)
    return None


def _hash_fault(secret_type: SecretType, secret: str) -> AccountFault | None:
    pattern, what = _HASHES[secret_type]
    if pattern.fullmatch(secret):
        return None
    message = f'a secret of type "{secret_type.value}" must be {what}; the password itself is of type "clrtxt"'
    return AccountFault("secret", message)

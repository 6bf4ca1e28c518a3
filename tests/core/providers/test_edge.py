"""Which accounts go through the edge, why, and their entries in its table."""

from __future__ import annotations

import pytest
from core_examples import uri

from sipbridge.core.accounts.account import Account, SecretType
from sipbridge.core.providers.edge import Edge, EdgeReason, edge_entry, edge_reason

EDGE = Edge(uri("sip:127.0.0.1:5090"))
FOR_ALL = Edge(uri("sip:127.0.0.1:5090"), EdgeReason.ALL)
FOR_MEDIA = Edge(uri("sip:127.0.0.1:5090"), EdgeReason.MEDIA)
REGISTRAR = uri("sip:registrar.example.org:5070;transport=tcp")
MD5, SHA256 = "0123456789ABCDEF" * 2, "0123456789abcdef" * 4


def account(secret: str | None = None, secret_type: SecretType = SecretType.CLEAR_TEXT, **more: str) -> Account:
    return Account(uri("sip:alice@far.example.org"), secret=secret, secret_type=secret_type, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("an_account", "reason"),
    [
        pytest.param(account("password"), None, id="password"),
        pytest.param(account(), None, id="no secret"),
        pytest.param(account(None, SecretType.HA1), None, id="no secret, of a type that is nobody's"),
        pytest.param(account(MD5, SecretType.HA1), EdgeReason.HASH, id="HA1"),
        pytest.param(account(SHA256, SecretType.SHA256), EdgeReason.HASH, id="SHA-256"),
        pytest.param(account("pass:word"), EdgeReason.PASSWORD, id="a password with a colon"),
        pytest.param(account("p" * 220, user_id="u" * 20), EdgeReason.PASSWORD, id="a long password"),
    ],
)
def test_accounts_take_the_edge_when_they_need_it(an_account: Account, reason: EdgeReason | None) -> None:
    assert edge_reason(an_account, EDGE) is reason
    assert edge_reason(an_account, None) is None
    assert edge_reason(an_account, FOR_ALL) is EdgeReason.ALL
    assert edge_reason(an_account, FOR_MEDIA) is EdgeReason.MEDIA


@pytest.mark.parametrize(
    ("an_account", "entry"),
    [
        pytest.param(account("a|b:c"), "clear|sip:registrar.example.org:5070;transport=tcp|a|b:c", id="password"),
        pytest.param(account(), "none|sip:registrar.example.org:5070;transport=tcp|", id="no secret"),
        pytest.param(
            account(MD5, SecretType.HA1), f"md5|sip:registrar.example.org:5070;transport=tcp|{MD5.lower()}", id="HA1"
        ),
        pytest.param(
            account(SHA256, SecretType.SHA256),
            f"sha256|sip:registrar.example.org:5070;transport=tcp|{SHA256}",
            id="SHA-256",
        ),
    ],
)
def test_the_edge_is_told_how_to_answer_and_where_to_register(an_account: Account, entry: str) -> None:
    assert edge_entry(an_account, REGISTRAR) == entry

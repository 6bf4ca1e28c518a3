"""Valid and invalid rows of the accounts query."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipbridge.core.accounts.account import Account, SecretType
from sipbridge.core.accounts.account_row import RowError, account_from_row, missing_columns
from sipbridge.core.sip.uri import parse_sip_uri

Row = dict[str, object]

JABIRU: Row = {
    "username": "alice",
    "hostport": "jabiru.example.org",
    "user_id": "",
    "secret_type": "clrtxt",
    "secret": "Mellon",
    "alias_username": "alice",
    "alias_hostport": "flexisip.example.org",
    "outbound_proxy": "",
}


def account(**fields: object) -> Account:
    return Account(
        **{
            "uri": parse_sip_uri("sip:alice@jabiru.example.org"),
            "alias": parse_sip_uri("sip:alice@flexisip.example.org"),
            "secret": "Mellon",
            "secret_type": SecretType.CLEAR_TEXT,
            **fields,
        }  # type: ignore[arg-type]  # as the tests give them
    )


READ: dict[str, tuple[Row, Account]] = {
    "row of the specification": ({}, account()),
    "NULL everywhere": (
        {"user_id": None, "secret_type": None, "secret": None, "alias_username": None, "alias_hostport": None},
        account(alias=None, secret=None, secret_type=SecretType.HA1),
    ),
    "empty everywhere": (
        {"user_id": "", "secret_type": "", "secret": "", "alias_username": "", "alias_hostport": ""},
        account(alias=None, secret=None, secret_type=SecretType.HA1),
    ),
    "bytes": (
        {name: str(value).encode() for name, value in JABIRU.items()},
        account(),
    ),
    "numbers": (
        {"username": 33612345678, "alias_username": Decimal(33612345678)},
        account(
            uri=parse_sip_uri("sip:33612345678@jabiru.example.org"),
            alias=parse_sip_uri("sip:33612345678@flexisip.example.org"),
        ),
    ),
    "alias without a user": ({"alias_username": ""}, account(alias=None)),
    "alias without a host": ({"alias_hostport": None}, account(alias=None)),
    "words in any case, of a column of fixed width": (
        {"secret_type": " CLRTXT", "protocol": "UDP ", "registrar": "r.example"},
        account(registrar=parse_sip_uri("sip:r.example;transport=udp")),
    ),
    "no protocol": (
        {"protocol": "", "outbound_proxy": "p.example:5070", "registrar": "[2001:db8::1]:5070"},
        account(
            outbound_proxy=parse_sip_uri("sip:p.example:5070;transport=udp"),
            registrar=parse_sip_uri("sip:[2001:db8::1]:5070;transport=udp"),
        ),
    ),
    "IPv6 without brackets": (
        {"protocol": "TLS", "outbound_proxy": "2001:db8::1", "registrar": "fe80::1"},
        account(
            outbound_proxy=parse_sip_uri("sip:[2001:db8::1];transport=tls"),
            registrar=parse_sip_uri("sip:[fe80::1];transport=tls"),
            protocol="tls",
        ),
    ),
    "host with a transport of its own": (
        {"protocol": "TLS", "outbound_proxy": "p.example;Transport=TCP"},
        account(outbound_proxy=parse_sip_uri("sip:p.example;Transport=TCP"), protocol="tls"),
    ),
    "message-waiting": (
        {"mwi_server_uri": "sip:mwi@far.example"},
        account(mwi_server_uri=parse_sip_uri("sip:mwi@far.example")),
    ),
    "the other names": (
        {"hostport": None, "domain": "jabiru.example.org", "alias_hostport": "", "alias_domain": "b.example"},
        account(alias=parse_sip_uri("sip:alice@b.example")),
    ),
    "hash": ({"secret_type": "SHA-256"}, account(secret_type=SecretType.SHA256)),
    "old name of a hash": ({"secret_type": "md5"}, account(secret_type=SecretType.HA1)),
    "everything": (
        {
            "user_id": "alice-auth",
            "outbound_proxy": "<sip:edge.example:5061;transport=tls>",
            "realm": "realm.example",
            "registrar": "registrar.example",
            "protocol": "tcp",
            "of no interest": 1.5,
        },
        account(
            user_id="alice-auth",
            realm="realm.example",
            outbound_proxy=parse_sip_uri("sip:edge.example:5061;transport=tls"),
            registrar=parse_sip_uri("sip:registrar.example;transport=tcp"),
            protocol="tcp",
        ),
    ),
    "port and parameters": (
        {"hostport": "jabiru.example.org:5070;transport=tcp", "username": "al%40ice"},
        account(uri=parse_sip_uri("sip:al%40ice@jabiru.example.org:5070;transport=tcp")),
    ),
}


@pytest.mark.parametrize("case", READ)
def test_read(case: str) -> None:
    changes, expected = READ[case]
    assert account_from_row({**JABIRU, **changes}) == expected


WRONG: dict[str, tuple[Row, str]] = {
    "no username": ({"username": ""}, "an account of 'jabiru.example.org' has no username"),
    "NULL for a username": ({"username": None, "hostport": None}, "an account of 'no domain' has no username"),
    "no hostport": ({"hostport": ""}, "account 'alice' of 'no domain': missing hostport"),
    "space in a username": (
        {"username": "al ice"},
        "account 'al ice' of 'jabiru.example.org': "
        "username and hostport together are not a SIP URI: it must not contain spaces",
    ),
    "password in a username": (
        {"username": "alice:Mellon"},
        "account 'alice' of 'jabiru.example.org': "
        "username and hostport do not form a SIP URI: a colon would start a password",
    ),
    "host that is none": (
        {"hostport": "ja biru\n"},
        r"account 'alice' of 'ja biru\n': username and hostport together are not a SIP URI: "
        "it must not contain spaces",
    ),
    "alias that is none": (
        {"alias_username": "a@b"},
        "alias_username and alias_hostport together are not a SIP URI such as",
    ),
    "secret type that is none": (
        {"secret_type": "Mellon"},
        "secret_type must be one of ha1, md5, sha256, sha-256, clrtxt",
    ),
    "proxy that is none": ({"outbound_proxy": "proxy,example"}, "outbound_proxy is not a SIP URI"),
    "registrar that is none": ({"registrar": "<sip:a"}, 'registrar is not a SIP URI: "<" and ">" belong together'),
    "protocol that is none": ({"protocol": "sctp"}, "protocol must be one of udp, tcp, tls"),
    "line feed in a secret": ({"secret": "Mellon\n"}, "secret contains a control character"),
    "NUL in a user id": ({"user_id": "a\0b"}, "user_id contains a control character"),
    "text that is no UTF-8": ({"secret": b"Mellon\xff"}, "secret is not UTF-8"),
    "number that is no name": ({"username": 1.5}, "username must be a string, not float"),
    "truth that is no name": ({"user_id": True}, "user_id must be a string, not bool"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong(case: str) -> None:
    changes, message = WRONG[case]
    with pytest.raises(RowError) as caught:
        account_from_row({**JABIRU, **changes})
    assert message in str(caught.value)
    assert "Mellon" not in str(caught.value)


def test_what_a_query_lacks() -> None:
    assert missing_columns(JABIRU) == []
    assert missing_columns(["username", "domain", "secret", "alias_username", "alias_domain", "outbound_proxy"]) == [
        "user_id",
        "secret_type",
    ]
    assert missing_columns(["id"])[:2] == ["username", "hostport or domain"]


def test_accounts_share_what_is_the_same() -> None:
    proxy = {"outbound_proxy": "sip:edge.example"}
    one, other = (account_from_row({**JABIRU, **proxy, "username": name, "alias_username": name}) for name in "ab")
    assert one.uri.hostport is other.uri.hostport
    assert one.outbound_proxy is other.outbound_proxy
    assert one.alias is not None
    assert one.uri.userinfo is one.alias.userinfo


VALUES = st.none() | st.text(max_size=12) | st.binary(max_size=12) | st.integers() | st.floats()


@given(st.fixed_dictionaries(dict.fromkeys(JABIRU, VALUES), optional=dict.fromkeys(("realm", "registrar"), VALUES)))
def test_any_row_is_an_account_that_can_be_addressed_or_a_reason_without_the_secret(row: Row) -> None:
    row["secret"] = f"<<{row['secret']!r}\x7f" if row["user_id"] else f"<<{row['secret']!r}"
    try:
        made = account_from_row(row)
    except RowError as error:
        shown = str(error)
    else:
        shown = repr(made)
        assert parse_sip_uri(made.uri.text) == made.uri
        assert made.secret == row["secret"]
    assert str(row["secret"]) not in shown
    assert shown.isprintable()

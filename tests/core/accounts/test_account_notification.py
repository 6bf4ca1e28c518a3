"""Messages of the Redis channel: valid notifications, and errors about invalid ones."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipbridge.core.accounts.account_notification import (
    MAX_BYTES,
    AccountNotification,
    NotificationError,
    parse_notification,
)

ALICE = {"username": "alice", "domain": "jabiru.example.org", "identifier": "7"}


@pytest.mark.parametrize(
    ("identifier", "expected"),
    [
        pytest.param('"7"', "7", id="text"),
        pytest.param('" 7\'; --"', " 7'; --", id="text that is no word"),
        pytest.param("7", "7", id="number"),
        pytest.param("-7", "-7", id="negative"),
        pytest.param("0.10", "0.10", id="fraction as it is spelt"),
        pytest.param("18446744073709551617", "18446744073709551617", id="more than 64 bits"),
        pytest.param("9" * 3000, "9" * 3000, id="more digits than Python converts"),
    ],
)
def test_identifier(identifier: str, expected: str) -> None:
    payload = f'{{"username": "alice", "domain": "jabiru.example.org", "identifier": {identifier}}}'
    assert parse_notification(payload.encode()) == AccountNotification("alice", "jabiru.example.org", expected)


def test_other_fields_are_ignored() -> None:
    payload = json.dumps({"action": {"name": "added"}, **ALICE, "at": 1.5})
    assert parse_notification(payload.encode()) == AccountNotification("alice", "jabiru.example.org", "7")


def test_other_alphabets() -> None:
    payload = json.dumps({**ALICE, "username": "Zoë"}, ensure_ascii=False)
    assert parse_notification(payload.encode()).username == "Zoë"


def with_field(name: str, value: object) -> bytes:
    return json.dumps({**ALICE, name: value}).encode()


@pytest.mark.parametrize(
    ("payload", "fault"),
    [
        pytest.param(b"", "not JSON: b''", id="empty"),
        pytest.param(b"alice", "not JSON: b'alice'", id="no JSON"),
        pytest.param(b'{"username": "\xff"}', "not JSON: ", id="no UTF-8"),
        pytest.param("{}".encode("utf-16"), "not JSON: ", id="UTF-16"),
        pytest.param(b"[" * MAX_BYTES, "not JSON: ", id="deep"),
        pytest.param(b'{"identifier": NaN}', "not JSON: ", id="NaN"),
        pytest.param(b"null", "not a JSON object: b'null'", id="null"),
        pytest.param(b'["alice"]', "not a JSON object: ", id="array"),
        pytest.param(b"7", "not a JSON object: b'7'", id="number"),
        pytest.param(b"{}", "missing \"username\": b'{}'", id="empty object"),
        pytest.param(b'{"username": "alice", "domain": "x"}', 'missing "identifier": ', id="missing"),
        pytest.param(b'{"Username": "alice"}', 'missing "username": ', id="capital letter"),
        pytest.param(with_field("username", 7), '"username" must be a string: ', id="number as username"),
        pytest.param(with_field("domain", None), '"domain" must be a string: ', id="null as domain"),
        pytest.param(with_field("identifier", True), '"identifier" must be a string: ', id="boolean as identifier"),
        pytest.param(with_field("identifier", ["7"]), '"identifier" must be a string: ', id="array as identifier"),
        pytest.param(with_field("username", ""), '"username" is empty: ', id="empty username"),
        pytest.param(with_field("identifier", ""), '"identifier" is empty: ', id="empty identifier"),
        pytest.param(with_field("username", "a\r\nb"), '"username" contains unprintable characters', id="line break"),
        pytest.param(with_field("username", "a\0"), '"username" contains unprintable characters', id="NUL"),
        pytest.param(
            with_field("identifier", "\ud800"), '"identifier" contains unprintable characters', id="half of a character"
        ),
        pytest.param(b" " * (MAX_BYTES + 1), f"{MAX_BYTES + 1} bytes; the limit is {MAX_BYTES}: ", id="long"),
    ],
)
def test_what_is_no_notification(payload: bytes, fault: str) -> None:
    with pytest.raises(NotificationError) as caught:
        parse_notification(payload)
    assert str(caught.value).startswith(fault)


@given(st.binary(max_size=MAX_BYTES * 2))
def test_what_is_said_is_one_short_line_whatever_was_sent(payload: bytes) -> None:
    with pytest.raises(NotificationError) as caught:
        parse_notification(payload)
    said = str(caught.value)
    assert said.isprintable()
    assert len(said) < 300


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(st.fixed_dictionaries(dict.fromkeys(ALICE, JSON)))
def test_any_json_is_a_notification_of_texts_or_an_error(fields: dict[str, object]) -> None:
    try:
        notification = parse_notification(json.dumps(fields).encode())
    except NotificationError:
        return
    for name, value in fields.items():
        got = getattr(notification, name)
        assert type(got) is str
        assert got in (value, json.dumps(value))

"""Secrets are hidden in any quoting; other text stays."""

from __future__ import annotations

import json
from collections.abc import Callable
from urllib.parse import quote
from xml.sax.saxutils import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipbridge.core.observe.redaction import HIDDEN, Redactor


@pytest.mark.parametrize(
    ("quoting", "shown"),
    [(str, "{}"), (json.dumps, '"{}"'), (lambda text: repr(text)[1:-1], "{}"), (quote, "{}"), (escape, "{}")],
    ids=["as it is", "JSON", "repr", "URL", "XML"],
)
@given(secret=st.text(min_size=4))
def test_a_known_secret_is_hidden_however_it_is_quoted(quoting: Callable[[str], str], shown: str, secret: str) -> None:
    assert Redactor([secret]).redact(f"<{quoting(secret)}>") == f"<{shown.format(HIDDEN)}>"


def test_a_secret_that_begins_with_another_is_hidden_whole() -> None:
    assert Redactor(["mellon", "mellon-friend"]).redact("say mellon-friend") == f"say {HIDDEN}"


def test_secrets_are_learned() -> None:
    redactor = Redactor(["first"])
    redactor.learn(["second"])
    assert redactor.redact("first second third") == f"{HIDDEN} {HIDDEN} third"


def test_a_secret_that_is_a_mere_syllable_does_not_ruin_the_text() -> None:
    assert Redactor(["a", "in"]).redact("a call in progress") == "a call in progress"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("db=x password='correct horse' host=y", "db=x password=*** host=y"),
        ('PASSWORD="a\\"b" x', "PASSWORD=*** x"),
        ("passwd: hush, and more", "passwd: ***, and more"),
        ('{"secret": "s3", "uri": "sip:a@b"}', '{"secret": ***, "uri": "sip:a@b"}'),
        ("{'secret': 's3'}", "{'secret': ***}"),
        ("redis://user:hush@host:6379/0", "redis://user:***@host:6379/0"),
        ("mysql+pymysql://u:p%40ss@h/db", "mysql+pymysql://u:***@h/db"),
        ("redis://:hush@host", "redis://:***@host"),
        ('<param name="password" value="a&quot;b"/>', '<param name="password" value="***"/>'),
        ('Digest username="a", response="0123abc", uri="x"', 'Digest username="a", response="***", uri="x"'),
    ],
)
def test_what_looks_like_a_secret_is_hidden(text: str, shown: str) -> None:
    assert Redactor().redact(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "127.0.0.1:8021 rejected the Event Socket password",
        "account sip:alice@example.org cannot register: 403 Forbidden",
        "see https://example.org/a:b and sip:a:b@c",
        "the secret of an account",
    ],
)
def test_what_is_none_stays(text: str) -> None:
    assert Redactor().redact(text) == text

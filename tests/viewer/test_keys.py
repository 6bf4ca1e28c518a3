"""Keys, and the view after each."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipbridge.core.observe.snapshot import AccountOrder, AccountQuery
from sipbridge.viewer.keys import Key, parse_keys
from sipbridge.viewer.watch import View, next_view


@pytest.mark.parametrize(
    ("typed", "keys"),
    [
        (b"q", ["q"]),
        (b"ab", ["a", "b"]),
        ("é€".encode(), ["é", "€"]),
        (b"\x1b", [Key.ESCAPE]),
        (b"\x1b[5~\x1b[6~", [Key.PAGE_UP, Key.PAGE_DOWN]),
        (b"\x1b[A\x1bOB", [Key.UP, Key.DOWN]),
        (b"a\x7fb\r", ["a", Key.BACKSPACE, "b", Key.ENTER]),
        (b"\x1b[1;5C", []),
        (b"\x1b[15~x", ["x"]),
        (b"\x00\x01\x02", []),
        (b"\xff\xfe", []),
        (b"\x1b[", []),
    ],
)
def test_keys(typed: bytes, keys: list[Key | str]) -> None:
    assert parse_keys(typed) == keys


@given(st.binary(max_size=40))
def test_whatever_is_typed_is_read_to_its_end(typed: bytes) -> None:
    assert all(isinstance(key, Key) or (len(key) == 1 and key.isprintable()) for key in parse_keys(typed))


def after(*keys: Key | str, query: AccountQuery | None = None, shown: int = 10, matching: int = 25) -> View:
    view = View(query or AccountQuery())
    for key in keys:
        view = next_view(view, key, shown, matching)
    return view


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        (["x"], AccountQuery()),
        (["s"], AccountQuery(order=AccountOrder.CALLS)),
        (["s", "s", "s"], AccountQuery()),
        (["f"], AccountQuery(only_failed=True)),
        (["f", "f"], AccountQuery()),
        (["n"], AccountQuery(offset=10)),
        ([Key.PAGE_DOWN, " "], AccountQuery(offset=20)),
        (["n", "n", "n"], AccountQuery(offset=20)),
        ([Key.DOWN], AccountQuery(offset=1)),
        (["n", Key.UP], AccountQuery(offset=9)),
        (["n", "p", "p"], AccountQuery()),
        (["n", Key.HOME], AccountQuery()),
        (["n", "s"], AccountQuery(order=AccountOrder.CALLS)),
        (["/", "a", "q", "s", Key.ENTER], AccountQuery(match="aqs")),
        (["n", "/", "a", "x", Key.BACKSPACE, " ", Key.ENTER], AccountQuery(match="a")),
        (["/", "a", Key.ESCAPE], AccountQuery()),
        (["/", "a", Key.ENTER, "f", Key.ESCAPE], AccountQuery()),
        (["/", "a", Key.ENTER, "/", "b", Key.ENTER], AccountQuery(match="ab")),
        (["/", Key.UP, Key.ENTER], AccountQuery()),
    ],
)
def test_what_keys_make_of_a_query(keys: list[Key | str], expected: AccountQuery) -> None:
    view = after(*keys)
    assert (view.query, view.typing, view.is_over) == (expected, None, False)


def test_q_ends_it_but_not_while_a_filter_is_typed() -> None:
    assert after("q").is_over
    assert after("/", "q") == View(AccountQuery(), typing="q")

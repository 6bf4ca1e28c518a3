"""A snapshot survives the control socket unchanged."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, get_args, get_origin, get_type_hints

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipbridge.core.observe.snapshot import AccountOrder, AccountQuery, Snapshot, SourceState
from sipbridge.core.observe.snapshot_json import JsonError, from_json, to_json

_SCALARS = {
    # A surrogate is no text that JSON can carry.
    str: st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    int: st.integers(-(2**53), 2**53),
    float: st.floats(allow_nan=False, allow_infinity=False),
    bool: st.booleans(),
}


def values(type_: Any) -> st.SearchStrategy[Any]:
    """Values of every kind that a snapshot has."""
    if type_ in _SCALARS:
        return _SCALARS[type_]
    if dataclasses.is_dataclass(type_):
        hints = get_type_hints(type_)
        return st.builds(type_, **{each.name: values(hints[each.name]) for each in dataclasses.fields(type_)})
    arguments = get_args(type_)
    if get_origin(type_) is tuple:
        return st.lists(values(arguments[0]), max_size=2).map(tuple)
    if get_origin(type_) is Mapping:
        return st.dictionaries(values(arguments[0]), values(arguments[1]), max_size=2)
    return st.one_of(st.none() if each is type(None) else values(each) for each in arguments)


@given(values(Snapshot))
def test_a_snapshot_comes_back_as_it_was(snapshot: Snapshot) -> None:
    assert from_json(Snapshot, through_json(to_json(snapshot))) == snapshot


def test_names_are_those_of_json() -> None:
    assert to_json(SourceState("OK", skipped_rows=2)) == {"status": "OK", "problem": "", "skippedRows": 2}
    assert to_json(AccountQuery(only_failed=True))["order"] == "need"


def test_what_is_unknown_is_passed_over_and_what_is_missing_has_its_default() -> None:
    assert from_json(AccountQuery, {"limit": 3, "newer": [1]}) == AccountQuery(limit=3)
    assert from_json(AccountQuery, {"order": "address"}).order is AccountOrder.ADDRESS


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([], r"AccountQuery must be an object, not \[\]"),
        ({"limit": "3"}, "limit must be a whole number, not '3'"),
        ({"limit": True}, "limit must be a whole number, not True"),
        ({"onlyFailed": 1}, "onlyFailed must be true or false, not 1"),
        ({"match": None}, "match must be a string, not None"),
        ({"order": "size"}, "order must be one of 'need', 'calls', 'address', not 'size'"),
    ],
    ids=str,
)
def test_another_kind_of_value_is_an_error(value: Any, message: str) -> None:
    with pytest.raises(JsonError, match=message):
        from_json(AccountQuery, value)


def test_what_is_missing_without_a_default_is_an_error() -> None:
    with pytest.raises(JsonError, match=r"SourceState: .*status"):
        from_json(SourceState, {})


def through_json(value: Any) -> Any:
    return orjson.loads(orjson.dumps(value))

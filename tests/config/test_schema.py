"""The JSON Schema of the providers file, and the quick check derived from it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sipbridge.config.schema import providers_schema, quick_check, validator

DEFINITIONS: dict[str, Any] = providers_schema()["$defs"]
ACCOUNTS = ["Account", "Version1Account"]


def properties() -> Iterator[tuple[str, dict[str, Any]]]:
    for definition, schema in DEFINITIONS.items():
        for name, property_ in schema.get("properties", {}).items():
            yield f"{definition}.{name}", property_


def test_is_a_schema_of_draft_2020_12() -> None:
    jsonschema.Draft202012Validator.check_schema(providers_schema())


@pytest.mark.parametrize("definition", DEFINITIONS)
def test_every_object_says_what_it_is_and_is_closed(definition: str) -> None:
    schema = DEFINITIONS[definition]
    assert schema["description"].endswith(".")
    if schema.get("type") == "object":
        branches = [branch["then"]["$ref"] for branch in schema.get("allOf", ())]
        assert "additionalProperties" in schema or branches, "unknown fields must be errors"


@pytest.mark.parametrize(("name", "property_"), [pytest.param(*entry, id=entry[0]) for entry in properties()])
def test_every_property_says_what_it_is(name: str, property_: dict[str, Any]) -> None:
    if "$ref" in property_:
        property_ = DEFINITIONS[property_["$ref"].rpartition("/")[2]]
    assert "description" in property_ or "const" in property_


@pytest.mark.parametrize("definition", ACCOUNTS)
def test_the_quick_check_knows_all_that_accounts_may_be(definition: str) -> None:
    """It reads the properties as texts with or without choices: anything more would be lost on it."""
    schema = DEFINITIONS[definition]
    assert set(schema) == {"description", "type", "required", "additionalProperties", "properties"}
    for property_ in schema["properties"].values():
        assert set(property_) <= {"description", "examples", "default", "type", "enum"}
        assert property_.get("type", "string") == "string"


NAMES = sorted({name for definition in ACCOUNTS for name in DEFINITIONS[definition]["properties"]} | {"unknown"})


@settings(deadline=None)
@given(
    st.sampled_from(ACCOUNTS),
    st.none()
    | st.dictionaries(
        st.sampled_from(NAMES), st.none() | st.integers() | st.sampled_from(["", "x", "ha1", "clrtxt", "tls"])
    ),
)
def test_the_quick_check_agrees_with_the_schema(definition: str, account: Any) -> None:
    assert quick_check(definition)(account) == validator(definition).is_valid(account)

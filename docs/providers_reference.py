"""The JSON Schema of the providers file becomes the reference part of docs/configuration.md. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from sipbridge.config.schema import providers_schema

Schema = Mapping[str, Any]


def providers_reference() -> str:
    """A section for each kind of object, with a table of its members."""
    return "\n".join(_section(name, definition) for name, definition in providers_schema()["$defs"].items())


def _section(name: str, definition: Schema) -> str:
    lines = [f"### {name}", "", definition["description"], ""]
    if alternatives := list(_alternatives(definition)):
        lines += [f"Either {' or '.join(alternatives)}.", ""]
    # Where there are alternatives, each has its own table.
    elif properties := definition.get("properties"):
        lines += ["| member | value | |", "| --- | --- | --- |"]
        lines += [_row(key, value, key in definition.get("required", ())) for key, value in properties.items()]
        lines.append("")
    elif items := definition.get("items"):
        lines += [f"A list of {_link(items)}.", ""]
    return "\n".join(lines)


def _alternatives(definition: Schema) -> Iterator[str]:
    for branch in definition.get("allOf", ()):
        then = branch["then"]
        yield f"a list of {_link(then['items'])}" if "items" in then else _link(then)


def _row(name: str, schema: Schema, required: bool) -> str:
    said = schema.get("description", "")
    if "default" in schema:
        said += f" Default: `{_format(schema['default'])}`."
    elif not required:
        said += " Optional."
    for example in schema.get("examples", ())[:1]:
        said += f" Such as `{_format(example)}`."
    return f"| `{name}` | {_value(schema)} | {said.strip()} |".replace("  |", " |")


def _value(schema: Schema) -> str:
    """What a member may be: a link, the values, or the type."""
    if "$ref" in schema:
        return _link(schema)
    if "const" in schema:
        return f"`{_format(schema['const'])}`"
    if "enum" in schema:
        return ", ".join(f"`{_format(value)}`" for value in schema["enum"])
    if schema["type"] == "array":
        return f"list of {_link(schema['items'])}"
    if "additionalProperties" in schema:
        return f"object of {_link(schema['additionalProperties'])}, by name"
    return {"boolean": "true or false", "integer": "whole number"}.get(schema["type"], schema["type"])


def _link(schema: Schema) -> str:
    name = schema["$ref"].rpartition("/")[2]
    return f"[{name}](#{name.lower()})"


def _format(value: Any) -> str:
    # As it is written in the file; a table's cell ends at a bar.
    return json.dumps(value, ensure_ascii=False).replace("|", "\\|")

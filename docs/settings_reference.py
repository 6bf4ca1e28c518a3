"""The settings and their docstrings become tables of settings, in the order of the source. Reads that source."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import itertools
import textwrap
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from sipbridge import settings


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting.

    Attributes:
        text: what it is, as Markdown.
        default: as it would be written, in backticks, or ``none``.
        variable: its name in the environment.
    """

    name: str
    text: str
    default: str
    variable: str


@dataclass(frozen=True, slots=True)
class Table:
    """A table of the settings file: ``calls.decline``; ``""`` for what stands at the top of it."""

    name: str
    text: str
    settings: tuple[Setting, ...]


def setting_tables(cls: type = settings.Settings, path: tuple[str, ...] = ()) -> Iterator[Table]:
    """The table of a dataclass, then those of the dataclasses in it."""
    docs, hints = _field_docs(cls), typing.get_type_hints(cls)
    fields = [field for field in dataclasses.fields(cls) if not field.metadata.get("not_a_setting")]
    own = tuple(
        Setting(
            field.name,
            docs[field.name],
            _format_default(field.default),
            settings.PREFIX + "__".join((*path, field.name)).upper(),
        )
        for field in fields
        if not dataclasses.is_dataclass(hints[field.name])
    )
    yield Table(".".join(path), _without_name(inspect.getdoc(cls) or "") if path else "", own)
    for field in fields:
        if dataclasses.is_dataclass(hints[field.name]):
            yield from setting_tables(hints[field.name], (*path, field.name))


def _field_docs(cls: type) -> Mapping[str, str]:
    """The docstring under each field, which only the source has."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(cls)))
    body = typing.cast(ast.ClassDef, tree.body[0]).body
    docs = {}
    for statement, following in itertools.pairwise(body):
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            match following:
                case ast.Expr(value=ast.Constant(value=str(text))):
                    docs[statement.target.id] = _markdown(inspect.cleandoc(text))
    return docs


def _without_name(text: str) -> str:
    """Leave out the table's name, with which its docstring begins; the heading says it."""
    _, _, rest = text.partition(": ")
    return _markdown(rest[:1].upper() + rest[1:])


def _markdown(text: str) -> str:
    return text.replace("``", "`")


def _format_default(value: Any) -> str:
    match value:
        case None | "":
            return "none"
        case Enum():
            return f'`"{value.value}"`'
        case bool():
            return f"`{str(value).lower()}`"
        case str() | Path():
            return f'`"{value}"`'
        case _:
            return f"`{value:g}`"

"""Settings become docs/settings.md, metrics docs/metrics.md. Writes these files; with ``--check`` it only compares."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import itertools
import sys
import textwrap
import typing
from collections.abc import Iterator, Mapping
from enum import Enum
from pathlib import Path
from typing import Any

from sipbridge import settings
from sipbridge.core.metrics import DEFINITIONS

DOCS = Path(__file__).parent
HEADER = """# Settings

<!-- Made by docs/generate.py from controller/sipbridge/settings.py: change it there. -->

`sipbridge` reads `/etc/sipbridge/sipbridge.toml`, or the file that `--settings` or `SIPBRIDGE_SETTINGS` names. Every
setting can also be given in the environment, which goes before the file. Relative paths in the file begin at its
folder.
"""


METRICS_HEADER = """# Metrics

<!-- Made by docs/generate.py from controller/sipbridge/core/metrics.py: change it there. -->

What `/metrics` tells Prometheus, beside the `process_` and `python_` metrics of prometheus-client. Labels are names
from the providers file or from fixed lists, never what callers send. How to scrape it, and what to make of it, is in
[observability.md](observability.md).

| metric | kind | labels | |
| --- | --- | --- | --- |
"""


def metrics_reference() -> str:
    """The page of the metrics."""
    return METRICS_HEADER + "".join(
        f"| `{one.name}` | {one.kind.value} | {', '.join(f'`{label}`' for label in one.labels)} | {one.text} |\n"
        for one in DEFINITIONS
    )


def settings_reference() -> str:
    """The page of the settings."""
    return HEADER + "".join(_tables(settings.Settings, ()))


def _tables(cls: type, path: tuple[str, ...]) -> Iterator[str]:
    """The settings of a dataclass, then those of the dataclasses in it."""
    docs, hints = _field_docs(cls), typing.get_type_hints(cls)
    fields = [field for field in dataclasses.fields(cls) if not field.metadata.get("not_a_setting")]
    if path:
        yield f"\n## `[{'.'.join(path)}]`\n\n{_without_name(inspect.getdoc(cls) or '')}\n"
    for field in fields:
        if not dataclasses.is_dataclass(hints[field.name]):
            variable = settings.PREFIX + "__".join((*path, field.name)).upper()
            yield f"\n### `{field.name}`\n\n{docs[field.name]}\n\n"
            yield f"Default: {_format_default(field.default)}. In the environment: `{variable}`.\n"
    for field in fields:
        if dataclasses.is_dataclass(hints[field.name]):
            yield from _tables(hints[field.name], (*path, field.name))


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


if __name__ == "__main__":
    for name, text in {"settings.md": settings_reference(), "metrics.md": metrics_reference()}.items():
        if "--check" not in sys.argv:
            (DOCS / name).write_text(text, "utf-8")
        elif (DOCS / name).read_text("utf-8") != text:
            sys.exit(f"{name} is not what docs/generate.py makes: run `make docs`")

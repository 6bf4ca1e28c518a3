"""Writes docs/*.md and docs/man from settings, metrics, schema and manuals; with ``--check`` it only compares."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from gateway_life_page import gateway_life_page
from man_pages import man_pages
from providers_reference import providers_reference
from settings_reference import setting_tables

from sipbridge.core.observe.metrics import DEFINITIONS

DOCS = Path(__file__).parent
HEADER = """# Settings

<!-- Made by docs/generate.py from controller/sipbridge/settings/: change it there. -->

`sipbridge` reads its settings from `/etc/sipbridge/sipbridge.toml`, or from the file that `--settings` or
`SIPBRIDGE_SETTINGS` names. It reads them once, at the start. The file is TOML. Units are in the names of the settings:
`_s` is seconds.

Every setting can also be given in the environment; the environment overrides the file. Relative paths in the file begin
at the folder of the file.
"""


METRICS_HEADER = """# Metrics

<!-- Made by docs/generate.py from controller/sipbridge/core/observe/metrics.py: change it there. -->

These are the metrics that `/metrics` serves, in addition to the `process_` and `python_` metrics of prometheus-client.
Labels are names from the providers file or from fixed lists, never text from callers.
[Observability](observability.md) says how to scrape them and what to do about them.

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
    parts = [HEADER]
    for table in setting_tables():
        if table.name:
            parts.append(f"\n## `[{table.name}]`\n\n{table.text}\n")
        parts += [
            f"\n### `{one.name}`\n\n{one.text}\n\nDefault: {one.default}. In the environment: `{one.variable}`.\n"
            for one in table.settings
        ]
    return "".join(parts)


def configuration_page() -> str:
    """The page on providers files, with a new reference part from their schema."""
    page = (DOCS / "configuration.md").read_text("utf-8")
    before, begin, rest = page.partition(
        "<!-- Made by docs/generate.py from providers.schema.json: change it there. -->\n"
    )
    _, end, after = rest.partition("<!-- Made so far. -->")
    return f"{before}{begin}\n{providers_reference()}\n{end}{after}"


def pages() -> Mapping[Path, str]:
    """The text of every generated file."""
    return {
        DOCS / "settings.md": settings_reference(),
        DOCS / "metrics.md": metrics_reference(),
        DOCS / "configuration.md": configuration_page(),
        DOCS / "gateway-life.md": gateway_life_page(),
        **{DOCS / "man" / name: text for name, text in man_pages().items()},
    }


if __name__ == "__main__":
    made = pages()
    if "--check" in sys.argv:
        present = {file: file.read_text("utf-8") for file in [*made, *DOCS.glob("man/*")] if file.exists()}
        if stale := sorted(
            str(file.relative_to(DOCS)) for file in {*made, *present} if made.get(file) != present.get(file)
        ):
            sys.exit(f"not what docs/generate.py makes: {', '.join(stale)}; run `make docs`")
    else:
        (DOCS / "man").mkdir(exist_ok=True)
        for file in DOCS.glob("man/*"):
            file.unlink()
        for file, text in made.items():
            file.write_text(text, "utf-8")

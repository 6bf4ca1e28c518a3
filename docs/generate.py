"""Settings, metrics, schema and manuals become pages. Writes docs/*.md, docs/man; with ``--check`` it only compares."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from man_pages import man_pages
from providers_reference import providers_reference
from settings_reference import setting_tables

from sipbridge.core.observe.metrics import DEFINITIONS

DOCS = Path(__file__).parent
HEADER = """# Settings

<!-- Made by docs/generate.py from controller/sipbridge/settings/: change it there. -->

`sipbridge` reads `/etc/sipbridge/sipbridge.toml`, or the file that `--settings` or `SIPBRIDGE_SETTINGS` names. Every
setting can also be given in the environment, which goes before the file. Relative paths in the file begin at its
folder.
"""


METRICS_HEADER = """# Metrics

<!-- Made by docs/generate.py from controller/sipbridge/core/observe/metrics.py: change it there. -->

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
    """The page on providers files, with the part made anew that their schema says."""
    page = (DOCS / "configuration.md").read_text("utf-8")
    before, begin, rest = page.partition(
        "<!-- Made by docs/generate.py from providers.schema.json: change it there. -->\n"
    )
    _, end, after = rest.partition("<!-- Made so far. -->")
    return f"{before}{begin}\n{providers_reference()}\n{end}{after}"


def pages() -> Mapping[Path, str]:
    """Everything that is made here, by its file."""
    return {
        DOCS / "settings.md": settings_reference(),
        DOCS / "metrics.md": metrics_reference(),
        DOCS / "configuration.md": configuration_page(),
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

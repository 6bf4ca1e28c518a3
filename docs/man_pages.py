"""The manuals of the command line, and the docstrings of the settings, become man pages. Pure."""

from __future__ import annotations

import inspect
import re
import typing
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import version

import click
from settings_reference import setting_tables

from sipbridge.cli import cli
from sipbridge.cli.manual import DocumentedCommand, Manual, Pairs
from sipbridge.cli.manuals import SIPBRIDGE

_VERSION = version("sipbridge")


def man_pages() -> Mapping[str, str]:
    """All pages, by the names of their files: ``sipbridge-run.1``."""
    pages = {"sipbridge.1": _main_page(), "sipbridge.toml.5": _settings_page()}
    for name in cli.list_commands(click.Context(cli)):
        pages[f"sipbridge-{name}.1"] = _command_page(name)
    return pages


def _main_page() -> str:
    context = click.Context(cli, info_name="sipbridge", **cli.context_settings)
    names = cli.list_commands(context)
    commands = [(f"sipbridge {name}", f"{_command(name).manual.summary} See sipbridge-{name}(1).") for name in names]
    return _page(
        "sipbridge",
        1,
        SIPBRIDGE.summary,
        _synopsis(cli, context),
        _description(cli),
        _section("Commands", _list(commands)),
        _options(cli, context),
        _rest(SIPBRIDGE, [f"sipbridge-{name}(1)" for name in names]),
    )


def _command_page(name: str) -> str:
    command = _command(name)
    group = click.Context(cli, info_name="sipbridge", **cli.context_settings)
    context = click.Context(command, info_name=name, parent=group)
    manual = command.manual
    return _page(
        f"sipbridge-{name}",
        1,
        manual.summary.rstrip("."),
        _synopsis(command, context),
        _description(command),
        _options(command, context),
        _rest(manual, ["sipbridge(1)"]),
    )


def _settings_page() -> str:
    parts: list[Iterable[str]] = [
        _section("Description", _text(_SETTINGS)),
        _section("Example", _example(_SETTINGS_EXAMPLE)),
    ]
    for table in setting_tables():
        heading = f"[{table.name}]" if table.name else "At the top"
        settings = [
            (one.name, f"{one.text} Default: {one.default}. In the environment: `{one.variable}`.")
            for one in table.settings
        ]
        parts.append(_section(heading, [*_text(table.text), *_list(settings)]))
    parts.append(_section("See also", _text("sipbridge(1), sipbridge-doctor(1)")))
    return _page("sipbridge.toml", 5, "settings of sipbridge", *parts)


_SETTINGS = """
`sipbridge` reads its settings from `/etc/sipbridge/sipbridge.toml`, or from the file that `--settings` or
`SIPBRIDGE_SETTINGS` names. It reads them once, at the start. The file is TOML. Units are in the names of the settings:
`_s` is seconds. Every setting can also be given in the environment; the environment overrides the file. Relative paths
in the file begin at the folder of the file.
"""
_SETTINGS_EXAMPLE = """providers_file = "providers.json"

[event_socket]
password_file = "/etc/sipbridge/event_socket.password"
"""


def _command(name: str) -> DocumentedCommand:
    return typing.cast(DocumentedCommand, cli.get_command(click.Context(cli), name))


# Parts of a page, as lines of roff.


def _page(name: str, section: int, summary: str, *parts: Iterable[str]) -> str:
    lines = [
        '.\\" Made by docs/generate.py.',
        f'.TH {_escape(name.upper())} {section} "" "sipbridge {_escape(_VERSION)}" "sipbridge"',
        *_section("Name", [f"{_escape(name)} \\- {_inline(summary)}"]),
        *(line for part in parts for line in part),
    ]
    return "\n".join(lines) + "\n"


def _section(heading: str, lines: Iterable[str]) -> Iterator[str]:
    # What is a table of the settings file stays as it is written there.
    yield f".SH {_escape(heading if heading.startswith('[') else heading.upper())}"
    yield from lines


def _synopsis(command: click.Command, context: click.Context) -> Iterator[str]:
    pieces = " ".join(command.collect_usage_pieces(context))
    return _section("Synopsis", [f".B {_escape(context.command_path)}", _inline(pieces)])


def _description(command: click.Command) -> Iterator[str]:
    return _section("Description", _text(command.help or ""))


def _options(command: click.Command, context: click.Context) -> Iterator[str]:
    records = [parameter.get_help_record(context) for parameter in command.get_params(context)]
    return _section("Options", _list([record for record in records if record is not None]))


def _rest(manual: Manual, more_pages: Iterable[str]) -> Iterator[str]:
    yield from _section("Examples", _examples(manual))
    for heading, pairs in manual.lists.items():
        yield from _section(heading, _list(pairs))
    yield from _section("See also", _text(", ".join(dict.fromkeys([*manual.see_also, *more_pages]))))


def _examples(manual: Manual) -> Iterator[str]:
    for number, (what_for, command) in enumerate(manual.examples):
        if number:
            yield ".PP"
        yield f"{_inline(what_for)}:"
        yield ".PP"
        yield from _example(f"$ {command}\n")


def _text(text: str) -> Iterator[str]:
    """Paragraphs, with blank lines between them."""
    for number, paragraph in enumerate(re.split(r"\n\s*\n", inspect.cleandoc(text))):
        if number:
            yield ".PP"
        yield _inline(" ".join(paragraph.split()))


def _list(pairs: Iterable[tuple[str, str]] | Pairs) -> Iterator[str]:
    for term, text in pairs:
        yield ".TP"
        yield f"\\fB{_escape(term)}\\fR"
        yield _inline(" ".join(text.split()))


def _example(text: str) -> Iterator[str]:
    yield ".nf"
    yield ".RS 4"
    yield from (_guard(_escape(line)) for line in text.splitlines())
    yield ".RE"
    yield ".fi"


def _inline(text: str) -> str:
    """A line of text, in which what stands between backticks is bold."""
    return _guard(re.sub(r"`([^`]+)`", r"\\fB\1\\fR", _escape(text)))


def _escape(text: str) -> str:
    return text.replace("\\", "\\e").replace("-", "\\-")


def _guard(line: str) -> str:
    """A line that begins with a control character of roff is no text."""
    return f"\\&{line}" if line.startswith((".", "'")) else line

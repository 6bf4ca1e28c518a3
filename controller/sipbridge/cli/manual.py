"""Appends examples, exit statuses, files and environment to ``--help``; the man pages use the same texts.

The texts are in `sipbridge.cli.manuals`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import click

Pairs = tuple[tuple[str, str], ...]

_SETTINGS_FILE = "/etc/sipbridge/sipbridge.toml"

SETTINGS_FILES: Pairs = ((_SETTINGS_FILE, "The settings, see sipbridge.toml(5)."),)
SETTINGS_ENVIRONMENT: Pairs = (
    ("SIPBRIDGE_SETTINGS", "The settings file, unless --settings names one."),
    (
        "SIPBRIDGE_*",
        "Any setting; overrides the file. Example: SIPBRIDGE_EVENT_SOCKET__PORT is port in [event_socket].",
    ),
)
EXIT_STATUSES: Pairs = (
    ("0", "Success."),
    ("1", "Failure. Standard error says why, and what to do."),
    ("2", "Invalid command line."),
)


@dataclass(frozen=True, slots=True)
class Manual:
    """The manual of a command.

    Attributes:
        summary: its line in the list of commands.
        examples: pairs of a purpose and a command.
        exit_statuses: pairs of a status and its meaning.
        files: pairs of a path and its purpose.
        environment: pairs of a variable and its effect.
        see_also: related man pages, such as ``sipbridge-check(1)``.
    """

    summary: str
    examples: Pairs
    exit_statuses: Pairs = EXIT_STATUSES
    files: Pairs = SETTINGS_FILES
    environment: Pairs = SETTINGS_ENVIRONMENT
    see_also: Sequence[str] = ()

    @property
    def lists(self) -> Mapping[str, Pairs]:
        """The sections that are lists of pairs, by heading; empty ones are left out."""
        sections = {"Exit status": self.exit_statuses, "Files": self.files, "Environment": self.environment}
        return {heading: pairs for heading, pairs in sections.items() if pairs}


class DocumentedCommand(click.Command):
    """A command that has a manual."""

    manual: Manual

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the sections that follow the options."""
        write_manual(self.manual, formatter)


def documented(command: click.Command, manual: Manual) -> DocumentedCommand:
    """Return a copy of the command with a manual attached."""
    made = DocumentedCommand(
        name=command.name,
        context_settings=command.context_settings,
        callback=command.callback,
        params=command.params,
        help=command.help,
        short_help=manual.summary,
    )
    made.manual = manual
    return made


def write_manual(manual: Manual, formatter: click.HelpFormatter) -> None:
    """Write the sections of a manual."""
    with formatter.section("Examples"):
        for number, (what_for, command) in enumerate(manual.examples):
            if number:
                formatter.write_paragraph()
            formatter.write_text(what_for)
            with formatter.indentation():
                # Not wrapped, so that it can be copied.
                formatter.write(f"{'':>{formatter.current_indent}}$ {command}\n")
    for heading, pairs in manual.lists.items():
        with formatter.section(heading):
            formatter.write_dl(pairs, col_max=34)

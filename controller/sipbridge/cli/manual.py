"""What a manual says of a command beside its description becomes the end of ``--help``; man pages are made of the same.

`sipbridge.cli.manuals` has the texts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import click

Pairs = tuple[tuple[str, str], ...]

_SETTINGS_FILE = "/etc/sipbridge/sipbridge.toml"

SETTINGS_FILES: Pairs = ((_SETTINGS_FILE, "The settings, see sipbridge.toml(5)."),)
SETTINGS_ENVIRONMENT: Pairs = (
    ("SIPBRIDGE_SETTINGS", "The settings file, where --settings does not name one."),
    (
        "SIPBRIDGE_*",
        "Any setting, before the one in the file: SIPBRIDGE_EVENT_SOCKET__PORT is port in [event_socket].",
    ),
)
EXIT_STATUSES: Pairs = (
    ("0", "It is done."),
    ("1", "It could not be done. Standard error says why, and what to do."),
    ("2", "The command line is wrong."),
)


@dataclass(frozen=True, slots=True)
class Manual:
    """What is to be known of a command.

    Attributes:
        summary: what it is for, in a line of the list of commands.
        examples: what for, and the command.
        exit_statuses: a status, and what it means.
        files: a path, and what it is.
        environment: a variable, and what it does.
        see_also: other pages: ``sipbridge-check(1)``.
    """

    summary: str
    examples: Pairs
    exit_statuses: Pairs = EXIT_STATUSES
    files: Pairs = SETTINGS_FILES
    environment: Pairs = SETTINGS_ENVIRONMENT
    see_also: Sequence[str] = ()

    @property
    def lists(self) -> Mapping[str, Pairs]:
        """What has the form of a list, by its heading."""
        all_of_them = {"Exit status": self.exit_statuses, "Files": self.files, "Environment": self.environment}
        return {heading: pairs for heading, pairs in all_of_them.items() if pairs}


class DocumentedCommand(click.Command):
    """A command with its manual."""

    manual: Manual

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write what comes after the options."""
        write_manual(self.manual, formatter)


def documented(command: click.Command, manual: Manual) -> DocumentedCommand:
    """The command with a manual."""
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
                # Not wrapped: it is to be copied.
                formatter.write(f"{'':>{formatter.current_indent}}$ {command}\n")
    for heading, pairs in manual.lists.items():
        with formatter.section(heading):
            formatter.write_dl(pairs, col_max=34)

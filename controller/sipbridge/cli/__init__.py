"""The command line: parses arguments, prints results, and turns each failure into one message and exit code 1.

There is one module per command or group of related commands. A module is imported only when its command is used:
importing all of them takes a second, too slow for tab completion.
"""

from __future__ import annotations

import difflib
import importlib
from typing import cast

import click
from click.shell_completion import CompletionItem
from gevent.hub import Hub

from sipbridge.cli.manual import documented, write_manual
from sipbridge.cli.manuals import MANUALS, SIPBRIDGE

_MODULES = {
    "check": "check",
    "explain": "explain",
    "run": "run",
    "doctor": "doctor",
    "status": "status",
    "calls": "calls",
    "info": "operate",
    "reload": "operate",
    "drain": "operate",
    "demo": "demo",
    "completion": "completion",
}
"""The module in this package that defines each command, under the command's own name."""


class _Commands(click.Group):
    """The commands, each imported on first use."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """List the command names, in the order an operator meets them."""
        return list(_MODULES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command and attach its manual; None for an unknown name."""
        if cmd_name not in _MODULES:
            return None
        module = importlib.import_module(f"sipbridge.cli.{_MODULES[cmd_name]}")
        return documented(cast(click.Command, getattr(module, cmd_name)), MANUALS[cmd_name])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, or suggest the closest name."""
        if args[0] not in _MODULES and not ctx.resilient_parsing:
            nearest = difflib.get_close_matches(args[0], _MODULES, n=1)
            if nearest:
                ctx.fail(f"No such command '{args[0]}': did you mean '{nearest[0]}'?")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, MANUALS[name].summary) for name in _MODULES])

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the sections that follow the list of commands."""
        write_manual(SIPBRIDGE, formatter)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete a command name or an option, without importing any command."""
        names = [name for name in _MODULES if name.startswith(incomplete)]
        options = click.Command.shell_complete(self, ctx, incomplete)
        return [CompletionItem(name, help=MANUALS[name].summary) for name in names] + options


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="sipbridge")
def cli() -> None:
    """Bridge SIP calls to other domains and providers, through accounts there, with FreeSWITCH for SIP and media.

    Reads the providers file of a Flexisip B2BUA. See `sipbridge COMMAND --help` for the details of a command.
    """


def main() -> None:
    """Run the command line."""
    # Some commands are ended with Ctrl-C; gevent would print a traceback for it.
    Hub.NOT_ERROR = (*Hub.NOT_ERROR, KeyboardInterrupt)
    cli(prog_name="sipbridge")

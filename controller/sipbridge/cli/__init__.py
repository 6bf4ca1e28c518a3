"""The command line: arguments become calls, results become text, problems become one message and exit code 1.

One module a command, or a few that belong together; it is imported when the command is used, because all of them take
a second, which nobody waits for who presses the tab key.
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
"""Where each command is: a module here, in which it has its name."""


class _Commands(click.Group):
    """The commands, each imported when it is needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Their names, in the order of a day's work."""
        return list(_MODULES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """A command with its manual."""
        if cmd_name not in _MODULES:
            return None
        module = importlib.import_module(f"sipbridge.cli.{_MODULES[cmd_name]}")
        return documented(cast(click.Command, getattr(module, cmd_name)), MANUALS[cmd_name])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, or tell the one that was meant."""
        if args[0] not in _MODULES and not ctx.resilient_parsing:
            nearest = difflib.get_close_matches(args[0], _MODULES, n=1)
            if nearest:
                ctx.fail(f"No such command '{args[0]}': did you mean '{nearest[0]}'?")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List them, without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, MANUALS[name].summary) for name in _MODULES])

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write what comes after the commands."""
        write_manual(SIPBRIDGE, formatter)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete the name of a command, without importing any, or an option."""
        names = [name for name in _MODULES if name.startswith(incomplete)]
        options = click.Command.shell_complete(self, ctx, incomplete)
        return [CompletionItem(name, help=MANUALS[name].summary) for name in names] + options


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="sipbridge")
def cli() -> None:
    """Bridge SIP calls to other domains and providers, through accounts there, with FreeSWITCH for SIP and media.

    Reads the providers file of a Flexisip B2BUA. `sipbridge COMMAND --help` tells all about a command.
    """


def main() -> None:
    """Run the command line."""
    # Ctrl-C is how some commands end; gevent would print a traceback of it.
    Hub.NOT_ERROR = (*Hub.NOT_ERROR, KeyboardInterrupt)
    cli(prog_name="sipbridge")

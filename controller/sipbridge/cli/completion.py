"""``sipbridge completion``: prints the script that makes a shell complete sipbridge commands."""

from __future__ import annotations

import click
from click.shell_completion import BashComplete, FishComplete, ShellComplete, ZshComplete

_SHELLS: dict[str, type[ShellComplete]] = {"bash": BashComplete, "zsh": ZshComplete, "fish": FishComplete}

COMPLETE_VARIABLE = "_SIPBRIDGE_COMPLETE"
"""The variable that the shell sets to request completions; click derives its name from ``sipbridge``."""


@click.command()
@click.argument("shell", type=click.Choice(list(_SHELLS)))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the script that makes SHELL complete the commands, options and arguments of sipbridge.

    The Debian package installs it for bash, zsh and fish.
    """
    script = _SHELLS[shell](ctx.find_root().command, {}, "sipbridge", COMPLETE_VARIABLE)
    # Not `source()`: that runs the local bash to check its version, but the script may be for another machine.
    click.echo(script.source_template % script.source_vars())

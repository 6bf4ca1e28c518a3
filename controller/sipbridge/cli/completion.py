"""``sipbridge completion``: what makes a shell ask us for the rest of a command line."""

from __future__ import annotations

import click
from click.shell_completion import BashComplete, FishComplete, ShellComplete, ZshComplete

_SHELLS: dict[str, type[ShellComplete]] = {"bash": BashComplete, "zsh": ZshComplete, "fish": FishComplete}

COMPLETE_VARIABLE = "_SIPBRIDGE_COMPLETE"
"""Set by the shell when it asks; click's name for a program ``sipbridge``."""


@click.command()
@click.argument("shell", type=click.Choice(list(_SHELLS)))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print what makes SHELL complete the commands, options and arguments of sipbridge.

    The Debian package brings it for bash, zsh and fish.
    """
    script = _SHELLS[shell](ctx.find_root().command, {}, "sipbridge", COMPLETE_VARIABLE)
    # Not `source()`, which asks a bash for its version first, wherever this is going to be used.
    click.echo(script.source_template % script.source_vars())

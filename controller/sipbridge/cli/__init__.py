"""The command line: arguments become calls, results become text, problems become one message and exit code 1.

One module a command, or a few that belong together.
"""

from __future__ import annotations

import click

from sipbridge.cli.check import check
from sipbridge.cli.demo import demo
from sipbridge.cli.doctor import doctor
from sipbridge.cli.explain import explain
from sipbridge.cli.operate import drain, info, reload
from sipbridge.cli.run import run
from sipbridge.cli.status import status


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="sipbridge")
def cli() -> None:
    """Bridge SIP calls to other domains and providers, on FreeSWITCH."""


for command in (run, check, explain, info, status, reload, drain, doctor, demo):
    cli.add_command(command)


def main() -> None:
    """Run the command line."""
    cli(prog_name="sipbridge")

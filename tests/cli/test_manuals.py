"""Every command has a manual whose examples work; shell completion is fast."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from sipbridge.cli import cli
from sipbridge.cli.manuals import MANUALS, SIPBRIDGE

COMMANDS = cli.list_commands(click.Context(cli))
EXAMPLES = [command for manual in (SIPBRIDGE, *MANUALS.values()) for _, command in manual.examples]
HEADINGS = ("Options:", "Examples:", "Exit status:")


def test_every_command_has_a_manual_and_every_manual_a_command() -> None:
    assert sorted(COMMANDS) == sorted(MANUALS)


@pytest.mark.parametrize("name", COMMANDS)
def test_help_is_complete(name: str) -> None:
    told = CliRunner().invoke(cli, [name, "--help"], prog_name="sipbridge", terminal_width=80)
    assert told.exit_code == 0
    for heading in HEADINGS:
        assert f"\n{heading}\n" in told.output
    for what_for, example in MANUALS[name].examples:
        assert what_for in told.output
        assert f"    $ {example}\n" in told.output
    # What cannot be wrapped, which is examples, may be longer.
    too_long = [line for line in told.output.splitlines() if len(line) > 80 and not line.startswith("    $ ")]
    assert too_long == []


def test_the_list_of_commands_tells_what_each_is_for() -> None:
    told = CliRunner().invoke(cli, ["-h"], prog_name="sipbridge", terminal_width=80)
    for name in COMMANDS:
        assert re.search(rf"^  {name} +{re.escape(MANUALS[name].summary)}$", told.output, re.MULTILINE)


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_is_a_command_line_that_is_understood(example: str) -> None:
    words = shlex.split(re.split(r" [|>] ", example)[0])
    if words[0] != "sipbridge":
        assert words[0] == "systemctl"
        return
    context = click.Context(cli, info_name="sipbridge")
    name, command, rest = cli.resolve_command(context, words[1:])
    assert name in COMMANDS
    assert command is not None
    command.make_context(name, rest, parent=context)


def test_an_unknown_command_is_refused() -> None:
    told = CliRunner().invoke(cli, ["dcotor"], prog_name="sipbridge")
    assert told.exit_code == 2
    assert "No such command 'dcotor': did you mean 'doctor'?" in told.output
    assert "No such command 'xyz'." in CliRunner().invoke(cli, ["xyz"], prog_name="sipbridge").output


def complete(*words: str) -> list[str]:
    """What bash is told when the tab key is pressed after these words."""
    variables = {
        "COMP_WORDS": shlex.join(["sipbridge", *words]),
        "COMP_CWORD": str(len(words)),
        "_SIPBRIDGE_COMPLETE": "bash_complete",
    }
    run = subprocess.run(
        [Path(sys.executable).with_name("sipbridge")],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=True,
    )
    return [line.partition(",")[2] for line in run.stdout.splitlines()]


def test_commands_are_completed() -> None:
    assert complete("d") == ["doctor", "drain", "demo"]


def test_options_are_completed() -> None:
    assert {"--connect", "--json", "--settings", "--help"} <= set(complete("doctor", "--"))


def test_to_complete_a_command_none_is_imported() -> None:
    code = (
        "import sys; from sipbridge.cli import cli; print(sorted(name for name in sys.modules if 'sipbridge' in name))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "sipbridge.cli.manuals" in run.stdout
    assert "sipbridge.config" not in run.stdout


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_for_a_shell_is_one(shell: str, tmp_path: Path) -> None:
    told = CliRunner().invoke(cli, ["completion", shell], prog_name="sipbridge")
    assert told.exit_code == 0
    assert f"_SIPBRIDGE_COMPLETE={shell}_complete" in told.output
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"no {shell} to try it with")
    (tmp_path / "script").write_text(told.output)
    subprocess.run([program, "-n", str(tmp_path / "script")], check=True, capture_output=True)

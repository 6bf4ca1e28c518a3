"""``sipbridge doctor``: prints findings as a checklist or as JSON."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import click
from rich.console import Console
from rich.text import Text

from sipbridge.cli.common import print_json, settings_from, settings_option, settings_path
from sipbridge.doctor import Finding, Section, Verdict, examine
from sipbridge.viewer.words import printable

_SIGNS = {
    Verdict.PASS: Text("✓", "green"),
    Verdict.WARN: Text("!", "bold yellow"),
    Verdict.FAIL: Text("✗", "bold red"),
    Verdict.SKIP: Text("-", "dim"),
}
_STYLES = {Verdict.PASS: "", Verdict.WARN: "yellow", Verdict.FAIL: "red", Verdict.SKIP: "dim"}
_COUNTED = {Verdict.PASS: "passed", Verdict.WARN: "warnings", Verdict.FAIL: "failed", Verdict.SKIP: "not checked"}


@click.command()
@click.option("--connect", is_flag=True, help="Read the databases too, and check the proxies in them.")
@click.option("-q", "--quiet", is_flag=True, help="Leave out the checks that passed.")
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
@settings_option
def doctor(connect: bool, quiet: bool, as_json: bool, settings_file: Path | None) -> None:
    """Find what keeps the bridge from working, and say how to fix it.

    Checks FreeSWITCH (Event Socket, version, modules, dialplan, profiles), the spool, the path to every proxy and
    registrar (name, route, source address), databases and Redis, permissions of secrets, clock and limits. Changes
    nothing. Run it as root: other users cannot check everything.
    """
    settings = settings_from(settings_file)
    findings = list(examine(settings, settings_path(settings_file), connect=connect))
    if as_json:
        told = [_as_json(found) for found in findings if not (quiet and found.verdict is Verdict.PASS)]
        print_json(told)
    else:
        _print(findings, quiet=quiet)
    if any(found.verdict is Verdict.FAIL for found in findings):
        sys.exit(1)


def _as_json(found: Finding) -> dict[str, str]:
    return {
        "id": found.id,
        "section": found.section.value,
        "verdict": found.verdict.value,
        "text": found.text,
        "advice": found.advice,
    }


def _print(findings: Sequence[Finding], *, quiet: bool) -> None:
    console = Console(highlight=False)
    for section in Section:
        here = [one for one in findings if one.section is section and not (quiet and one.verdict is Verdict.PASS)]
        if not here:
            continue
        console.print(Text(section.value, "bold"))
        for found in here:
            _print_indented(
                console, Text("  ").append_text(_SIGNS[found.verdict]), Text(found.text, _STYLES[found.verdict])
            )
            if found.advice:
                _print_indented(console, Text("    →"), Text(found.advice))
        console.print()
    console.print(_summary(findings))


def _print_indented(console: Console, first: Text, text: Text) -> None:
    """Print a text with a hanging indent; in a pipe it stays on one line, so that grep finds it."""
    indent = len(first) + 1
    # The text quotes name servers and databases, so it may hold control characters.
    text.plain = printable(text.plain)
    lines = text.wrap(console, console.width - indent) if console.is_terminal else [text]
    for number, line in enumerate(lines):
        line.rstrip()
        begin = Text.assemble(first, " ") if number == 0 else Text(" " * indent)
        console.print(begin.append_text(line), soft_wrap=True)


def _summary(findings: Sequence[Finding]) -> Text:
    counts = Counter(found.verdict for found in findings)
    parts = [
        Text(f"{counts[verdict]} {words}", _STYLES[verdict]) for verdict, words in _COUNTED.items() if counts[verdict]
    ]
    return Text(", ").join(parts)

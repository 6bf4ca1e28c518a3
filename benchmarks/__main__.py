"""``python -m benchmarks [NAME...]``: run benchmarks and print what they find. Starts processes, all on loopback."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from typing import NoReturn

import click
from rich.console import Console

from benchmarks import accounts, calls, edge, events, gateways, observation, routing, viewer
from benchmarks.figures import Report

_BENCHMARKS: dict[str, Callable[[bool], Report]] = {
    "routing": routing.measure,
    "events": events.measure,
    "calls": calls.measure,
    "accounts": accounts.measure,
    "gateways": gateways.measure,
    "edge": edge.measure,
    "observation": observation.measure,
    "viewer": viewer.measure,
}


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("names", nargs=-1, type=click.Choice(tuple(_BENCHMARKS)))
@click.option("--quick", is_flag=True, help="Fewer and shorter rounds: five minutes instead of fifteen.")
def main(names: tuple[str, ...], quick: bool) -> None:
    """Measure all of these, or those named: what the bridge costs and how far it goes, or what looks at it costs.

    The machine should have nothing else to do meanwhile.
    """
    # So that a `kill` also ends what was started.
    signal.signal(signal.SIGTERM, _exit)
    console = Console()
    for name in names or _BENCHMARKS:
        with console.status(f"measuring {name} …"):
            report = _BENCHMARKS[name](quick)
        report.print(console)


def _exit(number: int, _frame: object) -> NoReturn:
    sys.exit(128 + number)


if __name__ == "__main__":
    main(prog_name="benchmarks")

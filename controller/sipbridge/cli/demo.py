"""``sipbridge demo``: calls through a simulated FreeSWITCH."""

from __future__ import annotations

import logging
import sys

import click

from sipbridge.demo import run_demo


@click.command()
@click.option("--calls", default=200, show_default=True, type=click.IntRange(1, 100_000), help="How many calls.")
@click.option("--rate", default=50.0, show_default=True, type=click.FloatRange(0.1, 2_000), help="Calls per second.")
def demo(calls: int, rate: float) -> None:
    """Carry calls through a simulated FreeSWITCH, and show what became of them."""
    # What goes wrong on purpose is a warning, and shown in the tables.
    logging.basicConfig(level=logging.ERROR, stream=sys.stderr)
    sys.exit(0 if run_demo(calls, rate) else 1)

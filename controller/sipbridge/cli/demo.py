"""``sipbridge demo``: places calls through a simulated FreeSWITCH."""

from __future__ import annotations

import logging
import sys

import click

from sipbridge.demo import run_demo


@click.command()
@click.option("--calls", default=200, show_default=True, type=click.IntRange(1, 100_000), help="Number of calls.")
@click.option("--rate", default=50.0, show_default=True, type=click.FloatRange(0.1, 2_000), help="Calls per second.")
def demo(calls: int, rate: float) -> None:
    """Place calls through a simulated FreeSWITCH, and show the outcome of each."""
    # Some calls fail on purpose; the daemon logs those as warnings, and the tables show them.
    logging.basicConfig(level=logging.ERROR, stream=sys.stderr)
    sys.exit(0 if run_demo(calls, rate) else 1)

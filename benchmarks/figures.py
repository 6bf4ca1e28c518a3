"""What was measured becomes a table: figure, aim, result, met or not. Prints."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of a table.

    Attributes:
        aim: what is aimed at, in words; ``""`` for a figure that is there to be read beside another.
        is_met: whether the aim is met; None where there is none.
    """

    name: str
    result: str
    aim: str = ""
    is_met: bool | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """What one benchmark found.

    Attributes:
        conditions: what has to be known to read the figures.
    """

    title: str
    figures: Sequence[Figure]
    conditions: str

    def print(self, console: Console) -> None:
        """Print it as a table, no wider than the console."""
        if not self.figures:
            console.print(Text(self.title, style="bold"))
            console.print(Text(self.conditions))
            return
        table = Table(box=box.SIMPLE_HEAD, title=Text(self.title, style="bold"), title_justify="left", expand=True)
        table.add_column("figure", ratio=6)
        table.add_column("aim", ratio=3, justify="right")
        table.add_column("result", ratio=5, justify="right")
        table.add_column("met", width=3)
        for figure in self.figures:
            table.add_row(figure.name, figure.aim, figure.result, _verdict(figure.is_met))
        console.print(table)
        console.print(Text(self.conditions, style="dim"))
        console.print()


def not_measured(title: str, *programs: str) -> Report | None:
    """A report that says what is missing, where one of the programs is not on the PATH."""
    missing = [program for program in programs if shutil.which(program) is None]
    return Report(title, (), f"Not measured: no {' and no '.join(missing)} on the PATH.") if missing else None


def at_least(name: str, value: float, aim: float, form: str, result: str = "") -> Figure:
    """A figure that should not be below its aim.

    Args:
        form: how both are written: ``{:.1f} ms``.
        result: what to show instead of the value alone.
    """
    return Figure(name, result or form.format(value), f"≥ {form.format(aim)}", value >= aim)


def at_most(name: str, value: float, aim: float, form: str, result: str = "") -> Figure:
    """A figure that should not be above its aim."""
    return Figure(name, result or form.format(value), f"≤ {form.format(aim)}", value <= aim)


def _verdict(is_met: bool | None) -> Text:
    if is_met is None:
        return Text("")
    return Text("yes", style="green") if is_met else Text("no", style="bold red")

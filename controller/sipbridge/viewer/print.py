"""What is to be seen is printed once: for the terminal that there is, or plain without one. I/O: standard output."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from rich.console import Console
from rich.text import Text

from sipbridge.core.observe.snapshot import AccountQuery, Snapshot
from sipbridge.viewer.screen import Size, screen
from sipbridge.viewer.tables import account_section

_UNLIMITED = 100_000
"""Cells; a pipe has no width, and what reads it wants whole words."""


def print_snapshot(snapshot: Snapshot, query: AccountQuery) -> None:
    """Print all of it, as wide as the terminal, or as it takes."""
    lines, _ = screen(snapshot, query, Size(width=terminal_width()))
    print_lines(lines)


def print_account(snapshot: Snapshot) -> None:
    """Print the one account of a snapshot."""
    (account,) = snapshot.accounts.rows
    providers = [provider.name for provider in snapshot.providers if provider.pool == account.pool]
    print_lines(account_section(account, providers, terminal_width()).lines)


def terminal_width() -> int | None:
    """Cells of a line; None where there is no terminal."""
    console = Console()
    return console.width if console.is_terminal else None


def print_lines(lines: Iterable[Text]) -> None:
    """Print lines as they are; a character that the terminal does not have becomes a question mark."""
    console = _console()
    for line in lines:
        line.rstrip()
        console.print(line, no_wrap=True, overflow="ellipsis", crop=False, highlight=False)


def print_folded(lines: Iterable[Text]) -> None:
    """Print lines; the terminal folds those that are too long for it."""
    console = _console()
    for line in lines:
        console.print(line, soft_wrap=True, highlight=False)


def _console() -> Console:
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")
    return Console(width=terminal_width() or _UNLIMITED)

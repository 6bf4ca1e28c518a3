"""Prints a screen once, styled on a terminal and plain elsewhere. I/O: standard output."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from rich.console import Console
from rich.text import Text

from sipbridge.core.observe.snapshot import AccountQuery, Snapshot
from sipbridge.viewer.screen import Size, screen
from sipbridge.viewer.tables import account_section

_UNLIMITED = 100_000
"""Width in cells for a pipe, so that nothing is cut."""


def print_snapshot(snapshot: Snapshot, query: AccountQuery) -> None:
    """Print a whole snapshot, at the terminal's width; in a pipe, as wide as needed."""
    lines, _ = screen(snapshot, query, Size(width=terminal_width()))
    print_lines(lines)


def print_account(snapshot: Snapshot) -> None:
    """Print a snapshot's only account."""
    (account,) = snapshot.accounts.rows
    providers = [provider.name for provider in snapshot.providers if provider.pool == account.pool]
    print_lines(account_section(account, providers, terminal_width()).lines)


def terminal_width() -> int | None:
    """Return the terminal's width in cells; None without a terminal."""
    console = Console()
    return console.width if console.is_terminal else None


def print_lines(lines: Iterable[Text]) -> None:
    """Print lines without wrapping; a character that the terminal cannot encode becomes a question mark."""
    console = _console()
    for line in lines:
        line.rstrip()
        console.print(line, no_wrap=True, overflow="ellipsis", crop=False, highlight=False)


def print_folded(lines: Iterable[Text]) -> None:
    """Print lines; the terminal wraps long ones."""
    console = _console()
    for line in lines:
        console.print(line, soft_wrap=True, highlight=False)


def _console() -> Console:
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")
    return Console(width=terminal_width() or _UNLIMITED)

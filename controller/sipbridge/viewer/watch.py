"""Refreshes the screen and handles keys until the operator quits. I/O: the terminal.

The load is bounded on both sides: each pause is at least fifty times as long as the daemon took to answer or the
screen took to draw, whichever is longer.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from sipbridge.core.errors import SipBridgeError
from sipbridge.core.observe.snapshot import AccountOrder, AccountQuery, Snapshot
from sipbridge.viewer.keys import Key, Keyboard, keyboard
from sipbridge.viewer.screen import Size, screen
from sipbridge.viewer.section import BAD, DIM
from sipbridge.viewer.words import duration, printable

Fetch = Callable[[AccountQuery], Snapshot]

_PAUSE_FACTOR = 50.0
"""At most 2 % load."""
_ORDERS = tuple(AccountOrder)
_HELP = "q quit  / filter  s sort  f failed only  n next page  p previous page"


@dataclass(frozen=True, slots=True)
class View:
    """What the operator wants to see.

    Attributes:
        typing: the filter being typed; None when none is being typed.
        is_over: whether the operator has quit.
    """

    query: AccountQuery
    typing: str | None = None
    is_over: bool = False


def next_view(view: View, key: Key | str, shown: int, matching: int) -> View:
    """Return the view after a key.

    Args:
        shown: the number of accounts on the screen.
        matching: the number of accounts that match the query.
    """
    if view.typing is not None:
        return _type(view, view.typing, key)
    query = view.query
    match key:
        case "q" | "Q":
            return replace(view, is_over=True)
        case "/":
            return replace(view, typing=query.match)
        case Key.ESCAPE:
            return replace(view, query=replace(query, match="", only_failed=False, offset=0))
        case "s":
            order = _ORDERS[(_ORDERS.index(query.order) + 1) % len(_ORDERS)]
            return replace(view, query=replace(query, order=order, offset=0))
        case "f":
            return replace(view, query=replace(query, only_failed=not query.only_failed, offset=0))
        case "n" | " " | Key.PAGE_DOWN | Key.DOWN:
            step = 1 if key is Key.DOWN else max(1, shown)
            offset = query.offset + step
            return replace(view, query=replace(query, offset=offset)) if offset < matching else view
        case "p" | Key.PAGE_UP | Key.UP:
            step = 1 if key is Key.UP else max(1, shown)
            return replace(view, query=replace(query, offset=max(0, query.offset - step)))
        case "g" | Key.HOME:
            return replace(view, query=replace(query, offset=0))
        case _:
            return view


def _type(view: View, typing: str, key: Key | str) -> View:
    match key:
        case Key.ENTER:
            return replace(view, typing=None, query=replace(view.query, match=typing.strip(), offset=0))
        case Key.ESCAPE:
            return replace(view, typing=None)
        case Key.BACKSPACE:
            return replace(view, typing=typing[:-1])
        case str():
            return replace(view, typing=typing + key)
        case _:
            return view


class Watch:
    """The live screen of ``sipbridge status --watch``.

    Args:
        fetch: queries the daemon; raises `SipBridgeError` when it does not answer.
        first: the daemon's first answer.
        interval_s: minimum pause between two refreshes.
    """

    def __init__(self, console: Console, fetch: Fetch, query: AccountQuery, first: Snapshot, interval_s: float) -> None:
        self._console = console
        self._fetch = fetch
        self._view = View(query)
        self._interval_s = interval_s
        self._snapshot = first
        self._seen_at = time.monotonic()
        self._trouble = ""
        self._shown = 0

    def run(self) -> None:
        """Run until the operator types q or Ctrl-C, or the terminal closes."""
        with (
            keyboard() as keys,
            Live(console=self._console, screen=True, auto_refresh=False, vertical_overflow="crop") as live,
        ):
            try:
                while not self._view.is_over:
                    self._follow(keys, live)
            except (KeyboardInterrupt, EOFError):
                return

    def _follow(self, keys: Keyboard, live: Live) -> None:
        """Draw the screen, wait for a key or the next refresh, then fetch."""
        began = time.monotonic()
        live.update(Group(*self._lines()), refresh=True)
        took_s = time.monotonic() - began
        pause_s = max(self._interval_s, _PAUSE_FACTOR * max(took_s, self._snapshot.accounts.took_s))
        typed = keys.read(pause_s)
        before = self._view.query
        for key in typed:
            self._view = next_view(self._view, key, self._shown, self._snapshot.accounts.matching)
        if self._view.query != before or not typed or Key.RESIZE in typed:
            self._look()

    def _look(self) -> None:
        query = replace(self._view.query, limit=max(1, self._console.height))
        try:
            self._snapshot = self._fetch(query)
        except SipBridgeError as error:
            self._trouble = str(error)
        else:
            self._trouble = ""
            self._seen_at = time.monotonic()

    def _lines(self) -> list[Text]:
        width, height = self._console.size
        query = replace(self._view.query, limit=max(1, height))
        lines, self._shown = screen(self._snapshot, query, Size(width, height), self._footer())
        return lines[:height]

    def _footer(self) -> list[Text]:
        if self._view.typing is not None:
            return [Text(f"filter accounts: {self._view.typing}▏", "bold", no_wrap=True)]
        if self._trouble:
            age = duration(time.monotonic() - self._seen_at)
            return [Text(printable(f"{self._trouble}; data is {age} old"), BAD, no_wrap=True)]
        return [Text(_HELP, DIM, no_wrap=True)]

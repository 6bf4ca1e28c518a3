"""Reads keys from the terminal, which it sets so that each key arrives at once. I/O: the terminal.

Why not a library: importing blessed takes 0.1 s and prompt_toolkit's parser 0.2 s, against 0.03 s for this module, and
either needs 16 MB more (measured 2026-12); a viewer that people start to look at a fault should be there at once.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import termios
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from typing import NoReturn


class Key(Enum):
    """A key that is no character."""

    ENTER = "enter"
    ESCAPE = "escape"
    BACKSPACE = "backspace"
    UP = "up"
    DOWN = "down"
    PAGE_UP = "page up"
    PAGE_DOWN = "page down"
    HOME = "home"
    RESIZE = "resize"
    """No key at all: the terminal has another size now."""


_SEQUENCES = {
    b"\r": Key.ENTER,
    b"\n": Key.ENTER,
    b"\x7f": Key.BACKSPACE,
    b"\x08": Key.BACKSPACE,
    b"\x1b": Key.ESCAPE,
    b"\x1b[A": Key.UP,
    b"\x1b[B": Key.DOWN,
    b"\x1bOA": Key.UP,
    b"\x1bOB": Key.DOWN,
    b"\x1b[5~": Key.PAGE_UP,
    b"\x1b[6~": Key.PAGE_DOWN,
    b"\x1b[H": Key.HOME,
    b"\x1b[1~": Key.HOME,
    b"\x1bOH": Key.HOME,
}


def parse_keys(typed: bytes) -> list[Key | str]:
    """Keys and characters of what a terminal sent; what nobody knows is passed over.

    Source: XTerm Control Sequences, "PC-Style Function Keys".
    """
    keys: list[Key | str] = []
    while typed:
        length = _sequence_length(typed)
        piece, typed = typed[:length], typed[length:]
        if piece in _SEQUENCES:
            keys.append(_SEQUENCES[piece])
        else:
            keys += [each for each in piece.decode("utf-8", "ignore") if each.isprintable() and piece[0] != 0x1B]
    return keys


def _sequence_length(typed: bytes) -> int:
    if typed[0] != 0x1B:
        others = (at for at in range(len(typed)) if typed[at] == 0x1B or typed[at : at + 1] in _SEQUENCES)
        return max(1, next(others, len(typed)))
    if typed[1:2] not in (b"[", b"O"):
        return 1
    final = (at for at, byte in enumerate(typed[2:], 2) if 0x40 <= byte <= 0x7E)
    return next(final, len(typed) - 1) + 1


class Keyboard:
    """A terminal whose keys arrive one by one, and that tells when its size changes."""

    def __init__(self, terminal: int, resized: int) -> None:
        self._terminal = terminal
        self._resized = resized

    def read(self, timeout_s: float) -> list[Key | str]:
        """What was typed since; waits for something, but no longer than that.

        Raises:
            EOFError: the terminal is gone.
        """
        ready, _, _ = select.select([self._terminal, self._resized], [], [], max(0.0, timeout_s))
        keys: list[Key | str] = []
        if self._resized in ready:
            os.read(self._resized, 4_096)
            keys.append(Key.RESIZE)
        if self._terminal in ready:
            typed = os.read(self._terminal, 4_096)
            if not typed:
                raise EOFError("the terminal is gone")
            keys += parse_keys(typed)
        return keys


@contextmanager
def keyboard() -> Iterator[Keyboard]:
    """The terminal of this process; as it was before, at the end, even when a signal ends it.

    Ctrl-C goes on being an interrupt.
    """
    terminal = sys.stdin.fileno()
    before = termios.tcgetattr(terminal)
    resized, tell = os.pipe()
    os.set_blocking(tell, False)
    previous = {signal.SIGWINCH: signal.signal(signal.SIGWINCH, lambda *_: _tell(tell))}
    for number in (signal.SIGTERM, signal.SIGHUP):
        previous[number] = signal.signal(number, _exit)
    try:
        tty.setcbreak(terminal)
        yield Keyboard(terminal, resized)
    finally:
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)
        for number, handler in previous.items():
            signal.signal(number, handler)
        os.close(resized)
        os.close(tell)


def _exit(number: int, _frame: object) -> NoReturn:
    sys.exit(128 + number)


def _tell(pipe: int) -> None:
    try:
        os.write(pipe, b"r")
    except BlockingIOError:
        # Nobody has read for so long that the pipe is full: the news is in it.
        return

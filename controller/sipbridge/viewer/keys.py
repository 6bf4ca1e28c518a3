"""Reads keys. I/O: puts the terminal into cbreak mode, so that each key arrives at once.

Why not a library: importing blessed takes 0.1 s and prompt_toolkit's parser 0.2 s, against 0.03 s for this module, and
either needs 16 MB more (measured 2026-12); a viewer that people start to examine a fault should appear at once.
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
    """A key that is not a character."""

    ENTER = "enter"
    ESCAPE = "escape"
    BACKSPACE = "backspace"
    UP = "up"
    DOWN = "down"
    PAGE_UP = "page up"
    PAGE_DOWN = "page down"
    HOME = "home"
    RESIZE = "resize"
    """Not a key: the size of the terminal changed."""


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
    """Parse what a terminal sent into keys and characters; unknown sequences are ignored.

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
    """Reads keys and size changes of a terminal."""

    def __init__(self, terminal: int, resized: int) -> None:
        self._terminal = terminal
        self._resized = resized

    def read(self, timeout_s: float) -> list[Key | str]:
        """Return the keys typed since the last read; wait up to `timeout_s` for the first one.

        Raises:
            EOFError: the terminal was closed.
        """
        ready, _, _ = select.select([self._terminal, self._resized], [], [], max(0.0, timeout_s))
        keys: list[Key | str] = []
        if self._resized in ready:
            os.read(self._resized, 4_096)
            keys.append(Key.RESIZE)
        if self._terminal in ready:
            typed = os.read(self._terminal, 4_096)
            if not typed:
                raise EOFError("the terminal was closed")
            keys += parse_keys(typed)
        return keys


@contextmanager
def keyboard() -> Iterator[Keyboard]:
    """Take over the terminal of this process, and restore it at the end, even when a signal ends the process.

    Ctrl-C still interrupts.
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
        # The pipe is full, so a size change is already pending.
        return

"""Makes a socket temporarily inaccessible to this process."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

_NOBODY = 65534


@contextlib.contextmanager
def as_nobody(socket: Path) -> Iterator[None]:
    """Take all permissions from the socket, and from this process what makes root need none."""
    socket.chmod(0)
    user = os.geteuid()
    if user == 0:
        os.seteuid(_NOBODY)
    try:
        yield
    finally:
        os.seteuid(user)

from __future__ import annotations

from collections.abc import Iterator

import gevent
import pytest


@pytest.fixture(autouse=True)
def _nothing_hangs() -> Iterator[None]:
    """A test that waits for a greenlet for ever would otherwise block until the whole run times out."""
    with gevent.Timeout(20):
        yield

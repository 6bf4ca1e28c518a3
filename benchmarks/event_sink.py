"""Takes events off an Event Socket, with sipbridge's adapter or with stock greenswitch. One TCP connection.

``python -m benchmarks.event_sink sipbridge|greenswitch PORT COUNT`` prints ``{"seconds": …, "peak_mb": …}``.
"""

from gevent import monkey

monkey.patch_all()

import json  # noqa: E402 - nothing may be imported before the patches
import sys  # noqa: E402
import time  # noqa: E402
from functools import partial  # noqa: E402
from typing import Any  # noqa: E402

import gevent.event  # noqa: E402
from greenswitch import InboundESL  # noqa: E402

from benchmarks.machine import peak_memory_mb  # noqa: E402
from sipbridge.adapters.event_socket.connection import EventSocketConnection  # noqa: E402
from sipbridge.adapters.event_socket.events import PARSERS  # noqa: E402

_NAMES = ("CHANNEL_PARK", "CHANNEL_HANGUP_COMPLETE")


class Counter:
    """Waits for a number of events."""

    def __init__(self, wanted: int) -> None:
        self._missing = wanted
        self._complete = gevent.event.Event()

    def count(self, _event: object) -> None:
        """Count one."""
        self._missing -= 1
        if self._missing == 0:
            self._complete.set()

    def wait(self) -> None:
        """Wait until they are all there."""
        if not self._complete.wait(120):
            raise SystemExit(f"{self._missing} events have not come")


def with_sipbridge(port: int, counter: Counter) -> None:
    """Events become the values that the services are given."""
    connection = EventSocketConnection("127.0.0.1", port, "benchmark")
    connection.connect()

    def handle(name: str, event: dict[str, Any]) -> None:
        counter.count(PARSERS[name](event))

    for name in _NAMES:
        connection.register_handle(name, partial(handle, name))
    connection.send(f"event json {' '.join(_NAMES)}")
    counter.wait()


def with_greenswitch(port: int, counter: Counter) -> None:
    """Events become greenswitch's own values."""
    connection = InboundESL("127.0.0.1", port, "benchmark")
    connection.connect()
    for name in _NAMES:
        connection.register_handle(name, counter.count)
    connection.send(f"event plain {' '.join(_NAMES)}")
    counter.wait()


def main(adapter: str, port: int, count: int) -> None:
    """Take `count` events."""
    counter = Counter(count)
    begin = time.perf_counter()
    {"sipbridge": with_sipbridge, "greenswitch": with_greenswitch}[adapter](port, counter)
    seconds = time.perf_counter() - begin
    print(json.dumps({"seconds": seconds, "peak_mb": peak_memory_mb()}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))

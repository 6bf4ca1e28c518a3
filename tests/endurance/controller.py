"""``python -m endurance.controller PROBE_SOCKET run …``: the daemon, and a door at which to ask what it holds.

All but that door is `sipbridge`. Whoever connects to it gets a line of JSON.
"""

from __future__ import annotations

from gevent import monkey

monkey.patch_all()

import gc  # noqa: E402
import sys  # noqa: E402
from collections import Counter, deque  # noqa: E402
from collections.abc import Iterator  # noqa: E402
from typing import Any  # noqa: E402

import gevent  # noqa: E402
import gevent.socket  # noqa: E402
import orjson  # noqa: E402
from gevent.server import StreamServer  # noqa: E402

from sipbridge.cli import main  # noqa: E402

_COLLECTIONS = (dict, list, set, deque, bytearray)


def count() -> dict[str, Any]:
    """What the process holds now: greenlets, objects by type, and how much is in each table."""
    gc.collect()
    # The daemon has the collector pass over what is there when it starts; it must find the same afterwards.
    gc.unfreeze()
    objects = gc.get_objects()
    gc.freeze()
    greenlets = sum(isinstance(each, gevent.Greenlet) and not each.dead for each in objects)
    kinds = Counter(f"{type(each).__module__}.{type(each).__qualname__}" for each in objects)
    tables: Counter[str] = Counter()
    for each in objects:
        if str(type(each).__module__).startswith("sipbridge."):
            for name, size in _collections(each):
                tables[f"{type(each).__qualname__}.{name}"] += size
    return {"greenlets": greenlets, "objects": kinds, "tables": tables}


def _collections(owner: Any) -> Iterator[tuple[str, int]]:
    for name in _attributes(owner):
        value = getattr(owner, name, None)
        if isinstance(value, _COLLECTIONS):
            yield name, len(value)


def _attributes(owner: Any) -> Iterator[str]:
    yield from getattr(owner, "__dict__", ())
    for kind in type(owner).__mro__:
        slots = kind.__dict__.get("__slots__", ())
        yield from (slots,) if isinstance(slots, str) else slots


def _answer(client: gevent.socket.socket, _address: object) -> None:
    with client:
        client.sendall(orjson.dumps(count()) + b"\n")


def _run(probe_socket: str) -> None:
    listening = gevent.socket.socket(gevent.socket.AF_UNIX)
    listening.bind(probe_socket)
    listening.listen()
    StreamServer(listening, _answer).start()
    main()


if __name__ == "__main__":
    _run(sys.argv.pop(1))

"""Keeps the edge's table of accounts, over the JSON-RPC of its Kamailio. Datagrams on a UNIX socket.

Source: Kamailio 5.6, modules jsonrpcs (transport 4) and htable.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import orjson
from gevent import socket

from sipbridge.core.gateways.gateway import GatewayName
from sipbridge.ports import EdgeLost, EdgeRefused

TABLE = "account"
EPOCH_KEY = "sipbridge.epoch"

_IN_FLIGHT = 8
"""By default Linux queues ten datagrams per UNIX socket; with more calls, Kamailio would block on its answers."""
_LARGEST = 65_536
_MOST_STRANGERS = 100
_LONGEST_REASON = 200
_MISSING = frozenset({"Key name doesn't exist in htable.", "Key not found in htable."})


class _Call(NamedTuple):
    """A method and its parameters. Parameters may hold secrets, so they never appear in errors."""

    method: str
    parameters: Sequence[str]


class Kamailio:
    """The `EdgeControl` port.

    Used by one greenlet at a time.

    Args:
        path: the socket; ``dgram_socket`` of jsonrpcs.
        timeout_s: longest time for an answer. Short, because a Kamailio that is still starting may miss the first call.
    """

    def __init__(self, path: Path, timeout_s: float = 1.0) -> None:
        self._path = path
        self._timeout_s = timeout_s
        self._socket: socket.socket | None = None
        self._last_id = 0

    def epoch(self) -> str | None:
        """Read the table's epoch, which identifies the daemon that wrote the table."""
        (found,) = self._call([_Call("htable.get", (TABLE, EPOCH_KEY))])
        with _reading("htable.get"):
            return None if found is None else str(found["item"]["value"])

    def set_epoch(self, epoch: str) -> None:
        """Set the table's epoch."""
        self._call([_Call("htable.sets", (TABLE, EPOCH_KEY, epoch))])

    def put(self, entries: Iterable[tuple[GatewayName, str]]) -> None:
        """Send ``htable.sets`` for each entry."""
        self._call([_Call("htable.sets", (TABLE, name, entry)) for name, entry in entries])

    def delete(self, names: Iterable[GatewayName]) -> None:
        """Send ``htable.delete`` for each name; a missing entry is not an error."""
        self._call([_Call("htable.delete", (TABLE, name)) for name in names])

    def count(self) -> int:
        """Return the number of accounts in the table."""
        (tables,) = self._call([_Call("htable.stats", ())])
        with _reading("htable.stats"):
            entries = next((table["all"] for table in tables if table["name"] == TABLE), 0)
            return max(0, int(entries) - 1)

    def clear(self) -> None:
        """Delete all accounts and the epoch."""
        self._call([_Call("htable.flush", (TABLE,))])

    def close(self) -> None:
        """Close the socket; the next call opens another."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _call(self, calls: Sequence[_Call]) -> list[Any]:
        """Make all calls and return their results in order; None where Kamailio reports a missing key.

        Raises:
            EdgeLost: no answer; some calls may have been carried out.
            EdgeRefused: Kamailio rejected one call; the others may have been carried out.
        """
        try:
            with self._within_reach():
                return self._exchange(calls)
        except EdgeRefused:
            # Answers to the other calls may still arrive.
            self.close()
            raise

    @contextlib.contextmanager
    def _within_reach(self) -> Iterator[None]:
        try:
            yield
        except TimeoutError:
            self.close()
            raise EdgeLost(f"no answer from Kamailio on {self._path} within {self._timeout_s:g} s") from None
        except PermissionError:
            self.close()
            raise EdgeLost(
                f"no permission to write to {self._path}: add sipbridge's user to the socket's group"
            ) from None
        except OSError as error:
            self.close()
            raise EdgeLost(f"no Kamailio listens on {self._path}: {error.strerror or error}") from None

    def _exchange(self, calls: Sequence[_Call]) -> list[Any]:
        connected = self._connected()
        first = self._last_id + 1
        self._last_id += len(calls)
        results: list[Any] = [None] * len(calls)
        waiting: set[int] = set()
        sent = strangers = 0
        while sent < len(calls) or waiting:
            while sent < len(calls) and len(waiting) < _IN_FLIGHT:
                connected.send(_format(first + sent, calls[sent]))
                waiting.add(sent)
                sent += 1
            answer = _parse(connected.recv(_LARGEST))
            index = answer["id"] - first
            if index in waiting:
                waiting.remove(index)
                results[index] = _result(calls[index].method, answer)
            else:
                # A late answer to an abandoned call is ignored; many of them mean that this is not Kamailio.
                strangers += 1
                if strangers > _MOST_STRANGERS:
                    raise EdgeRefused("too many unexpected answers on the RPC socket: it may not be Kamailio's")
        return results

    def _connected(self) -> socket.socket:
        if self._socket is None:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            self._socket.settimeout(self._timeout_s)
            # Bind to a name in the abstract namespace for the answers, so that no file is left behind.
            self._socket.bind("")
            self._socket.connect(str(self._path))
        return self._socket


def _format(id_: int, call: _Call) -> bytes:
    return orjson.dumps({"jsonrpc": "2.0", "method": call.method, "params": call.parameters, "id": id_})


def _parse(answer: bytes) -> dict[str, Any]:
    try:
        parsed = orjson.loads(answer)
    except orjson.JSONDecodeError:
        parsed = None
    if not isinstance(parsed, dict) or not isinstance(parsed.get("id"), int):
        raise EdgeRefused("invalid answer on the RPC socket: not JSON-RPC")
    return parsed


def _result(method: str, answer: dict[str, Any]) -> Any:
    if "error" not in answer:
        return answer.get("result")
    error = answer["error"]
    message = error.get("message") if isinstance(error, dict) else None
    if message in _MISSING:
        return None
    raise EdgeRefused(f"Kamailio rejected {method}: {str(message or 'no reason given')[:_LONGEST_REASON]}")


@contextlib.contextmanager
def _reading(method: str) -> Iterator[None]:
    """Guard the decoding of a result; an unexpected shape becomes `EdgeRefused`."""
    try:
        yield
    except (LookupError, TypeError, ValueError, ArithmeticError):
        raise EdgeRefused(f"unexpected answer to {method} on the RPC socket") from None

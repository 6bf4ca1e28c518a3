"""The edge's table of accounts, kept over the JSON-RPC of its Kamailio. Datagrams on a UNIX socket.

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
"""Linux keeps ten datagrams for a UNIX socket, unless told otherwise; Kamailio would wait for room for its answer."""
_LARGEST = 65_536
_MOST_STRANGERS = 100
_LONGEST_REASON = 200
_MISSING = frozenset({"Key name doesn't exist in htable.", "Key not found in htable."})


class _Call(NamedTuple):
    """A method and its parameters, which may hold secrets: they are in no error."""

    method: str
    parameters: Sequence[str]


class Kamailio:
    """The `EdgeControl` port.

    Used by one greenlet at a time.

    Args:
        path: of the socket; ``dgram_socket`` of jsonrpcs.
        timeout_s: longest time for an answer. Short: one that has just been started may never see the first question.
    """

    def __init__(self, path: Path, timeout_s: float = 1.0) -> None:
        self._path = path
        self._timeout_s = timeout_s
        self._socket: socket.socket | None = None
        self._last_id = 0

    def epoch(self) -> str | None:
        """The value of the key that says whose table it is."""
        (found,) = self._call([_Call("htable.get", (TABLE, EPOCH_KEY))])
        with _reading("htable.get"):
            return None if found is None else str(found["item"]["value"])

    def set_epoch(self, epoch: str) -> None:
        """Set it."""
        self._call([_Call("htable.sets", (TABLE, EPOCH_KEY, epoch))])

    def put(self, entries: Iterable[tuple[GatewayName, str]]) -> None:
        """``htable.sets`` for each."""
        self._call([_Call("htable.sets", (TABLE, name, entry)) for name, entry in entries])

    def delete(self, names: Iterable[GatewayName]) -> None:
        """``htable.delete`` for each; one that is not there is none the worse."""
        self._call([_Call("htable.delete", (TABLE, name)) for name in names])

    def count(self) -> int:
        """How many accounts it has."""
        (tables,) = self._call([_Call("htable.stats", ())])
        with _reading("htable.stats"):
            entries = next((table["all"] for table in tables if table["name"] == TABLE), 0)
            return max(0, int(entries) - 1)

    def clear(self) -> None:
        """Forget all of them, and whose table it is."""
        self._call([_Call("htable.flush", (TABLE,))])

    def close(self) -> None:
        """Give the socket up; the next call makes another."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _call(self, calls: Sequence[_Call]) -> list[Any]:
        """The results, in order; None for what says that there is no such key.

        Raises:
            EdgeLost: no answer; some may have been carried out.
            EdgeRefused: Kamailio does not do one of them; the others may have been carried out.
        """
        try:
            with self._within_reach():
                return self._exchange(calls)
        except EdgeRefused:
            # Answers to the others may still come.
            self.close()
            raise

    @contextlib.contextmanager
    def _within_reach(self) -> Iterator[None]:
        try:
            yield
        except TimeoutError:
            self.close()
            raise EdgeLost(f"Kamailio does not answer on {self._path} within {self._timeout_s:g} s") from None
        except PermissionError:
            self.close()
            raise EdgeLost(f"the user of sipbridge may not write to {self._path}: put it into its group") from None
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
                # An answer to a call that was given up is nobody's; whoever has many of those is no Kamailio.
                strangers += 1
                if strangers > _MOST_STRANGERS:
                    raise EdgeRefused("what listens on the RPC socket answers what nobody has asked")
        return results

    def _connected(self) -> socket.socket:
        if self._socket is None:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            self._socket.settimeout(self._timeout_s)
            # A name in the abstract namespace, where the answers go: there is no file to be left behind.
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
        raise EdgeRefused("what listens on the RPC socket does not answer in JSON-RPC")
    return parsed


def _result(method: str, answer: dict[str, Any]) -> Any:
    if "error" not in answer:
        return answer.get("result")
    error = answer["error"]
    message = error.get("message") if isinstance(error, dict) else None
    if message in _MISSING:
        return None
    raise EdgeRefused(f"Kamailio refuses {method}: {str(message or 'no reason given')[:_LONGEST_REASON]}")


@contextlib.contextmanager
def _reading(method: str) -> Iterator[None]:
    """Take a result apart; one that is of another shape is as good as none."""
    try:
        yield
    except (LookupError, TypeError, ValueError, ArithmeticError):
        raise EdgeRefused(f"what listens on the RPC socket answers {method} with something else") from None

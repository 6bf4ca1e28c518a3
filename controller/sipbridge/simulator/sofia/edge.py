"""Simulates the edge: its Kamailio's table of accounts, and the digests that it computes from it.

Listens on a UNIX datagram socket. There is no SIP: the scripted registrar decides the result of a REGISTER through it.
Source: answers of Kamailio 5.6; tests compare both.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

import gevent
import orjson
from gevent import socket

from sipbridge.simulator.sofia.spool import GatewayDefinition

_TABLE = "account"
_LARGEST = 65_536


class _Fault(Exception):
    """The error answer to a call."""


class SimulatedEdge:
    """An edge that runs from `start` to `stop`, and forgets everything when it stops.

    Args:
        rpc_socket: the path of its socket.
        address: where FreeSWITCH's gateways send to.

    Attributes:
        table: its entries, by key.
    """

    def __init__(self, rpc_socket: Path, address: str = "127.0.0.1:5090") -> None:
        self.address = address
        self.table: dict[str, str] = {}
        self._path = rpc_socket
        self._socket: socket.socket | None = None
        self._greenlet: gevent.Greenlet[..., None] | None = None
        self._methods: dict[str, Callable[..., Any]] = {
            "htable.get": self._get,
            "htable.sets": self._set,
            "htable.delete": self._delete,
            "htable.flush": self._flush,
            "htable.stats": self._stats,
        }

    def __enter__(self) -> SimulatedEdge:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start listening, with an empty table."""
        self.table = {}
        self._path.unlink(missing_ok=True)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(self._path))
        self._greenlet = gevent.spawn(self._serve, self._socket)

    def stop(self) -> None:
        """Stop as in a crash: the socket's file stays."""
        if self._greenlet is not None and self._socket is not None:
            self._greenlet.kill()
            self._socket.close()
        self._greenlet = self._socket = None

    def takes(self, gateway: GatewayDefinition) -> bool:
        """Return whether a gateway registers through it."""
        return gateway.register_proxy.partition(";")[0] == f"sip:{self.address}"

    def knows(self, gateway: GatewayDefinition) -> bool:
        """Return whether it has an entry for a gateway."""
        return gateway.name in self.table

    def answers_right(self, gateway: GatewayDefinition, password: str) -> bool:
        """Return whether its digest response for a gateway matches this password; the realm is the domain."""
        algorithm, _, secret = self.table[gateway.name].split("|", 2)
        if algorithm == "clear":
            return secret == password
        user = gateway.parameters.get("auth-username") or gateway.username
        text = f"{user}:{gateway.proxy.partition(':')[0]}:{password}".encode()
        hashes = {"md5": hashlib.md5(text, usedforsecurity=False), "sha256": hashlib.sha256(text)}
        return algorithm in hashes and hashes[algorithm].hexdigest() == secret

    def _serve(self, listener: socket.socket) -> None:
        while True:
            request, sender = listener.recvfrom(_LARGEST)
            # The client may be gone.
            with contextlib.suppress(OSError):
                listener.sendto(orjson.dumps(self._answer(orjson.loads(request))), sender)

    def _answer(self, request: dict[str, Any]) -> dict[str, Any]:
        answer = {"jsonrpc": "2.0", "id": request["id"]}
        method = self._methods.get(request["method"])
        if method is None:
            return answer | {"error": {"code": 500, "message": "Method Not Found"}}
        try:
            return answer | {"result": method(*request["params"])}
        except _Fault as fault:
            return answer | {"error": {"code": 500, "message": str(fault)}}

    def _get(self, table: str, key: str) -> dict[str, Any]:
        _check(table)
        if key not in self.table:
            raise _Fault("Key name doesn't exist in htable.")
        return {"item": {"name": key, "value": self.table[key], "flags": 2, "expire": "NEVER"}}

    def _set(self, table: str, key: str, value: str) -> str:
        _check(table)
        self.table[key] = value
        return "Ok. Key set to new value."

    def _delete(self, table: str, key: str) -> str:
        _check(table)
        if self.table.pop(key, None) is None:
            raise _Fault("Key not found in htable.")
        return "Ok. Key deleted."

    def _flush(self, table: str) -> str:
        _check(table)
        self.table.clear()
        return "Ok. Htable flushed."

    def _stats(self) -> list[dict[str, Any]]:
        return [{"name": _TABLE, "slots": 16_384, "all": len(self.table), "min": 0, "max": 1}]


def _check(table: str) -> None:
    if table != _TABLE:
        raise _Fault("No such htable")

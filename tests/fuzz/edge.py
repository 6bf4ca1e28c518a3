"""What answers on the edge's RPC socket, should it be no Kamailio, or a broken one. Real datagrams on a UNIX socket."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import gevent
from gevent import socket

from fuzz.target import SEPARATOR, Target
from sipbridge.adapters.kamailio import Kamailio
from sipbridge.core.gateways.gateway import GatewayName
from sipbridge.ports import EdgeLost, EdgeRefused

_SECRET = "Mellon-7f3a"
_PATIENCE_S = 0.02
"""Answers are there before anybody waits for them."""


@cache
def _folder() -> Path:
    return Path(tempfile.mkdtemp(prefix="sipbridge-fuzz-"))


class _Answering:
    """Answers the first question with all there is, a datagram each."""

    def __init__(self, answers: list[bytes]) -> None:
        self._answers = answers
        self.path = _folder() / "rpc.sock"
        self.path.unlink(missing_ok=True)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(self.path))
        self._greenlet = gevent.spawn(self._answer)

    def _answer(self) -> None:
        _, client = self._socket.recvfrom(65_536)
        self._socket.settimeout(_PATIENCE_S)
        try:
            for answer in self._answers:
                self._socket.sendto(answer, client)
        except OSError:
            # Nobody reads any more.
            return

    def close(self) -> None:
        self._greenlet.kill()
        self._socket.close()


def _ask_all(kamailio: Kamailio) -> list[Callable[[], Any]]:
    name = GatewayName("sipbridge.alice.0123456789abcdef0123")
    return [
        kamailio.epoch,
        kamailio.count,
        kamailio.clear,
        lambda: kamailio.put([(name, _SECRET), (name, _SECRET)]),
        lambda: kamailio.delete([name]),
    ]


def check_edge(data: bytes) -> None:
    """Whatever comes is an answer, a refusal or none at all, and no secret is in what is said of it."""
    for number in range(5):
        answering = _Answering(data.split(SEPARATOR))
        kamailio = Kamailio(answering.path, _PATIENCE_S)
        try:
            told = _ask_all(kamailio)[number]()
            assert told is None or isinstance(told, (str, int))
        except (EdgeLost, EdgeRefused) as error:
            assert len(str(error)) < 1_000
            assert _SECRET not in str(error)
        finally:
            kamailio.close()
            answering.close()


TARGETS: Mapping[str, Target] = {
    "edge": Target(
        check_edge,
        (
            b'{"jsonrpc":"2.0","result":{"item":{"name":"sipbridge.epoch","value":"abc"},"ttl":0},"id":1}',
            b'{"jsonrpc":"2.0","result":[{"name":"account","slots":256,"all":3}],"id":1}',
            b'{"jsonrpc":"2.0","error":{"code":500,"message":"Key name doesn\'t exist in htable."},"id":1}',
            b'{"jsonrpc":"2.0","result":0,"id":2}\x1e{"jsonrpc":"2.0","result":0,"id":1}',
        ),
        (
            b'"',
            b"{",
            b"}",
            b"[",
            b"]",
            b":",
            b",",
            b"null",
            b"true",
            b"-1",
            b"1e999",
            b"99999999999999999999",
            b"\xff",
            b'"id":1',
            b'"error":',
            b'"message":',
            b'"result":',
            b'"all":',
            b'"value":',
            b"x" * 2_000,
            b"\\n\\u001b",
            SEPARATOR,
        ),
    ),
}

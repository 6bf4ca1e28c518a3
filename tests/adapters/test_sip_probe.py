"""Only an answer to the very request counts, and only in time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from socket import AF_INET, SOCK_DGRAM, socket

import pytest
from gevent.threadpool import ThreadPool

from sipbridge.adapters.sip_probe import answer_time_s


@contextmanager
def answering(answer: Callable[[bytes], bytes]) -> Iterator[int]:
    """Someone in another thread who answers one request."""
    with socket(AF_INET, SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(5)

        def serve() -> None:
            request, client = sock.recvfrom(65535)
            sock.sendto(answer(request), client)

        thread = threading.Thread(target=serve)
        thread.start()
        yield sock.getsockname()[1]
        thread.join()


def ask(port: int) -> float | None:
    return ThreadPool(1).apply(answer_time_s, ("127.0.0.1", port, 0.5))


def _response(request: bytes, status: bytes) -> bytes:
    return b"SIP/2.0 " + status + b"\r\n" + request.partition(b"\r\n")[2]


@pytest.mark.parametrize("status", [b"200 OK", b"503 Service Unavailable"], ids=["200", "503"])
def test_any_answer_is_one(status: bytes) -> None:
    with answering(lambda request: _response(request, status)) as port:
        took_s = ask(port)
    assert took_s is not None
    assert 0 < took_s < 0.5


@pytest.mark.parametrize("answer", [b"SIP/2.0 200 OK\r\n\r\n", b"", b"\xff"], ids=["other call", "nothing", "noise"])
def test_what_answers_something_else_is_none(answer: bytes) -> None:
    with answering(lambda _: answer) as port:
        assert ask(port) is None


def test_nobody_is_no_answer() -> None:
    with socket(AF_INET, SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    assert ask(port) is None

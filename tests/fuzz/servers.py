"""What the control socket and the port for metrics are sent, by whoever may connect. Real servers on real sockets."""

from __future__ import annotations

import io
import logging
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stderr
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

import gevent
import gevent.socket
import orjson
from services_examples import Services, pool

from fuzz.target import Target
from sipbridge.adapters.control.control_socket import ControlServer
from sipbridge.adapters.observe.exposition import Exposition
from sipbridge.adapters.observe.http_server import HttpServer
from sipbridge.core.observe import metrics
from sipbridge.core.observe.readiness import Condition, Readiness
from sipbridge.services.observe.call_feed import CallFeed
from sipbridge.services.observe.call_pages import CallPages
from sipbridge.services.observe.info import bridge_info
from sipbridge.services.observe.query_commands import QueryCommands
from sipbridge.services.operate.drain import Drain
from sipbridge.services.operate.operator_commands import OperatorCommands
from sipbridge.services.operate.reload import ReloadResult

_PATIENCE_S = 8.0
"""For an answer to anything: servers give a client up after ten seconds."""
_NEWS = 5
"""How many of an answer that would go on for ever."""


class _Trouble(logging.Handler):
    """Keeps what is logged as an error: a defect, since no request may be the cause of one."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.found.append(f"{record.getMessage()} {record.exc_info}")


@contextmanager
def _without_trouble() -> Iterator[None]:
    """Nothing fails in a greenlet, is logged as an error, or printed past the log."""
    trouble, hub, root, printed = _Trouble(), gevent.get_hub(), logging.getLogger(), io.StringIO()
    print_exception = hub.print_exception
    hub.print_exception = lambda *found: trouble.found.append(str(found))
    root.addHandler(trouble)
    try:
        with redirect_stderr(printed):
            yield
    finally:
        root.removeHandler(trouble)
        hub.print_exception = print_exception
    assert trouble.found == []
    assert printed.getvalue() == ""


def _exchange(connect: Callable[[], gevent.socket.socket], data: bytes) -> bytes:
    """All that is answered until the server hangs up."""
    with gevent.Timeout(_PATIENCE_S, AssertionError("no end of an answer")), connect() as client:
        answer = bytearray()
        try:
            sending = gevent.spawn(_send, client, data)
            while part := client.recv(65_536):
                answer += part
            sending.join()
        except (BrokenPipeError, ConnectionResetError):
            pass
        return bytes(answer)


def _send(client: gevent.socket.socket, data: bytes) -> None:
    try:
        client.sendall(data)
        client.shutdown(gevent.socket.SHUT_WR)
    except OSError:
        # It may hang up on what it does not want to read.
        return


@cache
def _control_socket() -> Path:
    """Where all commands are answered, by the services that answer them in the daemon."""
    services = Services(pool("alice", "bob"))
    services.connect_and_register()
    services.park("call-1")
    feed = CallFeed(services.clock, services.scheduler)
    services.journal.add(feed)
    services.park("call-2", "mallory")
    pages = CallPages(services.switch, services.calls, services.journal, services.clock, services.scheduler)
    queries = QueryCommands(services.status, pages, feed)
    drain = Drain(services.calls, services.session, services.scheduler)
    operators = OperatorCommands(lambda dry_run: ReloadResult((), None), drain, lambda: False)
    path = Path(tempfile.mkdtemp(prefix="sipbridge-fuzz-")) / "control.sock"
    handlers: dict[str, Callable[[Mapping[str, Any]], Any]] = {
        "info": lambda _: bridge_info(services.table),
        "status": queries.status,
        "calls": queries.calls,
        "follow": lambda arguments: islice(queries.follow(arguments), _NEWS),
        "reload": operators.reload,
        "drain": operators.drain,
    }
    ControlServer(path, handlers, logged=("reload", "drain")).start()
    return path


def _connect_control() -> gevent.socket.socket:
    client = gevent.socket.socket(gevent.socket.AF_UNIX, gevent.socket.SOCK_STREAM)
    client.connect(str(_control_socket()))
    return client


def check_control(data: bytes) -> None:
    """Each line has an answer in JSON, and no other comes."""
    with _without_trouble():
        answers = _exchange(_connect_control, data).splitlines()
    told = [orjson.loads(answer) for answer in answers]
    assert all(isinstance(each, dict) and set(each) in ({"result"}, {"error"}) for each in told)
    assert not any("see the log" in each.get("error", "") for each in told)
    # The handler that goes on is the only one to answer more than once.
    most = len(data.splitlines()) + len(data) // 65_536 + 1
    assert len(told) <= most + (_NEWS - 1) * data.count(b"follow")


@cache
def _http_port() -> int:
    readiness = Readiness((Condition("lease", True, "held"),))
    server = HttpServer("127.0.0.1", 0, Exposition([lambda: [metrics.READY.one(value=True)]]), lambda: readiness)
    server.start()
    return server.port


def check_http(data: bytes) -> None:
    """It answers by a status of its own, or hangs up; it never fails."""
    with _without_trouble():
        answer = _exchange(lambda: gevent.socket.create_connection(("127.0.0.1", _http_port())), data)
    if answer:
        version, status, *_ = answer.split(None, 2)
        assert version.startswith(b"HTTP/1.")
        assert status.isdigit()
        assert not status.startswith(b"500")


TARGETS: Mapping[str, Target] = {
    "control": Target(
        check_control,
        (
            b'{"command":"info"}\n{"command":"status","accounts":{"limit":20,"offset":1,"match":"a","order":"need",'
            b'"onlyFailed":true,"pool":"","provider":""}}\n',
            b'{"command":"calls","limit":3,"match":"x","provider":"p"}\n{"command":"follow","limit":2}\n',
            b'{"command":"drain","account":"sip:alice@provider.example.net","undo":true}\n{"command":"drain"}\n',
            b'{"command":"reload","dry_run":true}\n',
        ),
        (
            b'"',
            b"{",
            b"}",
            b"[",
            b"]",
            b":",
            b",",
            b"\n",
            b"null",
            b"true",
            b"-1",
            b"1e999",
            b"9223372036854775807",
            b"99999999999999999999",
            b"\\ud800",
            b"\\u0000",
            b"\xff",
            b'{"command":"info"}\n',
            b'"accounts":',
            b'"limit":',
            b'"offset":',
        ),
    ),
    "http": Target(
        check_http,
        (
            b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
            b"HEAD /readyz HTTP/1.0\r\n\r\n",
            b"POST /healthz HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
            b"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\nhello",
        ),
        (
            b"\r\n",
            b"\n",
            b" ",
            b":",
            b"GET ",
            b"HTTP/1.1",
            b"HTTP/9.9",
            b"HTTP/0.9",
            b"/%00",
            b"%ff",
            b"//x",
            b"http://x/",
            b"*",
            b"Content-Length: -1\r\n",
            b"Content-Length: 99999999999999999999\r\n",
            b"Transfer-Encoding: chunked\r\n",
            b"ffffffffffffffff\r\n",
            b"Upgrade: websocket\r\n",
            b"\xff",
            b"\0",
        ),
    ),
}

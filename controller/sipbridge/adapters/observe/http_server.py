"""Metrics and health over HTTP, for Prometheus and for whoever starts and watches services. Listens on TCP.

``GET /metrics``, ``/healthz`` (200 while the daemon lives) and ``/readyz`` (200 while it can take calls, else 503, with
the reasons as JSON). There is no authentication and nothing to change: bind it where only those reach it who may read.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any

import gevent
import gevent.socket
import orjson
from gevent.pool import Pool
from gevent.pywsgi import WSGIHandler, WSGIServer

from sipbridge.adapters.observe.exposition import CONTENT_TYPE, Exposition
from sipbridge.core.errors import SipBridgeError
from sipbridge.core.observe.readiness import Readiness

_log = logging.getLogger(__name__)

_MAX_CLIENTS = 16
_CLIENT_TIMEOUT_S = 10.0
_TEXT = "text/plain; charset=utf-8"
_JSON = "application/json"

_Response = tuple[str, str, bytes]
_StartResponse = Callable[[str, list[tuple[str, str]]], Any]


class HttpServerError(SipBridgeError):
    """The port cannot be listened on."""


class _Handler(WSGIHandler):
    """Gives a client that is slow up."""

    def handle(self) -> None:
        try:
            with gevent.Timeout(_CLIENT_TIMEOUT_S):
                super().handle()
        except gevent.Timeout:
            _log.debug("HTTP: a client took too long")

    def log_error(self, msg: str, *args: Any) -> None:
        # What is not HTTP is the client's fault, and comes from whoever may connect.
        _log.debug("HTTP: %s", msg % args)

    def _handle_client_error(self, error: Exception) -> Any:
        # Of anything but a ValueError, such as too many headers, gevent would print a traceback past the log.
        return super()._handle_client_error(ValueError(str(error)))  # type: ignore[misc]  # left out of the stubs


class HttpServer:
    """Answers on one port."""

    def __init__(self, host: str, port: int, exposition: Exposition, readiness: Callable[[], Readiness]) -> None:
        self._host = host
        self._port = port
        self._exposition = exposition
        self._readiness = readiness
        self._server: WSGIServer | None = None

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return self._server.server_port or 0 if self._server else self._port

    def start(self) -> None:
        """Listen.

        Raises:
            HttpServerError: the address is not ours, or somebody else has the port.
        """
        try:
            listener = _listen(self._host, self._port)
        except OSError as error:
            raise HttpServerError(
                f"cannot listen for HTTP on {self._host}:{self._port}: {error.strerror or error}; "
                'set "host" and "port" in [http] of the settings, or port = 0 for none'
            ) from error
        self._server = WSGIServer(
            listener, self._answer, handler_class=_Handler, log=None, error_log=_log, spawn=Pool(_MAX_CLIENTS)
        )
        self._server.start()

    def stop(self) -> None:
        """Listen no longer."""
        if self._server is not None:
            self._server.stop(timeout=1)

    def _answer(self, environ: dict[str, Any], start_response: _StartResponse) -> Iterable[bytes]:
        try:
            status, content_type, body = self._respond(environ["REQUEST_METHOD"], environ["PATH_INFO"])
        except Exception:  # noqa: BLE001 - a defect of one page must not cost the others
            _log.exception("answering %s failed", environ["PATH_INFO"])
            status, content_type, body = "500 Internal Server Error", _TEXT, b"failed: the log says why\n"
        start_response(status, [("Content-Type", content_type), ("Content-Length", str(len(body)))])
        return [b"" if environ["REQUEST_METHOD"] == "HEAD" else body]

    def _respond(self, method: str, path: str) -> _Response:
        if method not in ("GET", "HEAD"):
            return "405 Method Not Allowed", _TEXT, b"only GET and HEAD\n"
        match path:
            case "/metrics":
                return "200 OK", CONTENT_TYPE, self._exposition.text()
            case "/healthz":
                return "200 OK", _TEXT, b"OK\n"
            case "/readyz":
                return _ready_response(self._readiness())
            case _:
                return "404 Not Found", _TEXT, b"there are /metrics, /healthz and /readyz\n"


def _listen(host: str, port: int) -> gevent.socket.socket:
    family, kind, protocol, _, address = gevent.socket.getaddrinfo(
        host, port, type=gevent.socket.SOCK_STREAM, flags=gevent.socket.AI_PASSIVE
    )[0]
    listener = gevent.socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(gevent.socket.SOL_SOCKET, gevent.socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(_MAX_CLIENTS)
    except BaseException:
        listener.close()
        raise
    return listener


def _ready_response(readiness: Readiness) -> _Response:
    told = {
        "ready": readiness.is_ready,
        "conditions": {each.name: {"holds": each.holds, "detail": each.detail} for each in readiness.conditions},
    }
    status = "200 OK" if readiness.is_ready else "503 Service Unavailable"
    return status, _JSON, orjson.dumps(told, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)

"""Serves metrics and health over HTTP, for Prometheus and service monitors. Listens on TCP.

``GET /metrics``, ``/healthz`` (200 while the daemon is alive) and ``/readyz`` (200 while it can accept calls, else 503,
with the reasons as JSON). Read-only and without authentication: bind it to an address that only authorized hosts reach.
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
    """The server cannot listen on its port."""


class _Handler(WSGIHandler):
    """Drops slow clients."""

    def handle(self) -> None:
        try:
            with gevent.Timeout(_CLIENT_TIMEOUT_S):
                super().handle()
        except gevent.Timeout:
            _log.debug("HTTP: client timed out")

    def log_error(self, msg: str, *args: Any) -> None:
        # Bytes that are not HTTP are the client's fault, and anyone who can connect can send them.
        _log.debug("HTTP: %s", msg % args)

    def _handle_client_error(self, error: Exception) -> Any:
        # For any other error than ValueError, such as too many headers, gevent prints a traceback past the log.
        return super()._handle_client_error(ValueError(str(error)))  # type: ignore[misc]  # left out of the stubs


class HttpServer:
    """The HTTP server."""

    def __init__(self, host: str, port: int, exposition: Exposition, readiness: Callable[[], Readiness]) -> None:
        self._host = host
        self._port = port
        self._exposition = exposition
        self._readiness = readiness
        self._server: WSGIServer | None = None

    @property
    def port(self) -> int:
        """The port that the server listens on."""
        return self._server.server_port or 0 if self._server else self._port

    def start(self) -> None:
        """Start listening.

        Raises:
            HttpServerError: this host does not have the address, or the port is in use.
        """
        try:
            listener = _listen(self._host, self._port)
        except OSError as error:
            raise HttpServerError(
                f"cannot listen for HTTP on {self._host}:{self._port}: {error.strerror or error}; "
                'set "host" and "port" in [http] of the settings, or port = 0 to disable HTTP'
            ) from error
        self._server = WSGIServer(
            listener, self._answer, handler_class=_Handler, log=None, error_log=_log, spawn=Pool(_MAX_CLIENTS)
        )
        self._server.start()

    def stop(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.stop(timeout=1)

    def _answer(self, environ: dict[str, Any], start_response: _StartResponse) -> Iterable[bytes]:
        try:
            status, content_type, body = self._respond(environ["REQUEST_METHOD"], environ["PATH_INFO"])
        except Exception:  # noqa: BLE001 - a bug in one page must not affect the others
            _log.exception("answering %s failed", environ["PATH_INFO"])
            status, content_type, body = "500 Internal Server Error", _TEXT, b"internal error; see the log\n"
        start_response(status, [("Content-Type", content_type), ("Content-Length", str(len(body)))])
        return [b"" if environ["REQUEST_METHOD"] == "HEAD" else body]

    def _respond(self, method: str, path: str) -> _Response:
        if method not in ("GET", "HEAD"):
            return "405 Method Not Allowed", _TEXT, b"only GET and HEAD are supported\n"
        match path:
            case "/metrics":
                return "200 OK", CONTENT_TYPE, self._exposition.text()
            case "/healthz":
                return "200 OK", _TEXT, b"OK\n"
            case "/readyz":
                return _ready_response(self._readiness())
            case _:
                return "404 Not Found", _TEXT, b"not found; known are /metrics, /healthz and /readyz\n"


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

"""Carries operators' commands to the daemon and answers back, as lines of JSON on a UNIX socket.

A request is ``{"command": "reload", "dry_run": true}``; the members besides ``command`` are its arguments. An answer is
``{"result": …}`` or ``{"error": "…"}``. A streaming command sends one answer per line until the client disconnects.

Root, the daemon's own user and the group of the socket may send commands. The file mode enforces this; the peer's
credentials are checked too, in case somebody has widened the mode.
"""

from __future__ import annotations

import logging
import os
import stat
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import gevent
import gevent.server
import gevent.socket
import orjson

from sipbridge.adapters.control.peer_credentials import PeerCredentials, peer_credentials
from sipbridge.core.errors import SipBridgeError

_T = TypeVar("_T")
_log = logging.getLogger(__name__)

_MAX_REQUEST_BYTES = 64 * 1024
_MAX_CLIENTS = 32
_MAX_STREAMS = 16
"""Maximum number of streaming clients; the others stay free for single commands."""
_CLIENT_TIMEOUT_S = 10.0
"""Longest time for a client to send or to read a line. A command itself may take longer."""

_HEARTBEAT_S = 5.0
"""A stream sends at least one line per interval, because only a failed write shows that the client is gone."""

Handler = Callable[[Mapping[str, Any]], Any]
"""Takes the arguments of a command as sent; returns its result as JSON-able values. A `SipBridgeError` is
sent to the client as an error. An iterator is a streaming result: each value is sent, except None."""


class ControlError(SipBridgeError):
    """The daemon did not carry out a command; the message says why."""


class ControlServer:
    """Serves the command line.

    Args:
        handlers: by command name.
        logged: the commands that change something; they are logged together with the client's identity.
    """

    def __init__(
        self, path: Path, handlers: Mapping[str, Handler], mode: int = 0o660, *, logged: Collection[str] = ()
    ) -> None:
        self._path = path
        self._handlers = handlers
        self._mode = mode
        self._logged = logged
        self._group = -1
        self._server: gevent.server.StreamServer | None = None
        self._streams = 0

    def start(self) -> None:
        """Start listening.

        Raises:
            ControlError: the path is used by another daemon or by something that is not a socket, or its folder does
                not exist or is not writable.
        """
        _remove_stale(self._path)
        # Between bind and chmod, only the daemon's own user may connect.
        previous = os.umask(0o177)
        listener = _unix_socket()
        try:
            listener.bind(str(self._path))
        except OSError as error:
            listener.close()
            problem = f"cannot create {self._path}: {error.strerror or error}"
            raise ControlError(
                f"{problem}; its folder must exist and be writable by this user (socket in [control])"
            ) from error
        finally:
            os.umask(previous)
        os.chmod(self._path, self._mode)
        self._group = self._path.stat().st_gid
        listener.listen(_MAX_CLIENTS)
        self._server = gevent.server.StreamServer(listener, self._serve, spawn=_MAX_CLIENTS)
        self._server.start()

    def stop(self) -> None:
        """Stop listening, and remove the socket."""
        if self._server is not None:
            self._server.stop(timeout=1)
            self._path.unlink(missing_ok=True)

    def _serve(self, client: gevent.socket.socket, _address: object) -> None:
        try:
            with client, client.makefile("rb") as lines:
                peer = peer_credentials(client)
                while line := _within_time(lambda: lines.readline(_MAX_REQUEST_BYTES)):
                    for answer in self._answers(line, peer):
                        _within_time(lambda: client.sendall(orjson.dumps(answer) + b"\n"))  # noqa: B023 - called at once
        except (OSError, gevent.Timeout) as error:
            _log.debug("control socket: client disconnected: %s", error)

    def _answers(self, line: bytes, peer: PeerCredentials) -> Iterator[dict[str, Any]]:
        answer = self._answer(line, peer)
        result = answer.get("result")
        if not isinstance(result, Iterator):
            yield answer
        elif self._streams >= _MAX_STREAMS:
            yield {"error": f"too many followers: {_MAX_STREAMS} are already connected"}
        else:
            self._streams += 1
            try:
                yield from _stream(result)
            finally:
                self._streams -= 1

    def _answer(self, line: bytes, peer: PeerCredentials) -> dict[str, Any]:
        if peer.uid not in (0, os.geteuid()) and self._group not in peer.groups:
            _log.warning("control socket: refused %s: not in the socket's group", peer)
            return {"error": f"permission denied: only the group of {self._path} may send commands"}
        try:
            request = orjson.loads(line)
        except orjson.JSONDecodeError:
            return {"error": "invalid request: not JSON"}
        arguments = request if isinstance(request, dict) else {}
        command = arguments.pop("command", None)
        handler = self._handlers.get(command) if isinstance(command, str) else None
        if handler is None:
            return {"error": f"unknown command {command!r}; known are {', '.join(sorted(self._handlers))}"}
        if command in self._logged:
            _log.info("control socket: command %s from %s", {"command": command, **arguments}, peer)
        try:
            return {"result": handler(arguments)}
        except SipBridgeError as error:
            return {"error": str(error)}
        except Exception:  # noqa: BLE001 - a bug in a handler must not look like a dead daemon
            _log.exception("command %s failed", command)
            return {"error": f"{command} failed; see the daemon's log"}


def _stream(values: Iterator[Any]) -> Iterator[dict[str, Any]]:
    told_at = time.monotonic()
    try:
        for value in values:
            if value is not None or time.monotonic() - told_at >= _HEARTBEAT_S:
                yield {"result": value}
                told_at = time.monotonic()
    except Exception:  # noqa: BLE001 - as for a single answer
        _log.exception("streaming an answer failed")
        yield {"error": "stream failed; see the daemon's log"}


def ask(path: Path, command: str, arguments: Mapping[str, Any] | None = None, *, timeout_s: float = 10.0) -> Any:
    """Send a command to the daemon and wait for its result.

    Args:
        arguments: JSON-able values by name; the daemon rejects unknown names.

    Raises:
        ControlError: no daemon listens on the socket, or it refused the command.
    """
    try:
        too_late = ControlError(f"no answer on {path} within {timeout_s:g} s")
        with gevent.Timeout(timeout_s, too_late), _unix_socket() as client:
            client.connect(str(path))
            client.sendall(orjson.dumps({**(arguments or {}), "command": command}) + b"\n")
            with client.makefile("rb") as lines:
                line = lines.readline()
    except OSError as error:
        raise _unreachable(path, error) from error
    if not line:
        raise ControlError(f"sipbridge closed {path} without an answer")
    answer = orjson.loads(line)
    if "error" in answer:
        raise ControlError(answer["error"])
    return answer["result"]


def ask_on(path: Path, command: str, arguments: Mapping[str, Any] | None = None) -> Iterator[Any]:
    """Send a streaming command and yield its results, until the daemon ends.

    Raises:
        ControlError: no daemon listens on the socket, it refused the command, or it was silent for too long.
    """
    silent = f"no data from {path} for {3 * _HEARTBEAT_S:g} s"
    try:
        with _unix_socket() as client:
            client.connect(str(path))
            client.sendall(orjson.dumps({**(arguments or {}), "command": command}) + b"\n")
            client.settimeout(3 * _HEARTBEAT_S)
            with client.makefile("rb") as lines:
                for line in lines:
                    answer = orjson.loads(line)
                    if "error" in answer:
                        raise ControlError(answer["error"])
                    if answer["result"] is not None:
                        yield answer["result"]
    except TimeoutError as error:
        raise ControlError(silent) from error
    except OSError as error:
        raise _unreachable(path, error) from error


def _unreachable(path: Path, error: OSError) -> ControlError:
    if isinstance(error, PermissionError):
        return ControlError(f"permission denied: only root and members of the group of {path} may use it")
    return ControlError(f"no sipbridge listens on {path}: {error.strerror or error}")


def _within_time(wait: Callable[[], _T]) -> _T:
    with gevent.Timeout(_CLIENT_TIMEOUT_S):
        return wait()


def _remove_stale(path: Path) -> None:
    """Remove the socket of a killed daemon; anything else at the path stays."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise ControlError(f"{path} exists and is not a socket")
    with _unix_socket() as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
            return
    raise ControlError(f"another sipbridge already listens on {path}")


def _unix_socket() -> gevent.socket.socket:
    return gevent.socket.socket(gevent.socket.AF_UNIX, gevent.socket.SOCK_STREAM)

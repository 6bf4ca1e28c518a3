"""Commands of the operator reach the daemon, and answers come back, as lines of JSON on a UNIX socket.

A request is ``{"command": "reload", "dry_run": true}``, its other members being the arguments of the command; an answer
is ``{"result": …}`` or ``{"error": "…"}``. A command that goes on answers until the client goes away, a line each.

Root, our own user and the group of the socket may ask. The mode of the file says so already; the kernel is asked who it
is as well, should somebody have opened the file wider.
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
"""Clients whose answers go on: they leave room for those who have something to say."""
_CLIENT_TIMEOUT_S = 10.0
"""Longest time for a client to send a line, or to take one. A command itself may take longer."""

_HEARTBEAT_S = 5.0
"""An answer that goes on says at least so often that it does: how else would it be known that nobody reads it?"""

Handler = Callable[[Mapping[str, Any]], Any]
"""Takes the arguments of a command, as they were sent; returns its result, as JSON-able values. What it raises as
`SipBridgeError` is told to whoever asked. An iterator is a result that goes on: its values are told; None is
none."""


class ControlError(SipBridgeError):
    """The daemon did not do what it was asked; the message says why."""


class ControlServer:
    """Answers the command line.

    Args:
        handlers: by the name of the command.
        logged: the commands that are written to the log, with who gave them: those that change something.
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
        """Listen.

        Raises:
            ControlError: the path is in use by another daemon or by something that is no socket, or its folder does not
                exist or is not ours to write in.
        """
        _remove_stale(self._path)
        # Between bind and chmod nobody but us may connect.
        previous = os.umask(0o177)
        listener = _unix_socket()
        try:
            listener.bind(str(self._path))
        except OSError as error:
            listener.close()
            problem = f"{self._path} cannot be made: {error.strerror or error}"
            raise ControlError(
                f"{problem}; its folder has to be there, and ours to write in (socket in [control])"
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
            _log.debug("a client of the control socket went away: %s", error)

    def _answers(self, line: bytes, peer: PeerCredentials) -> Iterator[dict[str, Any]]:
        answer = self._answer(line, peer)
        result = answer.get("result")
        if not isinstance(result, Iterator):
            yield answer
        elif self._streams >= _MAX_STREAMS:
            yield {"error": f"{_MAX_STREAMS} others follow already"}
        else:
            self._streams += 1
            try:
                yield from _stream(result)
            finally:
                self._streams -= 1

    def _answer(self, line: bytes, peer: PeerCredentials) -> dict[str, Any]:
        if peer.uid not in (0, os.geteuid()) and self._group not in peer.groups:
            _log.warning("control socket: %s is not in its group, and is refused", peer)
            return {"error": f"only the group of {self._path} may ask"}
        try:
            request = orjson.loads(line)
        except orjson.JSONDecodeError:
            return {"error": "the request is not JSON"}
        arguments = request if isinstance(request, dict) else {}
        command = arguments.pop("command", None)
        handler = self._handlers.get(command) if isinstance(command, str) else None
        if handler is None:
            return {"error": f"unknown command {command!r}; known are {', '.join(sorted(self._handlers))}"}
        if command in self._logged:
            _log.info("control socket: %s, by %s", {"command": command, **arguments}, peer)
        try:
            return {"result": handler(arguments)}
        except SipBridgeError as error:
            return {"error": str(error)}
        except Exception:  # noqa: BLE001 - a defect in an answer to the operator must not look like a dead daemon
            _log.exception("the command %s failed", command)
            return {"error": f"{command} failed: see the log of the daemon"}


def _stream(values: Iterator[Any]) -> Iterator[dict[str, Any]]:
    told_at = time.monotonic()
    try:
        for value in values:
            if value is not None or time.monotonic() - told_at >= _HEARTBEAT_S:
                yield {"result": value}
                told_at = time.monotonic()
    except Exception:  # noqa: BLE001 - as for an answer that is given at once
        _log.exception("an answer that went on failed")
        yield {"error": "it goes no further: see the log of the daemon"}


def ask(path: Path, command: str, arguments: Mapping[str, Any] | None = None, *, timeout_s: float = 10.0) -> Any:
    """Send a command to the daemon and wait for its result.

    Args:
        arguments: JSON-able values by name; the daemon says what it knows.

    Raises:
        ControlError: no daemon listens there, or it refuses.
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
        raise ControlError(f"the sipbridge that listens on {path} gave no answer")
    answer = orjson.loads(line)
    if "error" in answer:
        raise ControlError(answer["error"])
    return answer["result"]


def ask_on(path: Path, command: str, arguments: Mapping[str, Any] | None = None) -> Iterator[Any]:
    """Send a command whose result goes on, and give what comes; ends when the daemon does.

    Raises:
        ControlError: no daemon listens there, or it refuses, or is silent for too long.
    """
    silent = f"nothing more on {path} for {3 * _HEARTBEAT_S:g} s"
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
        return ControlError(f"{path} is for root and for members of its group, and this user is neither")
    return ControlError(f"no sipbridge listens on {path}: {error.strerror or error}")


def _within_time(wait: Callable[[], _T]) -> _T:
    with gevent.Timeout(_CLIENT_TIMEOUT_S):
        return wait()


def _remove_stale(path: Path) -> None:
    """Remove the socket that a killed daemon left behind, and nothing else."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise ControlError(f"{path} is there already, and is no socket")
    with _unix_socket() as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
            return
    raise ControlError(f"another sipbridge listens on {path}")


def _unix_socket() -> gevent.socket.socket:
    return gevent.socket.socket(gevent.socket.AF_UNIX, gevent.socket.SOCK_STREAM)

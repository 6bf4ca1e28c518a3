"""Keeps one connection to FreeSWITCH's Event Socket: sends commands, receives replies and events.

The base class is `greenswitch.InboundESL`, but its wire protocol is replaced: its reader decodes events before
splitting them (so a caller could forge headers), and it lacks JSON, time limits and detection of a lost connection.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Sequence
from typing import Any

import gevent
import gevent.event
import gevent.socket
from greenswitch import InboundESL

from sipbridge.adapters.event_socket.command_tally import CommandTally
from sipbridge.adapters.event_socket.framing import Frame, FrameReader, FramingError, encode_command
from sipbridge.adapters.event_socket.json_events import decode_event
from sipbridge.adapters.event_socket.unanswered import OnReply, Reply, Unanswered
from sipbridge.adapters.greenlets import breathe
from sipbridge.ports import NotSent, SwitchLost

_log = logging.getLogger(__name__)

_RECEIVE_BYTES = 64 * 1024
_SHORTEST_EVENT = 128
MAX_PENDING_COMMANDS = 50_000
"""Maximum of unanswered commands; FreeSWITCH answers 10,000 a second, so more means that it has stopped reading."""
_GOODBYE_S = 1.0
"""How long to wait at the end for FreeSWITCH to answer the last commands."""


class EventSocketConnection(InboundESL):  # type: ignore[misc]
    """A connection that is used once; after a loss, make another.

    Handlers of `register_handle` are called in the reader's greenlet and must not wait. When the connection is lost,
    all waiting commands fail at once.

    Args:
        connect_timeout_s: for the TCP connection, greeting and authentication together.
        command_timeout_s: longest wait for a reply; after that the connection counts as lost.
        silence_timeout_s: longest silence on a connection that receives HEARTBEATs; None if silence is normal.
        tally: counts the commands.
    """

    def __init__(
        self,
        host: str,
        port: int,
        password: str,
        *,
        connect_timeout_s: float = 5.0,
        command_timeout_s: float = 10.0,
        silence_timeout_s: float | None = None,
        tally: CommandTally | None = None,
    ) -> None:
        super().__init__(host, port, password, timeout=connect_timeout_s)
        self.sock: Any = None
        self._command_timeout_s = command_timeout_s
        self._silence_timeout_s = silence_timeout_s
        self._outgoing: list[bytes] = []
        self._outgoing_ready = gevent.event.Event()
        self._unanswered = Unanswered(self._where, command_timeout_s, tally or CommandTally())
        self._greeting: gevent.event.AsyncResult[Any] = gevent.event.AsyncResult()
        self._lost: gevent.event.AsyncResult[Any] = gevent.event.AsyncResult()
        self._greenlets: list[gevent.Greenlet[..., None]] = []
        self._last_data_at = 0.0

    def connect(self) -> None:
        """Connect and authenticate.

        Raises:
            SwitchLost: nothing listens at the address, it is not an Event Socket, or it rejected the password.
        """
        with gevent.Timeout(self.timeout, SwitchLost(f"no greeting from {self._where} within {self.timeout:g} s")):
            try:
                sock = gevent.socket.create_connection((self.host, self.port))
            except OSError as error:
                raise SwitchLost(f"cannot connect to {self._where}: {error.strerror or error}") from error
            if self._lost.ready():
                sock.close()
                raise SwitchLost(f"{self._where}: {self.wait_lost()}")
            self.sock = sock
            sock.setsockopt(gevent.socket.IPPROTO_TCP, gevent.socket.TCP_NODELAY, 1)
            self.connected = True
            self._last_data_at = time.monotonic()
            self._greenlets = [gevent.spawn(self._read), gevent.spawn(self._write), gevent.spawn(self._watch)]
            for greenlet in self._greenlets:
                # A bug must not leave a connection that looks alive.
                greenlet.link_exception(lambda failed: self.lose(f"failed: {failed.exception!r}"))
            try:
                self._greeting.get()
                reply = self.send(f"auth {self.password}")
            except BaseException:
                self.lose("not authenticated")
                raise
        if reply.is_error:
            self.lose("authentication failed")
            raise SwitchLost(f"{self._where} rejected the Event Socket password")

    def post(self, command: str, on_reply: OnReply, *, body: str | None = None, timeout_s: float | None = None) -> None:
        """Send a command without waiting.

        Args:
            command: without the blank line that ends it; may include header lines.
            on_reply: called exactly once, with the reply or a `SwitchLost`, possibly before `post` returns; must not
                wait.
            body: follows the command; FreeSWITCH reads it in one piece, but the command byte by byte.
            timeout_s: for a command whose answer may take longer than usual.
        """
        # Encode first, because that may raise: a command that is counted but not sent would shift all later replies.
        encoded = encode_command(command, body)
        if not self.connected:
            on_reply(NotSent(f"{self._where}: {self._lost.value or 'not connected'}"))
            return
        if len(self._unanswered) >= MAX_PENDING_COMMANDS:
            on_reply(NotSent(f"{MAX_PENDING_COMMANDS} commands to {self._where} are waiting already"))
            return
        self._unanswered.add(on_reply, timeout_s, is_api=command.startswith("api "))
        self._send(encoded)

    def send(self, command: str, timeout_s: float | None = None) -> Reply:
        """Send a command and wait for its reply.

        Raises:
            SwitchLost: no reply, because the connection was lost.
        """
        return self.send_all([command], timeout_s)[0]

    def send_all(self, commands: Sequence[str], timeout_s: float | None = None) -> list[Reply]:
        """Send many commands at once and wait for all their replies.

        Raises:
            SwitchLost: not all were answered, because the connection was lost.
        """
        results: list[gevent.event.AsyncResult[Any]] = []
        for command in commands:
            results.append(gevent.event.AsyncResult())
            self.post(command, results[-1].set, timeout_s=timeout_s)
        replies: list[Reply] = []
        for result in results:
            reply: Any = result.get()
            if isinstance(reply, SwitchLost):
                raise reply
            replies.append(reply)
        return replies

    @property
    def pending_commands(self) -> int:
        """The number of commands without an answer yet."""
        return len(self._unanswered)

    def expect_events_only(self) -> None:
        """Wake up only for whole events: FreeSWITCH sends the headers and the body of an event separately.

        Everything that FreeSWITCH sends by itself is longer than the threshold set here. Do not use this on a
        connection that waits for replies.
        """
        self.sock.setsockopt(gevent.socket.SOL_SOCKET, gevent.socket.SO_RCVLOWAT, _SHORTEST_EVENT)

    def wait_lost(self) -> str:
        """Wait until the connection is lost, and return the reason."""
        return str(self._lost.get())

    def stop(self) -> None:
        """Let the posted commands finish, send ``exit`` and close; commands still unanswered then fail."""
        if self.connected:
            self.post("exit", lambda _: None)
            # FreeSWITCH closes the connection after it has handled all earlier commands.
            self._lost.wait(_GOODBYE_S)
        self.lose("closed by sipbridge")

    def lose(self, reason: str) -> None:
        """Close the connection; only the first reason is kept."""
        if self._lost.ready():
            return
        self._lost.set(reason)
        self.connected = False
        unsent = len(self._outgoing)
        self._outgoing.clear()
        if not self._greeting.ready():
            self._greeting.set_exception(SwitchLost(f"{self._where}: {reason}"))
        if self.sock is not None:
            self.sock.close()
        self._unanswered.lose(reason, unsent)
        current = gevent.getcurrent()
        gevent.killall([greenlet for greenlet in self._greenlets if greenlet is not current], block=False)
        # Break the reference cycle by hand: objects frozen at the last reload are never collected.
        self._greenlets.clear()
        self.event_handlers.clear()

    @property
    def _where(self) -> str:
        return f"{self.host}:{self.port}"

    def _read(self) -> None:
        reader = FrameReader()
        received = 0
        try:
            while data := self.sock.recv(_RECEIVE_BYTES):
                self._last_data_at = time.monotonic()
                for frame in reader.feed(data):
                    self._handle(frame)
                    if not self.connected:
                        return
                # Reading available data does not switch greenlets, so yield after a lot of it.
                received += len(data)
                if received > _RECEIVE_BYTES:
                    received = 0
                    breathe()
        except FramingError as error:
            self.lose(f"protocol error: {error}")
        except OSError as error:
            self.lose(error.strerror or str(error))
        self.lose("closed by FreeSWITCH")

    def _send(self, command: bytes) -> None:
        """Send at once, before the greenlet does anything else, because a call is waiting.

        If the socket is full or broken, the writer greenlet takes over, and keeps the order of later commands.
        """
        if self._outgoing_ready.is_set():
            self._outgoing.append(command)
            return
        try:
            sent = os.write(self.sock.fileno(), command)
        except OSError:
            sent = 0
        if sent < len(command):
            self._outgoing.append(command[sent:])
            self._outgoing_ready.set()

    def _write(self) -> None:
        """Send in batches what could not be sent at once."""
        try:
            while True:
                self._outgoing_ready.wait()
                while self._outgoing:
                    batch, self._outgoing = b"".join(self._outgoing), []
                    self.sock.sendall(batch)
                self._outgoing_ready.clear()
        except OSError as error:
            self.lose(error.strerror or str(error))

    def _watch(self) -> None:
        """Close the connection when a reply or a HEARTBEAT is overdue."""
        while not self._lost.ready():
            gevent.sleep(min(1.0, self._command_timeout_s / 4))
            if (waited_s := self._unanswered.overdue_s()) is not None:
                self.lose(f"no reply within {waited_s:g} s")
            elif self._silence_timeout_s and time.monotonic() - self._last_data_at > self._silence_timeout_s:
                self.lose(f"nothing received for {self._silence_timeout_s:g} s")

    def _handle(self, frame: Frame) -> None:
        match frame.content_type:
            case "text/event-json":
                self._handle_event(frame.body)
            case "command/reply":
                self._handle_reply(frame.headers.get("Reply-Text", ""), is_api=False)
            case "api/response":
                self._handle_reply(frame.body.decode("utf-8", "replace"), is_api=True)
            case "auth/request":
                self._greeting.set(None)
            case "text/disconnect-notice":
                self.lose("disconnected by FreeSWITCH")
            case "text/rude-rejection":
                self.lose("refused by FreeSWITCH's access list (event_socket.conf, apply-inbound-acl)")
            case unknown:
                _log.warning("unknown frame type from %s: %.60r", self._where, unknown)

    def _handle_reply(self, text: str, *, is_api: bool) -> None:
        if not self._unanswered.expects(is_api=is_api):
            self.lose("unexpected reply")
            return
        self._unanswered.answer(text)

    def _handle_event(self, body: bytes) -> None:
        event = decode_event(body)
        if event is None:
            _log.error("dropped an event that is not JSON: %.200r", body)
            return
        name = event.get("Event-Subclass") if event.get("Event-Name") == "CUSTOM" else event.get("Event-Name")
        for handler in self.event_handlers.get(name, ()):
            try:
                handler(event)
            except Exception:  # noqa: BLE001 - one event that cannot be handled must not affect the others
                _log.exception("handling %s for channel %s failed", name, event.get("Unique-ID"))

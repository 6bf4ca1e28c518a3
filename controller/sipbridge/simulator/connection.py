"""Serves one Event Socket connection, with replies and events in the order of the real one. Does socket I/O.

Replies keep the order of the commands. An event that a command causes is sent after that command's reply.

Source: mod_event_socket.c (listener_run).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import gevent
from gevent import socket
from gevent.event import Event as Flag

from sipbridge.simulator.session import Session, World
from sipbridge.simulator.wire import protocol
from sipbridge.simulator.wire.protocol import Command, CommandReader, Event

QUEUE_LIMIT = 100_000
"""Maximum number of events queued for a client that does not read; more are lost."""

LOST_LIMIT = 500
"""The number of lost events after which FreeSWITCH drops the listener."""


class Connection:
    """One client."""

    def __init__(self, sock: socket.socket, world: World, on_close: Callable[[Connection], None]) -> None:
        self._socket = sock
        self._faults = world.faults
        self._bus = world.switch.bus
        self._on_close = on_close
        self._reader = CommandReader()
        self._session = Session(world)
        self._outgoing: deque[bytes] = deque()
        self._held_events: deque[bytes] = deque()
        self._has_outgoing = Flag()
        self._all_sent = Flag()
        self._is_running_command = False
        self._is_closing = False
        self._lost_events = 0
        self._writer: gevent.Greenlet[[], None] | None = None

    # Faults.

    def close(self) -> None:
        """Close the socket at once; unsent data is lost."""
        self._bus.remove(self)
        if not self._is_closing:
            self._is_closing = True
            self._socket.close()
            self._all_sent.set()
            self._on_close(self)
        if self._writer is not None and self._writer is not gevent.getcurrent():
            self._writer.kill(block=False)

    def send(self, sent: bytes) -> None:
        """Send arbitrary bytes."""
        self._outgoing.append(sent)
        self._all_sent.clear()
        self._has_outgoing.set()

    def say_goodbye(self) -> None:
        """Announce an orderly shutdown of FreeSWITCH, send the remaining data, and close."""
        if self._faults.flowing.is_set():
            self.send(protocol.SHUTDOWN_NOTICE)
            self._drain()
        self.close()

    # Events.

    def hears_of(self, name: str) -> bool:
        """Return whether the client subscribed to events of this name."""
        return self._session.subscription.hears_of(name)

    def deliver(self, event: Event) -> None:
        """Queue an event if the client wants it, after the reply to the running command."""
        if not self._session.subscription.wants(event):
            return
        if len(self._outgoing) >= QUEUE_LIMIT:
            self._lost_events += 1
            if self._lost_events > LOST_LIMIT:
                self.close()
            return
        is_plain = self._session.subscription.is_plain
        frame = protocol.format_plain_event(event) if is_plain else protocol.format_json_event(event)
        if self._is_running_command:
            self._held_events.append(frame)
        else:
            self.send(frame)

    # Reading and writing.

    def serve(self) -> None:
        """Serve the client until either side closes."""
        self._bus.add(self)
        self.send(protocol.GREETING)
        self._writer = gevent.spawn(self._write)
        try:
            self._read()
        except OSError:
            # The client is gone, which is the usual end of a connection.
            pass
        finally:
            self.close()

    def _read(self) -> None:
        while received := self._socket.recv(65536):
            if self._faults.half_open:
                continue
            self._faults.flowing.wait()
            for command in self._reader.feed(received):
                if self._is_closing or not self._run(command):
                    return

    def _run(self, command: Command) -> bool:
        """Run a command and answer it; return False if that ends the connection."""
        faults = self._faults
        if faults.reply_delay_s:
            gevent.sleep(faults.reply_delay_s)
        self._is_running_command = True
        try:
            reply, is_last = self._session.answer(command)
        finally:
            self._is_running_command = False
        if not faults.take_lost_reply():
            self.send(reply)
        while self._held_events:
            self.send(self._held_events.popleft())
        if is_last:
            self._drain()
        return not is_last

    def _write(self) -> None:
        faults = self._faults
        while True:
            self._has_outgoing.wait()
            self._has_outgoing.clear()
            while self._outgoing:
                faults.flowing.wait()
                frames = self._take_frames()
                if faults.half_open:
                    continue
                try:
                    self._write_some(frames)
                except OSError:
                    self.close()
                    return
            self._all_sent.set()

    def _take_frames(self) -> bytes:
        """Take the data to send next: everything, or one frame while a fault truncates frames."""
        if not self._faults.truncated_bodies:
            frames = b"".join(self._outgoing)
            self._outgoing.clear()
            return frames
        return self._outgoing.popleft()

    def _write_some(self, frames: bytes) -> None:
        faults = self._faults
        if faults.truncated_bodies and b"Content-Length" in frames and faults.take_truncation():
            head, blank_line, body = frames.partition(b"\n\n")
            self._socket.sendall(head + blank_line + body[: len(body) // 2])
            self.close()
        else:
            # The fault may end while data is being sent slowly.
            while frames and (bytes_per_s := faults.bytes_per_s) is not None:
                part, frames = frames[:512], frames[512:]
                gevent.sleep(len(part) / bytes_per_s)
                self._socket.sendall(part)
            self._socket.sendall(frames)

    def _drain(self) -> None:
        """Wait until everything is sent, or the connection is closed."""
        self._all_sent.wait()

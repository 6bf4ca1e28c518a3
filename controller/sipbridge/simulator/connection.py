"""One Event Socket connection: commands in, replies and events out, in the order of the real one. Does socket I/O.

Replies keep the order of the commands. An event that a command causes is sent after that command's reply.

Source: mod_event_socket.c (listener_run, parse_command).
"""

from __future__ import annotations

import uuid
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

import gevent
from gevent import socket
from gevent.event import Event as Flag

from sipbridge.simulator import protocol
from sipbridge.simulator.api import run_api
from sipbridge.simulator.events import Origin
from sipbridge.simulator.faults import Faults
from sipbridge.simulator.protocol import Command, CommandReader, Event
from sipbridge.simulator.subscription import Filter, Subscription

if TYPE_CHECKING:
    from sipbridge.simulator.switch import Switch

QUEUE_LIMIT = 100_000
"""Events that wait for a reader that does not read; more are lost."""

LOST_LIMIT = 500
"""So many lost events, and FreeSWITCH gives the listener up."""

_BACKGROUND_JOB = Origin("mod_event_socket.c", "api_exec", 1572)


class World(Protocol):
    """What a connection needs from the simulator."""

    @property
    def switch(self) -> Switch:
        """The running switch."""

    @property
    def faults(self) -> Faults:
        """What is wrong at present."""

    @property
    def password(self) -> str:
        """What ``auth`` must say."""

    def shut_down_switch(self, announces: bool = False) -> None:
        """``fsctl shutdown``, or with ``now``: without a word."""


class Connection:
    """One client."""

    def __init__(self, sock: socket.socket, world: World, on_close: Callable[[Connection], None]) -> None:
        self._socket = sock
        self._world = world
        self._on_close = on_close
        self._reader = CommandReader()
        self._subscription = Subscription()
        self._outgoing: deque[bytes] = deque()
        self._held_events: deque[bytes] = deque()
        self._has_outgoing = Flag()
        self._is_running_command = False
        self._is_authenticated = False
        self._is_closing = False
        self._lost_events = 0
        self._writer: gevent.Greenlet[[], None] | None = None

    # Faults.

    def close(self) -> None:
        """Close the socket at once, with whatever was still to be sent."""
        self._world.switch.bus.remove(self)
        if not self._is_closing:
            self._is_closing = True
            self._socket.close()
            self._on_close(self)
        if self._writer is not None and self._writer is not gevent.getcurrent():
            self._writer.kill(block=False)

    def send(self, sent: bytes) -> None:
        """Send bytes, whatever they are."""
        self._outgoing.append(sent)
        self._has_outgoing.set()

    def say_goodbye(self) -> None:
        """FreeSWITCH shuts down in good order: say so, send what is to be sent, and close."""
        if self._world.faults.flowing.is_set():
            self.send(protocol.SHUTDOWN_NOTICE)
            self._drain()
        self.close()

    # Events.

    def hears_of(self, name: str) -> bool:
        """Whether the client subscribed to events of this name."""
        return self._subscription.hears_of(name)

    def deliver(self, event: Event) -> None:
        """Queue an event, if the client wants it; behind the reply to the command that runs."""
        if not self._subscription.wants(event):
            return
        if len(self._outgoing) >= QUEUE_LIMIT:
            self._lost_events += 1
            if self._lost_events > LOST_LIMIT:
                self.close()
            return
        is_plain = self._subscription.is_plain
        frame = protocol.format_plain_event(event) if is_plain else protocol.format_json_event(event)
        if self._is_running_command:
            self._held_events.append(frame)
        else:
            self.send(frame)

    # Reading and writing.

    def serve(self) -> None:
        """Serve the client until one of the two goes."""
        self._world.switch.bus.add(self)
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
            if self._world.faults.half_open:
                continue
            self._world.faults.flowing.wait()
            for command in self._reader.feed(received):
                if not self._run(command):
                    return

    def _run(self, command: Command) -> bool:
        """Run a command and answer it; False when that ends the connection."""
        faults = self._world.faults
        if faults.reply_delay_s:
            gevent.sleep(faults.reply_delay_s)
        self._is_running_command = True
        try:
            reply, is_last = self._answer(command)
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
        faults = self._world.faults
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

    def _take_frames(self) -> bytes:
        """What goes out next: as much as there is, or one frame while frames are being broken."""
        if not self._world.faults.truncated_bodies:
            frames = b"".join(self._outgoing)
            self._outgoing.clear()
            return frames
        return self._outgoing.popleft()

    def _write_some(self, frames: bytes) -> None:
        faults = self._world.faults
        if faults.truncated_bodies and b"Content-Length" in frames and faults.take_truncation():
            head, blank_line, body = frames.partition(b"\n\n")
            self._socket.sendall(head + blank_line + body[: len(body) // 2])
            self.close()
        elif faults.bytes_per_s is None:
            self._socket.sendall(frames)
        else:
            for i in range(0, len(frames), 512):
                part = frames[i : i + 512]
                self._socket.sendall(part)
                gevent.sleep(len(part) / faults.bytes_per_s)

    def _drain(self) -> None:
        """Wait until everything is sent, and close as the real one does: nothing more to read."""
        while self._outgoing and not self._is_closing:
            gevent.sleep(0.001)

    # Commands.

    def _answer(self, command: Command) -> tuple[bytes, bool]:
        """The reply, and whether the connection ends with it."""
        if not self._is_authenticated:
            return self._authenticate(command)
        match command.verb:
            case "exit":
                return protocol.format_command_reply("+OK bye") + protocol.DISCONNECT_NOTICE, True
            case "api" if command.argument:
                return self._run_api(command.argument)
            case "bgapi" if command.argument:
                return self._run_background(command), False
            case _:
                return protocol.format_command_reply(self._run_command(command)), False

    def _authenticate(self, command: Command) -> tuple[bytes, bool]:
        match command.verb:
            case "auth" if command.argument == self._world.password:
                self._is_authenticated = True
                return protocol.format_command_reply("+OK accepted"), False
            case "auth":
                return protocol.format_command_reply("-ERR invalid") + protocol.DISCONNECT_NOTICE, True
            case "exit":
                return protocol.format_command_reply("+OK bye") + protocol.DISCONNECT_NOTICE, True
            case _:
                return protocol.format_command_reply("-ERR command not found"), False

    def _run_api(self, text: str) -> tuple[bytes, bool]:
        if text.startswith("fsctl shutdown"):
            announces = text != "fsctl shutdown now"
            gevent.spawn(self._world.shut_down_switch, announces)
            # Now means that it dies before it answers.
            return protocol.format_api_response("+OK\n") if announces else b"", not announces
        return protocol.format_api_response(run_api(self._world.switch, text)), False

    def _run_background(self, command: Command) -> bytes:
        job_uuid = command.headers.get("job-uuid") or str(uuid.uuid4())
        name, _, argument = command.argument.partition(" ")
        switch = self._world.switch

        def run() -> None:
            body = run_api(switch, command.argument)
            fields = {"Job-UUID": job_uuid, "Job-Command": name}
            if argument:
                fields["Job-Command-Arg"] = argument
            fields["Content-Length"] = str(len(body.encode("utf-8", "surrogateescape")))
            switch.bus.fire("BACKGROUND_JOB", _BACKGROUND_JOB, {**fields, "_body": body})

        switch.clock.after(0, run)
        return protocol.format_command_reply(f"+OK Job-UUID: {job_uuid}", job_uuid)

    def _run_command(self, command: Command) -> str:
        match command.verb:
            case "event":
                return self._subscribe(command.argument.split())
            case "nixevent":
                self._subscription.remove(command.argument.split())
                return "+OK events nixed"
            case "noevents":
                self._subscription.clear()
                return "+OK no longer listening for events"
            case "filter" if command.argument:
                return self._filter(command.argument)
            case "sendmsg":
                return self._send_message(command)
            case _:
                return "-ERR command not found"

    def _subscribe(self, words: list[str]) -> str:
        form = words.pop(0).lower() if words and words[0].lower() in ("plain", "json", "xml") else "plain"
        self._subscription.is_plain = form != "json"
        if not self._subscription.add(words):
            return "-ERR no keywords supplied"
        return f"+OK event listener enabled {form}"

    def _filter(self, argument: str) -> str:
        name, _, value = argument.partition(" ")
        if name.lower() == "delete" and value:
            name, _, value = value.partition(" ")
            self._subscription.remove_filters(name, value)
            return f"+OK filter deleted. [{name}][{value}]"
        if not value:
            return "-ERR invalid syntax"
        if name.lower() == "add":
            name, _, value = value.partition(" ")
        self._subscription.filters.append(Filter(name, value))
        return f"+OK filter added. [{name}]=[{value}]"

    def _send_message(self, command: Command) -> str:
        channel_uuid = command.argument
        call = self._world.switch.call_of(channel_uuid)
        if call is None:
            return f"-ERR invalid session id [{channel_uuid}]"
        match command.headers.get("call-command"):
            case "execute":
                argument = command.body or command.headers.get("execute-app-arg", "")
                call.execute(command.headers.get("execute-app-name", ""), argument)
            case "hangup":
                cause = command.headers.get("hangup-cause", "NORMAL_CLEARING")
                self._world.switch.clock.after(0, lambda: call.kill(cause))
            case _:
                # FreeSWITCH queues it, finds nothing to do, and says so to nobody.
                pass
        return "+OK"

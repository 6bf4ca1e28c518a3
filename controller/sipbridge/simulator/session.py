"""Runs the commands of one Event Socket client and returns the replies. Changes the switch.

Source: mod_event_socket.c (parse_command).
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Protocol

import gevent

from sipbridge.simulator.api import run_api
from sipbridge.simulator.wire import protocol
from sipbridge.simulator.wire.events import Origin
from sipbridge.simulator.wire.faults import Faults
from sipbridge.simulator.wire.protocol import Command
from sipbridge.simulator.wire.subscription import Filter, Subscription

if TYPE_CHECKING:
    from sipbridge.simulator.switch import Switch

_POLL_S = 0.01
_SENT_EVENT = Origin("mod_event_socket.c", "parse_command", 2273)
_BACKGROUND_JOB = Origin("mod_event_socket.c", "api_exec", 1572)


class World(Protocol):
    """What a connection needs from the simulator."""

    @property
    def switch(self) -> Switch:
        """The running switch."""

    @property
    def faults(self) -> Faults:
        """The current faults."""

    @property
    def password(self) -> str:
        """The password for ``auth``."""

    def shut_down_switch(self, announces: bool = False) -> None:
        """Run ``fsctl shutdown``, or ``fsctl shutdown now``, which sends no event."""


class Session:
    """The state of one client.

    Attributes:
        subscription: the events that it subscribed to.
    """

    def __init__(self, world: World) -> None:
        self.subscription = Subscription()
        self._world = world
        # A connection does not outlive the run of the switch that it was made to.
        self._switch = world.switch
        self._is_authenticated = False

    def answer(self, command: Command) -> tuple[bytes, bool]:
        """Run a command; returns its reply, and whether the connection ends with it."""
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
        match text.split():
            case ["fsctl", "shutdown", "now"]:
                gevent.spawn(self._world.shut_down_switch)
                # FreeSWITCH ends before it answers.
                return b"", True
            case ["fsctl", "shutdown", *how] if "cancel" not in how:
                self._switch.begin_shutdown(takes_calls="elegant" in how)
                gevent.spawn(self._shut_down, waits="elegant" in how or "asap" in how)
                return protocol.format_api_response("+OK\n"), False
        return protocol.format_api_response(run_api(self._switch, text)), False

    def _shut_down(self, *, waits: bool) -> None:
        switch = self._switch
        while waits and switch.calls and switch.is_leaving:
            gevent.sleep(_POLL_S)
        if switch.is_leaving and self._world.switch is switch:
            self._world.shut_down_switch(announces=True)

    def _run_background(self, command: Command) -> bytes:
        job_uuid = command.headers.get("job-uuid") or str(uuid.uuid4())
        name, _, argument = command.argument.partition(" ")
        switch = self._switch

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
                self.subscription.remove(command.argument.split())
                return "+OK events nixed"
            case "noevents":
                self.subscription.clear()
                return "+OK no longer listening for events"
            case "filter" if command.argument:
                return self._filter(command.argument)
            case "sendmsg":
                return self._send_message(command)
            case "sendevent" if command.argument:
                return self._send_event(command)
            case _:
                return "-ERR command not found"

    def _subscribe(self, words: list[str]) -> str:
        form = words.pop(0).lower() if words and words[0].lower() in ("plain", "json", "xml") else "plain"
        self.subscription.is_plain = form != "json"
        if not self.subscription.add(words):
            return "-ERR no keywords supplied"
        return f"+OK event listener enabled {form}"

    def _filter(self, argument: str) -> str:
        name, _, value = argument.partition(" ")
        if name.lower() == "delete" and value:
            name, _, value = value.partition(" ")
            self.subscription.remove_filters(name, value)
            return f"+OK filter deleted. [{name}][{value}]"
        if not value:
            return "-ERR invalid syntax"
        if name.lower() == "add":
            name, _, value = value.partition(" ")
        self.subscription.filters.append(Filter(name, value))
        return f"+OK filter added. [{name}]=[{value}]"

    def _send_event(self, command: Command) -> str:
        event_uuid = str(uuid.uuid4())
        switch = self._switch
        # Names of headers come in lower case here; FreeSWITCH compares them without case.
        fields = {name.title(): value for name, value in command.headers.items()}
        subclass = fields.pop("Event-Subclass", "")
        switch.clock.after(0, lambda: switch.bus.fire(command.argument, _SENT_EVENT, fields, subclass))
        return f"+OK {event_uuid}"

    def _send_message(self, command: Command) -> str:
        channel_uuid = command.argument
        call = self._switch.call_of(channel_uuid)
        if call is None:
            return f"-ERR invalid session id [{channel_uuid}]"
        match command.headers.get("call-command"):
            # The B leg of a bridge runs no applications.
            case "execute" if channel_uuid == call.uuid:
                argument = command.body or command.headers.get("execute-app-arg", "")
                call.execute(command.headers.get("execute-app-name", ""), argument)
            case "hangup":
                cause = command.headers.get("hangup-cause", "NORMAL_CLEARING")
                self._switch.clock.after(0, lambda: call.kill(cause, channel_uuid))
            case _:
                # FreeSWITCH queues it, finds nothing to do, and reports nothing.
                pass
        return "+OK"

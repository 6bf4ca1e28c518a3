"""A scripted Event Socket server, and a gevent runner that leaves nothing behind."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import gevent
import gevent.server
import gevent.socket
import orjson

PASSWORD = "ClueCon"
AUTH_REQUEST = b"Content-Type: auth/request\n\n"
ACCEPTED = b"Content-Type: command/reply\nReply-Text: +OK accepted\n\n"
DISCONNECT = b"Content-Type: text/disconnect-notice\nContent-Length: 5\n\nBye.\n"


def reply(text: str) -> bytes:
    return f"Content-Type: command/reply\nReply-Text: {text}\n\n".encode()


def response(text: str) -> bytes:
    body = text.encode("utf-8", "surrogateescape")
    return b"Content-Type: api/response\nContent-Length: %d\n\n" % len(body) + body


_EVERY_EVENT = {
    "Core-UUID": "a5977245-baf5-4130-9df5-ace9a9b02fa4",
    "FreeSWITCH-Hostname": "vm",
    "FreeSWITCH-Switchname": "vm",
    "Event-Date-Local": "2026-11-23 01:23:47",
}


def event(name: str, **headers: object) -> bytes:
    return raw_event(orjson.dumps({"Event-Name": name, **_EVERY_EVENT, **headers}))


def raw_event(body: bytes) -> bytes:
    return b"Content-Length: %d\nContent-Type: text/event-json\n\n" % len(body) + body


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


class Client:
    """A client of the server, as the server sees it."""

    def __init__(self, sock: gevent.socket.socket) -> None:
        self.sock = sock
        self.commands: list[str] = []
        self._buffer = b""

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def command(self) -> str | None:
        """The next command, without the blank line, and a body after one; None when the client is gone."""
        head = self._take(lambda: self._buffer.find(b"\n\n"), and_then=2)
        if head is None:
            return None
        length = re.search(rb"^content-length: (\d+)$", head, re.MULTILINE)
        if length is None:
            self.commands.append(_text(head))
        else:
            body = self._take(lambda: int(length[1]) if len(self._buffer) >= int(length[1]) else -1)
            if body is None:
                return None
            self.commands.append(f"{_text(head)}\n\n{_text(body)}")
        return self.commands[-1]

    def _take(self, length: Callable[[], int], and_then: int = 0) -> bytes | None:
        while (end := length()) < 0:
            try:
                data = self.sock.recv(65536)
            except OSError:
                return None
            if not data:
                return None
            self._buffer += data
        taken, self._buffer = self._buffer[:end], self._buffer[end + and_then :]
        return taken

    def authenticate(self) -> None:
        self.send(AUTH_REQUEST)
        assert self.command() == f"auth {PASSWORD}"
        self.send(ACCEPTED)

    def answer(self, answers: Callable[[str], bytes | None]) -> None:
        """Answer every command until the client is gone or says goodbye; None is no answer."""
        while (command := self.command()) not in (None, "exit"):
            answered = answers(command)
            if answered is not None:
                self.send(answered)


class Server:
    """Runs `script` for every client, each in a greenlet; closes the connection when it returns."""

    def __init__(self, script: Callable[[Client], None]) -> None:
        self.clients: list[Client] = []
        self._script = script
        self._server = gevent.server.StreamServer(("127.0.0.1", 0), self._serve)
        self._greenlets: list[gevent.Greenlet[..., None]] = []
        self._server.start()

    @property
    def port(self) -> int:
        return int(self._server.server_port)

    def _serve(self, sock: gevent.socket.socket, _address: object) -> None:
        client = Client(sock)
        self.clients.append(client)
        self._greenlets.append(gevent.getcurrent())
        try:
            self._script(client)
        finally:
            sock.close()

    def refuse(self) -> None:
        """Listen no more, and leave the clients as they are."""
        self._server.close()

    def stop(self) -> None:
        self._server.stop(timeout=0)
        gevent.killall(self._greenlets)


@contextmanager
def serving(script: Callable[[Client], None]) -> Iterator[Server]:
    server = Server(script)
    try:
        yield server
    finally:
        server.stop()


def hold(client: Client) -> None:
    """Keep a connection open, and read nothing."""
    del client
    gevent.sleep(3600)


def until(condition: Callable[[], object], timeout_s: float = 5.0) -> None:
    """Wait until something is so.

    Raises:
        AssertionError: it is not, after `timeout_s`.
    """
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        gevent.sleep(0.002)

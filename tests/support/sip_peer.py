"""A scripted SIP endpoint on loopback: records every message as it was on the wire, answers by rule. I/O: UDP and TCP.

No stack decides anything here, so a test sees exactly what FreeSWITCH sent, and can send and answer what no stack
would. Threads and blocking sockets; every wait has a deadline.
"""

from __future__ import annotations

import contextlib
import itertools
import socket
import threading
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Self

from support.processes import bind_udp_and_tcp
from support.sip_message import SipMessage, parse_message, split_stream
from support.sip_rule import Reply, Rule, answers

_serial = itertools.count(1)
_COPIED_TO_RESPONSES = ("via", "from", "call-id", "cseq", "record-route")


class SipPeer:
    """An endpoint that listens on one loopback port, UDP and TCP alike.

    Args:
        rule: what it answers; it may be replaced at any time.
        ip: where it listens; another address of 127.0.0.0/8 makes it another host.
        port: any free one by default.

    Attributes:
        received: every message that arrived, in order.
        on_response: told of each response, in the thread that read it.
        connections: those over TCP, by ``ip:port`` of the other side.
    """

    stream = "tcp"
    """What its connections are called in Via and Contact."""

    def __init__(self, rule: Rule | None = None, *, ip: str = "127.0.0.1", port: int = 0) -> None:
        self.rule: Rule = rule or answers()
        self.on_response: Callable[[SipMessage], object] = lambda _: None
        self.received: list[SipMessage] = []
        self._arrived = threading.Condition()
        self._reply_paths: dict[int, Callable[[bytes], object]] = {}
        self.connections: dict[str, socket.socket] = {}
        self._udp, self._tcp = bind_udp_and_tcp(ip, port)
        self.port: int = self._udp.getsockname()[1]
        self.hostport = f"[{ip}]:{self.port}" if ":" in ip else f"{ip}:{self.port}"
        for serve in (self._serve_udp, self._serve_tcp):
            threading.Thread(target=serve, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close every socket, which ends the threads."""
        for sock in (self._udp, self._tcp, *self.connections.values()):
            with contextlib.suppress(OSError):  # not connected: nothing to shut down
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()

    # What has arrived.

    def wait_for(
        self, matches: Callable[[SipMessage], bool], *, count: int = 1, timeout_s: float = 8.0, since: int = 0
    ) -> SipMessage:
        """The `count`-th message that matches, as soon as it is there.

        Args:
            since: how many of the messages received first do not count.

        Raises:
            TimeoutError: with what was received instead.
        """

        def found() -> SipMessage | None:
            return next(itertools.islice(filter(matches, self.received[since:]), count - 1, None), None)

        with self._arrived:
            message = self._arrived.wait_for(found, timeout_s)
        if message is None:
            instead = [one.start_line for one in self.received[since:]]
            raise TimeoutError(f"not received in {timeout_s} s, but {instead}")
        return message

    def request(self, method: str, *, count: int = 1, timeout_s: float = 8.0, since: int = 0) -> SipMessage:
        """The `count`-th request of a method."""
        return self.wait_for(lambda one: one.method == method, count=count, timeout_s=timeout_s, since=since)

    def response(self, request: SipMessage, status: int, *, timeout_s: float = 8.0) -> SipMessage:
        """The response of this status to a request of this peer."""
        return self.wait_for(
            lambda one: one.status == status and one.transaction == request.transaction, timeout_s=timeout_s
        )

    def final_response(self, request: SipMessage, *, count: int = 1, timeout_s: float = 8.0) -> SipMessage:
        """The final response to a request of this peer."""
        return self.wait_for(
            lambda one: one.status >= 200 and one.transaction == request.transaction and one["CSeq"] == request["CSeq"],
            count=count,
            timeout_s=timeout_s,
        )

    def statuses(self, request: SipMessage) -> list[int]:
        """The statuses of the responses to a request so far."""
        return [one.status for one in self.received if one.status and one.transaction == request.transaction]

    # What it sends.

    def send(self, message: SipMessage, to: str, transport: str = "udp") -> None:
        """Send a message to ``host:port``."""
        host, _, port = to.rpartition(":")
        if transport == "udp":
            self._udp.sendto(message.encode(), (host.strip("[]"), int(port)))
            return
        connection = self.connections.get(to)
        if connection is None:
            connection = self.secure(socket.create_connection((host.strip("[]"), int(port)), 5), accepted=False)
            connection.settimeout(None)
            self.connections[to] = connection
            threading.Thread(target=self._read_stream, args=(connection,), daemon=True).start()
        connection.sendall(message.encode())

    def new_request(
        self,
        method: str,
        request_uri: str,
        *,
        from_: str,
        to: str,
        transport: str = "udp",
        headers: Iterable[tuple[str, str]] = (),
        body: str = "",
    ) -> SipMessage:
        """A request outside of any dialog, not sent yet.

        Args:
            from_: without a tag.
        """
        serial = next(_serial)
        return SipMessage(
            f"{method} {request_uri} SIP/2.0",
            (
                ("Via", self.new_via(transport)),
                ("Max-Forwards", "70"),
                ("From", f"{from_};tag=caller{serial}"),
                ("To", to),
                ("Call-ID", f"{serial}@{self.hostport}"),
                ("CSeq", f"1 {method}"),
                ("Contact", f"<sip:caller@{self.hostport};transport={transport}>"),
                *headers,
                *_content_type(body),
            ),
            body,
        )

    def within_dialog(
        self,
        method: str,
        invite: SipMessage,
        final: SipMessage,
        *,
        cseq: int = 1,
        transport: str = "udp",
        headers: Iterable[tuple[str, str]] = (),
        body: str = "",
    ) -> SipMessage:
        """A request of the caller in the dialog that `final` has made of `invite`, or of the same transaction.

        Args:
            final: the response to `invite`; for CANCEL any.
            cseq: that of the INVITE for ACK and CANCEL.
        """
        same_transaction = method == "CANCEL" or (method == "ACK" and final.status >= 300)
        target = invite.request_uri if same_transaction else _uri_of(final["Contact"])
        return SipMessage(
            f"{method} {target} SIP/2.0",
            (
                ("Via", invite["Via"] if same_transaction else self.new_via(transport)),
                ("Max-Forwards", "70"),
                ("From", invite["From"]),
                ("To", invite["To"] if method == "CANCEL" else final["To"]),
                ("Call-ID", invite["Call-ID"]),
                ("CSeq", f"{cseq} {method}"),
                ("Contact", f"<sip:caller@{self.hostport};transport={transport}>"),
                *headers,
                *_content_type(body),
            ),
            body,
        )

    def send_as_callee(
        self,
        method: str,
        invite: SipMessage,
        *,
        cseq: int = 100,
        headers: Iterable[tuple[str, str]] = (),
        body: str = "",
    ) -> SipMessage:
        """Send a request of the callee in the dialog of an INVITE that this peer answered; return it."""
        target = _uri_of(invite["Contact"])
        message = SipMessage(
            f"{method} {target} SIP/2.0",
            (
                ("Via", self.new_via(invite.transport)),
                ("Max-Forwards", "70"),
                ("From", f"{invite['To']};tag=callee"),
                ("To", invite["From"]),
                ("Call-ID", invite["Call-ID"]),
                ("CSeq", f"{cseq} {method}"),
                ("Contact", f"<sip:callee@{self.hostport};transport={invite.transport}>"),
                *headers,
                *_content_type(body),
            ),
            body,
        )
        self.send(message, target.partition("@")[2].partition(";")[0], invite.transport)
        return message

    def respond(self, request: SipMessage, reply: Reply) -> None:
        """Answer a received request, on the way it came."""
        copied = tuple(pair for pair in request.headers if pair[0].lower() in _COPIED_TO_RESPONSES)
        to = request["To"] if request.in_dialog or reply.status == 100 else f"{request['To']};tag=callee"
        contact = f"<sip:callee@{self.hostport};transport={request.transport}>"
        headers = (*copied, ("To", to), *reply.lines(contact), *_content_type(reply.body))
        response = SipMessage(f"SIP/2.0 {reply.status} {reply.phrase}", headers, reply.body)
        with contextlib.suppress(OSError):  # the other side hung up the connection: nobody waits for this
            self._reply_paths[id(request)](response.encode())

    # Sockets.

    def secure(self, connection: socket.socket, *, accepted: bool) -> socket.socket:
        """A connection as it is used, once it is there."""
        return connection

    def new_via(self, transport: str = "udp") -> str:
        """The Via of a new transaction."""
        return f"SIP/2.0/{transport.upper()} {self.hostport};branch=z9hG4bK{next(_serial)};rport"

    def _handle(self, raw: bytes, transport: str, reply_path: Callable[[bytes], object]) -> None:
        message = parse_message(raw, transport)
        with self._arrived:
            self._reply_paths[id(message)] = reply_path
            self.received.append(message)
            self._arrived.notify_all()
        if message.status:
            self.on_response(message)
        elif message.method != "ACK":
            for reply in self.rule(message):
                self.respond(message, reply)

    def _serve_udp(self) -> None:
        while True:
            try:
                raw, address = self._udp.recvfrom(65_536)
            except OSError:
                return
            if raw.strip():
                self._handle(raw, "udp", lambda answer, to=address: self._udp.sendto(answer, to))  # type: ignore[misc]

    def _serve_tcp(self) -> None:
        while True:
            try:
                plain, address = self._tcp.accept()
            except OSError:
                return
            try:
                connection = self.secure(plain, accepted=True)
            except OSError:  # the other side does not trust us, or we not it
                plain.close()
                continue
            self.connections[f"{address[0]}:{address[1]}"] = connection
            threading.Thread(target=self._read_stream, args=(connection,), daemon=True).start()

    def _read_stream(self, connection: socket.socket) -> None:
        rest = b""
        while True:
            try:
                chunk = connection.recv(65_536)
            except OSError:
                return
            if not chunk:
                return
            messages, rest = split_stream(rest + chunk)
            for raw in messages:
                self._handle(raw, self.stream, connection.sendall)


def _uri_of(address: str) -> str:
    return address.partition("<")[2].partition(">")[0]


def _content_type(body: str) -> tuple[tuple[str, str], ...]:
    return (("Content-Type", "application/sdp"),) if body.startswith("v=0") else ()


def answers_options(hostport: str) -> bool:
    """Whether somebody answers OPTIONS there, whatever the answer; waits a third of a second for it."""
    with SipPeer() as peer:
        ping = peer.new_request("OPTIONS", f"sip:{hostport}", from_="<sip:a@b>", to="<sip:c@d>")
        peer.send(ping, hostport)
        try:
            return bool(peer.final_response(ping, timeout_s=0.3))
        except TimeoutError:
            return False

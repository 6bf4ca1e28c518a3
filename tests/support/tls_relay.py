"""TLS in front of a TCP port, for a peer that has none. I/O: sockets on loopback; openssl makes the certificate."""

from __future__ import annotations

import contextlib
import select
import shutil
import socket
import ssl
import subprocess
import threading
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast

PROGRAM = shutil.which("openssl")


def make_certificate(directory: Path, name: str, names: str = "", before: str = "") -> Path:
    """Make ``cert.pem``, signed by itself, and ``key.pem`` in a folder; return the folder.

    Args:
        name: the host that it is for.
        names: its subjectAltName, as openssl has it; by default that host, and 127.0.0.1 if it is no address.
        before: an extension that stands before it.
    """
    directory.mkdir(exist_ok=True)
    command = [PROGRAM or "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    command += ["-keyout", str(directory / "key.pem"), "-out", str(directory / "cert.pem"), "-subj", f"/CN={name}"]
    command += ["-addext", before] if before else []
    by_default = f"IP:{name.strip('[]')}" if ":" in name or name[-1].isdigit() else f"DNS:{name},IP:127.0.0.1"
    command += ["-addext", f"subjectAltName={names or by_default}"]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    return directory


def client_context(certificate: Path | None, trusted: Path) -> ssl.SSLContext:
    """How a client connects that shows a certificate, or none, and trusts one: folders of `make_certificate`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # What it connects to is an address, which the certificate does not bear.
    context.check_hostname = False
    context.load_verify_locations(trusted / "cert.pem")
    if certificate is not None:
        context.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
    return context


class TlsSocket(ssl.SSLSocket):
    """One that a thread may read from while another writes: OpenSSL's connections are for one thread at a time.

    A client that speaks TLS 1.3 has something to read, tickets, just when it begins to write.
    """

    _at_a_time: threading.Lock

    def recv(self, size: int = 1024, flags: int = 0) -> bytes:
        while True:
            with self._at_a_time, contextlib.suppress(ssl.SSLWantReadError):
                self.settimeout(0)
                return super().recv(size, flags)
            try:
                select.select([self], [], [], 1.0)
            except ValueError:  # closed meanwhile
                return b""

    def sendall(self, message: Any, flags: int = 0) -> None:
        with self._at_a_time:
            self.settimeout(10)
            super().sendall(message, flags)


def secure(context: ssl.SSLContext, connection: socket.socket, *, accepted: bool) -> TlsSocket:
    """A connection with TLS, as server or client."""
    context.sslsocket_class = TlsSocket
    connection.settimeout(10)
    secured = cast(TlsSocket, context.wrap_socket(connection, server_side=accepted))
    secured._at_a_time = threading.Lock()
    return secured


class TlsRelay:
    """Passes what comes over TLS on to a TCP port, and back.

    Args:
        target: ``ip:port``.
        certificate: a folder of `make_certificate`.

    Attributes:
        hostport: where it listens.
        names: the host names that were asked for (RFC 6066 §3).
    """

    def __init__(self, target: str, certificate: Path) -> None:
        self.names: list[str | None] = []
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
        self._context.sni_callback = lambda connection, name, context: self.names.append(name)
        self._listen(target)

    def _listen(self, target: str) -> None:
        host, _, port = target.rpartition(":")
        ip = host.strip("[]")
        self._target = (ip, int(port))
        self._sockets: list[socket.socket] = []
        self._listener = socket.create_server((ip, 0), family=socket.AF_INET6 if ":" in ip else socket.AF_INET)
        self.hostport = f"{host}:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for sock in (self._listener, *self._sockets):
            with contextlib.suppress(OSError):  # not connected: nothing to shut down
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()

    def _accept(self) -> None:
        while True:
            try:
                accepted, _ = self._listener.accept()
            except OSError:
                return
            try:
                near, far = self._both_ends(accepted)
            except OSError:  # one side does not trust the other, and hangs up
                accepted.close()
                continue
            self._sockets += [near, far]
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=_pump, args=(source, sink), daemon=True).start()

    def _both_ends(self, accepted: socket.socket) -> tuple[socket.socket, socket.socket]:
        return secure(self._context, accepted, accepted=True), self._connect()

    def _connect(self) -> socket.socket:
        connection = socket.create_connection(self._target, 5)
        connection.settimeout(None)
        return connection


class TlsClientRelay(TlsRelay):
    """Passes what comes over TCP on to a TLS port, and back, for a client that has no TLS.

    Args:
        target: ``ip:port``.
        certificate: a folder of `make_certificate`: what it shows.
        trusted: likewise: whom it trusts.
    """

    def __init__(self, target: str, certificate: Path, trusted: Path) -> None:
        self._context = client_context(certificate, trusted)
        self._listen(target)

    def _both_ends(self, accepted: socket.socket) -> tuple[socket.socket, socket.socket]:
        return accepted, secure(self._context, self._connect(), accepted=False)


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):  # closed
        while chunk := source.recv(65_536):
            sink.sendall(chunk)

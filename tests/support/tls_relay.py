"""TLS in front of a TCP port, for a peer that has none. I/O: sockets on loopback; openssl makes the certificate."""

from __future__ import annotations

import contextlib
import shutil
import socket
import ssl
import subprocess
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

PROGRAM = shutil.which("openssl")


def make_certificate(directory: Path, name: str) -> Path:
    """Make ``cert.pem``, signed by itself, and ``key.pem`` in a folder; return the folder.

    Args:
        name: the host that it is for.
    """
    directory.mkdir(exist_ok=True)
    command = [PROGRAM or "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    command += ["-keyout", str(directory / "key.pem"), "-out", str(directory / "cert.pem"), "-subj", f"/CN={name}"]
    command += ["-addext", f"subjectAltName=DNS:{name}"]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    return directory


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
        ip, _, port = target.rpartition(":")
        self._target = (ip, int(port))
        self.names: list[str | None] = []
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
        self._context.sni_callback = lambda connection, name, context: self.names.append(name)
        self._sockets: list[socket.socket] = []
        self._listener = socket.create_server((ip, 0))
        self.hostport = f"{ip}:{self._listener.getsockname()[1]}"
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
                secure = self._context.wrap_socket(accepted, server_side=True)
            except OSError:  # the client does not trust us, and hangs up
                accepted.close()
                continue
            plain = socket.create_connection(self._target, 5)
            plain.settimeout(None)
            self._sockets += [secure, plain]
            for source, sink in ((secure, plain), (plain, secure)):
                threading.Thread(target=_pump, args=(source, sink), daemon=True).start()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):  # closed
        while chunk := source.recv(65_536):
            sink.sendall(chunk)

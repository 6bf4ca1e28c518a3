"""A scripted SIP endpoint that speaks TLS, verifies the other side and shows who it is itself. I/O: UDP and TLS."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path

from support.sip_peer import SipPeer
from support.sip_rule import Rule
from support.tls_relay import client_context, secure


class TlsPeer(SipPeer):
    """A `SipPeer` with TLS in the place of TCP.

    Args:
        certificate: a folder of `make_certificate`: what it shows.
        trusted: likewise: whom it connects to.
    """

    stream = "tls"

    def __init__(self, certificate: Path, trusted: Path, rule: Rule | None = None, *, ip: str = "127.0.0.1") -> None:
        self._as_server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._as_server.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
        self._as_client = client_context(certificate, trusted)
        super().__init__(rule, ip=ip)

    def secure(self, connection: socket.socket, *, accepted: bool) -> socket.socket:
        return secure(self._as_server if accepted else self._as_client, connection, accepted=accepted)

"""Asks a SIP port with OPTIONS and measures how long the answer takes (RFC 3261 §11). I/O: a UDP socket."""

from __future__ import annotations

import secrets
import time

import gevent.socket

_MOST_BYTES = 65_535


def answer_time_s(ip: str, port: int, timeout_s: float) -> float | None:
    """Send OPTIONS over UDP and wait for its answer, whatever its status.

    Returns:
        Seconds until the answer; None if there was none in time, or nobody listens there.
    """
    family = gevent.socket.AF_INET6 if ":" in ip else gevent.socket.AF_INET
    with gevent.socket.socket(family, gevent.socket.SOCK_DGRAM) as sock:
        try:
            sock.connect((ip, port))
            call_id = secrets.token_hex(16)
            request = _options(_hostport(*sock.getsockname()[:2]), _hostport(ip, port), call_id)
            began = time.monotonic()
            sock.send(request)
            while (left_s := began + timeout_s - time.monotonic()) > 0:
                sock.settimeout(left_s)
                if _is_answer(sock.recv(_MOST_BYTES), call_id):
                    return time.monotonic() - began
        except TimeoutError:
            # It may be there already, where it was this process that had no time to look.
            return timeout_s if _has_arrived(sock, call_id) else None
        except OSError:
            return None
    return None


def _has_arrived(sock: gevent.socket.socket, call_id: str) -> bool:
    sock.setblocking(False)
    try:
        while not _is_answer(sock.recv(_MOST_BYTES), call_id):
            pass
    except OSError:
        return False
    return True


def _is_answer(received: bytes, call_id: str) -> bool:
    return received.startswith(b"SIP/2.0 ") and call_id.encode() in received


def _options(own: str, asked: str, call_id: str) -> bytes:
    lines = (
        f"OPTIONS sip:{asked} SIP/2.0",
        f"Via: SIP/2.0/UDP {own};branch=z9hG4bK{call_id};rport",
        "Max-Forwards: 70",
        f"From: <sip:probe@{own}>;tag={call_id[:8]}",
        f"To: <sip:{asked}>",
        f"Call-ID: {call_id}",
        "CSeq: 1 OPTIONS",
        "Content-Length: 0",
        "",
        "",
    )
    return "\r\n".join(lines).encode("ascii")


def _hostport(ip: str, port: int) -> str:
    return f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}"

"""Parses and formats SIP messages, unchanged. Pure.

Not a stack: headers stay in order and unparsed, bytes that are not UTF-8 survive as lone surrogates, and nothing is
corrected. A test compares what was on the wire.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

_COMPACT = {"v": "via", "f": "from", "t": "to", "m": "contact", "i": "call-id", "l": "content-length"}
_TAG = re.compile(r";tag=[^;]*")


@dataclass(frozen=True, slots=True)
class SipMessage:
    """One request or response.

    Attributes:
        start_line: ``INVITE sip:bob@example.org SIP/2.0`` or ``SIP/2.0 486 Busy Here``.
        headers: name and value, in order.
        transport: how it arrived, ``udp`` or ``tcp``; ``""`` for one that was made here.
    """

    start_line: str
    headers: tuple[tuple[str, str], ...]
    body: str = ""
    transport: str = field(default="", compare=False)

    @property
    def status(self) -> int:
        """The status of a response; 0 for a request."""
        return int(self.start_line.split(" ", 2)[1]) if self.start_line.startswith("SIP/2.0 ") else 0

    @property
    def method(self) -> str:
        """``INVITE``; ``""`` for a response."""
        return "" if self.status else self.start_line.partition(" ")[0]

    @property
    def request_uri(self) -> str:
        """The Request-URI of a request."""
        return self.start_line.partition(" ")[2].rpartition(" ")[0]

    @property
    def in_dialog(self) -> bool:
        """Whether a request belongs to a dialog: its To has a tag."""
        return ";tag=" in self["To"]

    @property
    def transaction(self) -> tuple[str, str]:
        """Call-ID and method: what a response has in common with its request, in tests that send one at a time."""
        return self["Call-ID"], self["CSeq"].partition(" ")[2]

    def __getitem__(self, name: str) -> str:
        """The first header of that name; ``""`` when there is none."""
        return next(iter(self.values(name)), "")

    def values(self, name: str) -> list[str]:
        """All headers of that name."""
        wanted = name.lower()
        return [value for key, value in self.headers if _COMPACT.get(key.lower(), key.lower()) == wanted]

    def with_header(self, name: str, value: str) -> SipMessage:
        """This message with that header in the place of all of that name."""
        others = tuple(pair for pair in self.headers if pair[0].lower() != name.lower())
        return replace(self, headers=(*others, (name, value)))

    def __contains__(self, name: str) -> bool:
        return bool(self[name])

    def encode(self) -> bytes:
        """The message as it goes on the wire, Content-Length added."""
        body = self.body.encode("utf-8", "surrogateescape")
        lines = [self.start_line, *(f"{name}: {value}" for name, value in self.headers), f"Content-Length: {len(body)}"]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8", "surrogateescape") + body


def parse_message(raw: bytes, transport: str = "") -> SipMessage:
    """Parse one whole message."""
    head, _, body = raw.decode("utf-8", "surrogateescape").partition("\r\n\r\n")
    start_line, *lines = head.split("\r\n")
    pairs = (line.partition(":") for line in lines)
    return SipMessage(start_line, tuple((name.strip(), value.strip()) for name, _, value in pairs), body, transport)


def split_stream(buffer: bytes) -> tuple[list[bytes], bytes]:
    """Cut what came over a stream into whole messages and the rest.

    Source: RFC 3261 §18.3.
    """
    messages = []
    # Line ends between messages are keepalives.
    buffer = buffer.lstrip(b"\r\n")
    while (end := buffer.find(b"\r\n\r\n")) >= 0:
        length = end + 4 + int(parse_message(buffer[:end])["Content-Length"] or 0)
        if len(buffer) < length:
            break
        messages.append(buffer[:length])
        buffer = buffer[length:].lstrip(b"\r\n")
    return messages, buffer


def without_tag(address: str) -> str:
    """A From or To header less its tag."""
    return _TAG.sub("", address)


def sdp(port: int = 40_000, *, payload_types: str = "8", direction: str = "sendrecv", ip: str = "127.0.0.1") -> str:
    """An offer or answer on loopback: G.711 by static payload types, and telephone-event as 101."""
    address = f"IN IP{6 if ':' in ip else 4} {ip}"
    return (
        f"v=0\r\no=peer 1 1 {address}\r\ns=-\r\nc={address}\r\nt=0 0\r\n"
        f"m=audio {port} RTP/AVP {payload_types} 101\r\n"
        f"a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na={direction}\r\n"
    )


def sdp_audio(body: str) -> tuple[int, list[str]]:
    """The audio port and the payload types of an SDP."""
    match = re.search(r"^m=audio (\d+) \S+ (.*?)\r?$", body, re.MULTILINE)
    if match is None:
        raise AssertionError(f"no audio in {body!r}")
    return int(match[1]), match[2].split()


def sdp_profile(body: str) -> str:
    """``RTP/AVP`` and the like, of the audio; ``""`` when there is none."""
    match = re.search(r"^m=audio \d+ (\S+) ", body, re.MULTILINE)
    return match[1] if match else ""


def sdp_direction(body: str) -> str:
    """``sendrecv`` and the like; ``sendrecv`` is also what no direction means."""
    match = re.search(r"^a=(sendrecv|sendonly|recvonly|inactive)\r?$", body, re.MULTILINE)
    return match[1] if match else "sendrecv"

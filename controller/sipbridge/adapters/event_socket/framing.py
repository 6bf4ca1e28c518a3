"""Splits the bytes of an Event Socket connection into frames, and encodes commands. Pure.

Unlike a line reader, it cannot be confused by the content of a frame: a body is as long as its header says, and is
never searched.

Source: mod_event_socket.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import NamedTuple

from sipbridge.core.errors import SipBridgeError

MAX_HEADER_BYTES = 64 * 1024
MAX_BODY_BYTES = 256 * 1024 * 1024
_SHORT_HEAD_BYTES = 64


class FramingError(SipBridgeError):
    """The bytes are not those of an Event Socket."""


class Frame(NamedTuple):
    """One message of FreeSWITCH.

    Attributes:
        content_type: ``command/reply``, ``api/response``, ``text/event-json``, …
        headers: all headers, including ``Content-Type``.
        body: as many bytes as ``Content-Length`` says.
    """

    content_type: str
    headers: Mapping[str, str]
    body: bytes


class FrameReader:
    """Splits a stream of bytes into frames, whatever chunks it arrives in."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        # Bytes already searched for the end of the headers, so that data in small pieces is not searched again.
        self._searched = 0
        self._headers: dict[str, str] | None = None
        self._body_length = 0

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Add received data and yield the frames that it completes.

        Raises:
            FramingError: headers or a body longer than anything FreeSWITCH sends, or invalid headers.
        """
        buffer = self._buffer
        buffer += data
        start = 0
        try:
            while True:
                if self._headers is None:
                    while buffer.startswith(b"\n", start):
                        start += 1
                    end = buffer.find(b"\n\n", start + max(0, self._searched - 1))
                    if end < 0:
                        self._searched = len(buffer) - start
                        if len(buffer) - start > MAX_HEADER_BYTES:
                            raise FramingError("headers longer than 64 KiB")
                        return
                    self._searched = 0
                    self._headers, self._body_length = _read_head(bytes(buffer[start:end]))
                    start = end + 2
                end = start + self._body_length
                if len(buffer) < end:
                    return
                frame = Frame(self._headers.get("Content-Type", ""), self._headers, bytes(buffer[start:end]))
                start = end
                self._headers = None
                yield frame
        finally:
            del buffer[:start]


def encode_command(command: str, body: str | None = None) -> bytes:
    """Encode a command for FreeSWITCH.

    Args:
        command: one line, plus header lines if any, without the blank line that ends it.
        body: any text.
    """
    # An empty line ends a command: text after it would be another command.
    if "\n\n" in command or "\r" in command or command.startswith("\n") or command.endswith("\n"):
        raise AssertionError("a command must not contain an empty line")
    if body is None:
        return (command + "\n\n").encode("utf-8", "surrogateescape")
    content = body.encode("utf-8", "surrogateescape")
    return f"{command}\ncontent-length: {len(content)}\n\n".encode("utf-8", "surrogateescape") + content


def _read_head(block: bytes) -> tuple[dict[str, str], int]:
    """Return the headers and the length of the body."""
    if len(block) <= _SHORT_HEAD_BYTES:
        return _read_short_head(block)
    headers = _parse_headers(block)
    return headers, _body_length(headers)


@lru_cache(maxsize=256)
def _read_short_head(block: bytes) -> tuple[dict[str, str], int]:
    """Parse with a cache: most replies are identical, and the lengths of events vary little."""
    headers = _parse_headers(block)
    return headers, _body_length(headers)


def _parse_headers(block: bytes) -> dict[str, str]:
    headers: dict[str, str] = {}
    for line in block.decode("utf-8", "replace").split("\n"):
        name, colon, value = line.partition(":")
        if not colon:
            raise FramingError(f"header line without a colon: {line[:80]!r}")
        headers[name] = value.strip()
    return headers


def _body_length(headers: dict[str, str]) -> int:
    text = headers.get("Content-Length", "0")
    # Python refuses to parse thousands of digits.
    if not (text.isascii() and text.isdigit()) or len(text) > 10 or int(text) > MAX_BODY_BYTES:
        raise FramingError(f"invalid Content-Length {text[:40]!r}")
    return int(text)

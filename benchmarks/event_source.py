"""A stand-in for FreeSWITCH's Event Socket that sends events as fast as they are taken. One TCP connection.

``python -m benchmarks.event_source FORMAT COUNT`` prints the port that it listens on. The events are those of a
recorded call, a CHANNEL_PARK and a CHANNEL_HANGUP_COMPLETE in turn.
"""

from __future__ import annotations

import json
import socket
import sys
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

from sipbridge.adapters.event_socket.framing import FrameReader

_RECORDING = Path(__file__).parent.parent / "tests" / "recordings" / "call_bridged_then_caller_hangs_up.jsonl"
_NAMES = ("CHANNEL_PARK", "CHANNEL_HANGUP_COMPLETE")
_BATCH = 50
"""Pairs of events that are sent at once."""


def recorded_events() -> Iterator[bytes]:
    """The JSON of the two events of a bridged call that the bridge subscribes to."""
    reader = FrameReader()
    for line in _RECORDING.read_text().splitlines():
        chunk = json.loads(line)
        if chunk["from"] != "switch" or chunk["data"] == "<EOF>":
            continue
        for frame in reader.feed(chunk["data"].encode("utf-8", "surrogateescape")):
            if frame.content_type == "text/event-json" and json.loads(frame.body)["Event-Name"] in _NAMES:
                yield frame.body


def as_plain(event: bytes) -> bytes:
    """The same event as ``event plain`` has it: a header a line, values percent-encoded."""
    lines = (
        f"{name}: {urllib.parse.quote(str(value), safe='/:@+,;=*()')}" for name, value in json.loads(event).items()
    )
    return ("\n".join(lines) + "\n\n").encode()


def frame(event: bytes, format_: str) -> bytes:
    """An event as it is on the wire."""
    return f"Content-Length: {len(event)}\nContent-Type: text/event-{format_}\n\n".encode() + event


def main(format_: str, count: int) -> None:
    """Serve one connection."""
    events = [event if format_ == "json" else as_plain(event) for event in recorded_events()]
    pair = b"".join(frame(event, format_) for event in events)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        print(listener.getsockname()[1], flush=True)
        connection, _ = listener.accept()
    with connection, connection.makefile("rb") as commands:
        connection.sendall(b"Content-Type: auth/request\n\n")
        for line in commands:
            if line == b"\n":
                continue
            connection.sendall(b"Content-Type: command/reply\nReply-Text: +OK accepted\n\n")
            if line.startswith(b"event"):
                break
        for _ in range(count // (2 * _BATCH)):
            connection.sendall(pair * _BATCH)
        connection.recv(1)  # the other side closes when it has them all


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))

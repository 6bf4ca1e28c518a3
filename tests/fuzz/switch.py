"""What FreeSWITCH says on the Event Socket. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from fuzz.target import Target
from sipbridge.adapters.event_socket.events import PARSERS
from sipbridge.adapters.event_socket.framing import Frame, FrameReader, FramingError
from sipbridge.adapters.event_socket.json_events import decode_event


def _frames(chunks: list[bytes]) -> list[Frame] | str:
    reader = FrameReader()
    try:
        return [frame for chunk in chunks for frame in reader.feed(chunk)]
    except FramingError as error:
        return str(error)


def check_frames(data: bytes) -> None:
    whole = _frames([data])
    in_bytes = _frames([data[index : index + 1] for index in range(len(data))])
    assert whole == in_bytes
    if not isinstance(whole, str):
        assert sum(len(frame.body) for frame in whole) <= len(data)


def check_events(data: bytes) -> None:
    event = decode_event(data)
    if event is None:
        return
    for parse in PARSERS.values():
        parse(event)


_EVENT = b"""{"Event-Name":"CHANNEL_PARK","Unique-ID":"u","variable_sip_req_user":"bob","variable_sip_req_host":"h",
"x":["a"],"variable_sip_full_from":"<sip:a@b>;tag=1","variable_sip_full_to":"<sip:b@c>","Caller-Channel-Answered-Time":"1"}"""


TARGETS: Mapping[str, Target] = {
    "frames": Target(
        check_frames,
        (b"Content-Type: text/event-json\nContent-Length: 2\n\n{}\nContent-Type: auth/request\n\n",),
        (b"\n\n", b"Content-Length: ", b"Content-Type: ", b"0", b"9", b"-1", b":"),
    ),
    "events": Target(
        check_events, (_EVENT,), (b'"', b"[", b"]", b"{", b"}", b"null", b"1e999", b"\xff", b"\\u0000", b":", b",")
    ),
}

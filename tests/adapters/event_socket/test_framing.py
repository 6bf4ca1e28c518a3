"""Framing gives the same frames for any chunks, and reports data that is not the Event Socket protocol."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sipbridge.adapters.event_socket.framing import MAX_BODY_BYTES, MAX_HEADER_BYTES, Frame, FrameReader, FramingError

_names = st.sampled_from(["Content-Type", "Reply-Text", "Job-UUID", "X"])
_values = st.text(st.characters(blacklist_characters="\n", blacklist_categories=["Cs"]), max_size=20).map(str.strip)
_bodies = st.binary(max_size=60) | st.sampled_from(
    [b"", b"\n", b"\n\n", b"Content-Type: auth/request\n\n", b"Content-Length: 999\n\n", b"\xff\xfe", b"a" * 2000]
)
_frames = st.lists(st.tuples(st.dictionaries(_names, _values, min_size=1), _bodies), max_size=6)


def _bytes_of(headers: dict[str, str], body: bytes) -> bytes:
    lines = [*(f"{name}: {value}" for name, value in headers.items()), *([f"Content-Length: {len(body)}"] * bool(body))]
    return "\n".join(lines).encode() + b"\n\n" + body


def _read(chunks: list[bytes]) -> list[Frame]:
    reader = FrameReader()
    return [frame for chunk in chunks for frame in reader.feed(chunk)]


def _cut(data: bytes, sizes: list[int]) -> list[bytes]:
    chunks = []
    for size in sizes:
        chunks.append(data[:size])
        data = data[size:]
    return [*chunks, data]


@given(_frames, st.lists(st.integers(0, 50)), st.integers(0, 3))
@example([({"Content-Type": "a"}, b"b\n\nc")], [1] * 60, 2)
def test_any_chunks_give_the_same_frames(
    frames: list[tuple[dict[str, str], bytes]], sizes: list[int], stray_lines: int
) -> None:
    stream = b"".join(b"\n" * stray_lines + _bytes_of(headers, body) for headers, body in frames)
    read = _read(_cut(stream, sizes))
    assert [frame.body for frame in read] == [body for _, body in frames]
    assert [frame.content_type for frame in read] == [headers.get("Content-Type", "") for headers, _ in frames]
    for frame, (headers, _) in zip(read, frames, strict=True):
        assert {name: frame.headers[name] for name in headers} == headers


@given(st.lists(st.binary(max_size=200), max_size=10))
def test_garbage_is_refused_or_waited_for(chunks: list[bytes]) -> None:
    try:
        frames = _read(chunks)
    except FramingError:
        return
    assert sum(len(frame.body) for frame in frames) <= sum(map(len, chunks))


@pytest.mark.parametrize(
    "length", ["-1", "1.0", "", "ten", "0x10", "١٢", str(MAX_BODY_BYTES + 1), "9" * 5_000], ids=lambda each: each[:12]
)
def test_a_length_that_is_none_is_refused(length: str) -> None:
    with pytest.raises(FramingError, match="Content-Length"):
        _read([f"Content-Type: api/response\nContent-Length: {length}\n\n".encode()])


def test_a_line_without_a_colon_is_refused() -> None:
    with pytest.raises(FramingError, match="without a colon"):
        _read([b"HTTP/1.1 400 Bad Request\nServer: nginx\n\n"])


@pytest.mark.parametrize("chunk", [1_000, 70_000])
def test_headers_without_an_end_are_refused(chunk: int) -> None:
    with pytest.raises(FramingError, match="64 KiB"):
        _read([b"x" * chunk] * (MAX_HEADER_BYTES // chunk + 2))


def test_frames_before_something_that_is_none_are_given() -> None:
    reader = FrameReader()
    frames = reader.feed(b"Content-Type: auth/request\n\nnonsense\n\n")
    assert next(frames).content_type == "auth/request"
    with pytest.raises(FramingError):
        next(frames)


def test_headers_are_not_unquoted() -> None:
    (frame,) = _read([b"Content-Type: command/reply\nReply-Text: +OK%0AContent-Length: 5%0A\n\n"])
    assert frame.headers["Reply-Text"] == "+OK%0AContent-Length: 5%0A"
    assert frame.body == b""
